import { type Address, leadToSame, readAddress } from '../postgres/address.js';
import { type Config, sourceOf } from './config.js';

/**
 * Variables whose new values are taken while the process runs; others wait for its next start. `replaced`: only where there was a value and is one,
 * because a process is built otherwise without it. `proof`: only a new password or other certificates for the same database and role.
 */
const RELOADED: Readonly<Record<string, 'any' | 'replaced' | 'proof'>> = {
  DATABASE_URL: 'proof',
  DATABASE_DIRECT_URL: 'proof',
  WEIR_INFERENCE_CLIENT_CA: 'replaced',
  WEIR_TLS_CERT: 'replaced',
  WEIR_TLS_KEY: 'replaced',
  WEIR_LOG_LEVEL: 'any',
  WEIR_EGRESS_ALLOW: 'any',
  WEIR_EGRESS_PROXY: 'replaced',
  WEIR_CONNECT_TIMEOUT_MS: 'any',
  WEIR_FIRST_BYTE_TIMEOUT_MS: 'any',
  WEIR_PROGRESS_TIMEOUT_MS: 'any',
  WEIR_TOTAL_TIMEOUT_MS: 'any',
  WEIR_LEDGER_TIMEOUT_MS: 'any',
  WEIR_CLIENT_STALL_TIMEOUT_MS: 'any',
  REDIS_URL: 'replaced',
  REDIS_PASSWORD: 'any',
  REDIS_SENTINEL_PASSWORD: 'any',
  REDIS_TLS_CA: 'any',
  REDIS_TLS_CERT: 'any',
  REDIS_TLS_KEY: 'any',
};

/** The names of the variables whose values differ, those in files too: which are taken while the process runs, and which at its next start. */
export function differences(before: Config, after: Config): { taken: string[]; waiting: string[] } {
  const [old, now] = [sourceOf(before), sourceOf(after)];
  const changed = [...new Set([...Object.keys(old), ...Object.keys(now)])].filter((name) => old[name] !== now[name]);
  const isTaken = (name: string): boolean => {
    const rule = RELOADED[name];
    if (rule === 'replaced') return old[name] !== undefined && now[name] !== undefined;
    return rule === 'proof' ? leadToSame(addressOf(name, before), addressOf(name, after)) : rule === 'any';
  };
  return { taken: changed.filter(isTaken), waiting: changed.filter((name) => !isTaken(name)) };
}

/** With files by their whole paths, as the configuration has it. */
function addressOf(name: string, { databaseUrl, databaseDirectUrl }: Config): Address | null {
  const url = name === 'DATABASE_URL' ? databaseUrl : databaseDirectUrl;
  return url === null ? null : readAddress(url);
}

/** Who takes a configuration that is read anew. Each is given values that were checked, so none fails. */
export class Reloads {
  private readonly takers: ((config: Config) => void)[] = [];

  onReload(take: (config: Config) => void): void {
    this.takers.push(take);
  }

  apply(config: Config): void {
    for (const take of this.takers) take(config);
  }
}
