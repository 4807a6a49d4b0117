import { randomBytes } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
    // It appears whole, and of two processes that start at once the first one's counts.
    const draft = `${path}.${process.pid}`;
    writeFileSync(draft, `${randomBytes(32).toString('base64')}\n`, { mode: 0o600 });
    linkIfAbsent(draft, path);
    rmSync(draft);
  }
  return readFileSync(path, 'utf8').trim();
}

function linkIfAbsent(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
