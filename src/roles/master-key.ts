import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../platform/config/index.js';
import type { MasterKeys } from '../platform/crypto/index.js';

export const masterKeysOf = (config: Config): MasterKeys => ({ current: masterKeyOf(config), previous: config.previousMasterKey });

/** The configured master key, or one generated once and kept under `home`, readable by its owner only. */
function masterKeyOf(config: Config): string {
  if (config.masterKey) return config.masterKey;
  const path = join(config.home, 'master.key');
  if (!existsSync(path)) {
    mkdirSync(config.home, { recursive: true });
    writeFileSync(path, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  }
  return readFileSync(path, 'utf8').trim();
}
