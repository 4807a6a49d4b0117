import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type Client, escapeIdentifier } from 'pg';
import type { Logger } from '../telemetry/index.js';
import type { Pool } from './pool.js';

/** The modules. Each keeps its SQL functions in its directory `sql`. */
const MODULES = path.resolve(__dirname, '../..');
const OWN = path.join('platform', 'postgres');

const HEAD = /^CREATE (OR REPLACE )?FUNCTION (\w+)\(/;
const HASH_LENGTH = 8;
const DAY_MS = 86_400_000;

/** SQL: the name of a function `p` of `pg_proc`, without its version. */
export const PLAIN_NAME = `regexp_replace(p.proname, '_[0-9a-f]{${HASH_LENGTH}}$', '')`;

interface SqlFunction {
  /** As the files have it. */
  name: string;
  /** The statement that makes it, with the names that functions have in Postgres. */
  statement: string;
  /**
   * Triggers, policies or stored rows hang on it: `CREATE OR REPLACE FUNCTION` in its file. Every process runs the one text that is there. Others,
   * `CREATE FUNCTION`, have a version in their names, and each process calls its own.
   */
  attached: boolean;
}

export interface SqlFunctions {
  /** Hash of all texts. */
  version: string;
  all: readonly SqlFunction[];
  /** What a function is called in Postgres. @throws Error where no file has it. */
  nameOf(name: string): string;
}

/** Reads the SQL functions of all modules. @param modules the directory that has theirs. */
export function readFunctions(modules = MODULES): SqlFunctions {
  const texts = [...readdirSync(modules).sort(), OWN]
    .map((place) => path.join(modules, place, 'sql'))
    .filter((directory) => existsSync(directory))
    .flatMap((directory) =>
      readdirSync(directory)
        .sort()
        .map((file) => readFileSync(path.join(directory, file), 'utf8')),
    );
  const version = createHash('sha256').update(texts.join('\0')).digest('hex').slice(0, HASH_LENGTH);
  const found = texts
    .flatMap((text) => text.split(/^(?=CREATE )/m))
    .flatMap((statement) => {
      const [, replaces, name] = HEAD.exec(statement) ?? [];
      return name ? [{ name, statement, attached: replaces !== undefined }] : [];
    });
  const names = new Map(found.map(({ name, attached }) => [name, attached ? name : `${name}_${version}`]));
  const nameOf = (name: string) => {
    const full = names.get(name);
    if (full === undefined) throw new Error(`no module has an SQL function ${name}`);
    return full;
  };
  const called = new RegExp(`\\b(${[...names.keys()].join('|')})(?=\\()`, 'g');
  const all = found.map((one) => ({ ...one, statement: one.statement.replace(called, nameOf) }));
  return { version, all, nameOf };
}

let own: SqlFunctions | undefined;

/** The functions that this process calls. */
export function ownFunctions(): SqlFunctions {
  own ??= readFunctions();
  return own;
}

/** What a function is called in Postgres, for statements. @throws Error where no file has it. */
export const sqlFunction = (name: string): string => ownFunctions().nameOf(name);

export const CREATE_VERSIONS = `
  create table if not exists function_versions (
    version text primary key,
    used_at timestamptz not null default now()
  )`;

/** Makes the attached functions that are not there yet, which migrations name. Their bodies may need tables that come later. */
export async function makeAttached(client: Client, schema: string, { all }: SqlFunctions): Promise<void> {
  const attached = all.filter((one) => one.attached);
  const { rows } = await client.query<{ name: string }>(
    'select proname as name from pg_proc where pronamespace = quote_ident($1)::regnamespace and proname = any ($2)',
    [schema, attached.map(({ name }) => name)],
  );
  const present = new Set(rows.map(({ name }) => name));
  const missing = attached.filter(({ name }) => !present.has(name));
  if (missing.length > 0) await client.query(`begin; ${making(schema, missing)}; commit`);
}

/**
 * Makes the functions of this version, unless they are there, and notes that they are used. Runs in a transaction of the caller's. What other versions
 * have attached is replaced then, and only then: a process of the version before that starts again leaves the newer text.
 */
export async function makeFunctions(client: Client, schema: string, { version, all }: SqlFunctions): Promise<void> {
  // Postgres drops what nobody used for a week, row and functions in one transaction: this waits for it, and finds no row.
  const { rowCount } = await client.query('update function_versions set used_at = now() where version = $1', [version]);
  if (rowCount === 0) await client.query(`${making(schema, all)}; insert into function_versions (version) values ('${version}')`);
}

/** In one message: Postgres may be far away. Bodies are not checked, so that the order is free; a test checks them. */
const making = (schema: string, functions: readonly SqlFunction[]): string =>
  [
    `set local search_path to ${escapeIdentifier(schema)}, pg_temp; set local check_function_bodies to off`,
    ...functions.map(({ statement }) => statement),
  ].join(';\n');

/** Notes now and once a day that this process uses its version, and drops versions that no process has used for a week. Answers how to stop. */
export function keepFunctions(pool: Pool, log: Logger): () => void {
  const keep = () =>
    pool
      .query(`SELECT ${sqlFunction('keep_functions')}($1)`, [ownFunctions().version])
      .catch((error) => log.warn({ err: error }, 'it could not be noted that the SQL functions are used'));
  void keep();
  const daily = setInterval(keep, DAY_MS).unref();
  return () => clearInterval(daily);
}
