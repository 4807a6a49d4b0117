import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { EXIT, Failure } from './failure.js';

/** Where a Weir is, and who one is there. */
export interface Profile {
  readonly admin_url: string;
  /** An admin key or an operator key. */
  readonly admin_key?: string;
  /** The cookie of a person's session. */
  readonly session?: string;
  /** For operators: the tenant to act in. */
  readonly tenant?: string;
}

type Profiles = Readonly<Record<string, Profile>>;

const DEFAULT_ADMIN_URL = 'http://127.0.0.1:8081';
export const DEFAULT_PROFILE = 'default';

/** `~/.config/weir/config.json`, or below `XDG_CONFIG_HOME`. */
export const settingsFile = (env: NodeJS.ProcessEnv): string =>
  join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'weir', 'config.json');

export function readProfiles(env: NodeJS.ProcessEnv): Profiles {
  const file = settingsFile(env);
  try {
    return (JSON.parse(readFileSync(file, 'utf8')) as { profiles?: Profiles }).profiles ?? {};
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new Failure(`${file} cannot be read: ${(error as NodeJS.ErrnoException).code ?? 'it is no JSON'}`, EXIT.error, 'weir login');
  }
}

/** Only its owner can read it. */
export function writeProfiles(env: NodeJS.ProcessEnv, profiles: Profiles): void {
  const file = settingsFile(env);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(file, `${JSON.stringify({ profiles }, null, 2)}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
}

export interface Choice {
  readonly profile?: string;
  readonly adminUrl?: string;
  readonly tenant?: string;
  /** The profile need not exist yet. */
  readonly isNew?: boolean;
}

/** Flags win over variables, and variables over the profile. A key that a variable names is not sent to the address of a profile with another key. */
export function chooseProfile(env: NodeJS.ProcessEnv, choice: Choice): Profile {
  const kept = readProfiles(env)[choice.profile ?? DEFAULT_PROFILE];
  if (choice.profile !== undefined && kept === undefined && !choice.isNew)
    throw new Failure(`there is no profile ${choice.profile}`, EXIT.usage, `weir login --profile ${choice.profile}`);
  const address = choice.adminUrl ?? env['WEIR_ADMIN_URL'] ?? kept?.admin_url ?? DEFAULT_ADMIN_URL;
  const isElsewhere = kept !== undefined && trimmed(address) !== trimmed(kept.admin_url);
  const who = env['WEIR_ADMIN_KEY'] ? { admin_key: env['WEIR_ADMIN_KEY'] } : isElsewhere ? {} : kept;
  const tenant = choice.tenant ?? env['WEIR_TENANT'] ?? (isElsewhere ? undefined : kept?.tenant);
  return { admin_url: trimmed(address), admin_key: who?.admin_key, session: who?.['session' as never], tenant };
}

const trimmed = (address: string): string => address.replace(/\/+$/, '');
