import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import { nearest } from '../../kernel/nearest.js';

type Variables = Readonly<Record<string, string | undefined>>;

/** Other programs have variables of similar names, so only what is this close to one of Weir's is taken for it. */
const TYPING_ERRORS = 2;
const FILES = [
  'GOOGLE_APPLICATION_CREDENTIALS',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
  'AZURE_FEDERATED_TOKEN_FILE',
] as const;
const AWS_KEY = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'] as const;
const AUTHORITIES = 'NODE_EXTRA_CA_CERTS';

/** What is most likely meant otherwise, though a start may go on with it. No value is in it, but for paths. @param known Weir's own variables. */
export function warningsOf(variables: Variables, process: Variables, directory: string, known: readonly string[]): string[] {
  const misspelled = Object.keys(variables).flatMap((name) => {
    const meant = known.includes(name) || name.startsWith('WEIR_') ? null : nearest(name, known, TYPING_ERRORS);
    return meant === null ? [] : [`${name} is not read by Weir; did you mean ${meant}?`];
  });
  const missing = FILES.flatMap((name) => {
    const path = variables[name];
    return path === undefined || isReadable(resolve(directory, path))
      ? []
      : [`${name} names a file that cannot be read: ${path}; mount the file, or take the variable away`];
  });
  const [set, unset] = [AWS_KEY.filter((name) => variables[name]), AWS_KEY.filter((name) => !variables[name])];
  const half = set.length === 1 ? [`${set[0]} is set without ${unset[0]}, and is of no use alone; set both or none`] : [];
  const late =
    variables[AUTHORITIES] !== undefined && process[AUTHORITIES] === undefined
      ? [`${AUTHORITIES} in an .env file has no effect, because Node reads it first; set it in the environment of the process`]
      : [];
  return [...misspelled, ...missing, ...half, ...late];
}

function isReadable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK);
    return true;
  } catch {
    return false;
  }
}
