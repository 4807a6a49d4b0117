import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../platform/config/index.js';

/** The configured master key, or one generated once and kept under `home`, readable by its owner only. */
export function masterKeyOf(config: Config): string {
  if (config.masterKey) return config.masterKey;
  const path = join(config.home, 'master.key');
  if (!existsSync(path)) {
    mkdirSync(config.home, { recursive: true });
    writeFileSync(path, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600, flag: 'wx' });
  }
  return readFileSync(path, 'utf8').trim();
}
