import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { ConfigError } from './config-error.js';
import { isServiceLink, readEnvFile, readSecretFile } from './env-files.js';

/** Secrets may lie in files, which `<name>_FILE` names: containers are given them so. */
export const SECRETS = [
  'DATABASE_URL',
  'DATABASE_DIRECT_URL',
  'REDIS_URL',
  'REDIS_PASSWORD',
  'REDIS_SENTINEL_PASSWORD',
  'WEIR_MASTER_KEY',
  'WEIR_MASTER_KEY_PREVIOUS',
  'WEIR_EGRESS_PROXY',
  'WEIR_SMTP_URL',
] as const;

/** Variables that have a value, by the files and the environment. @param faults gets what cannot be read. */
export function readVariables(
  environment: NodeJS.ProcessEnv,
  directory: string,
  envFile: string | undefined,
  faults: string[],
): Record<string, string | undefined> {
  const own = (name: string) => readEnvFile(resolve(directory, name), faults);
  const merged = {
    ...(envFile ? {} : { ...own('.env'), ...own('.env.local') }),
    ...environment,
    ...(envFile ? requireEnvFile(resolve(directory, envFile), faults) : {}),
  };
  // A secret that is not there must not start another database.
  for (const name of ['DATABASE_URL', 'DATABASE_URL_FILE'])
    if (merged[name] === '') faults.push(`${name} is empty; give it a value, or leave it out for the embedded Postgres`);
  const given = Object.fromEntries(
    Object.entries(merged).filter(([name, value]) => value !== undefined && value !== '' && !isServiceLink(name, value)),
  );
  for (const name of SECRETS) {
    const path = given[`${name}_FILE`];
    delete given[`${name}_FILE`];
    if (path === undefined) continue;
    if (given[name] !== undefined) faults.push(`${name} and ${name}_FILE are both set; set one of them`);
    try {
      given[name] = readSecretFile(`${name}_FILE`, path, directory);
    } catch (error) {
      faults.push((error as Error).message);
    }
  }
  return given;
}

/** A vendor's key that lies in a file. */
export function secretIn(name: string, variables: Record<string, string | undefined>, directory: string): string | undefined {
  const path = variables[`${name}_FILE`];
  return path === undefined ? undefined : readSecretFile(`${name}_FILE`, path, directory);
}

function requireEnvFile(path: string, faults: string[]): Record<string, string | undefined> {
  if (!existsSync(path)) throw new ConfigError([`--env-file: there is no file ${path}`]);
  return readEnvFile(path, faults);
}
