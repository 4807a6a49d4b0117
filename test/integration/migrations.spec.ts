import { execFile, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createEmptyDatabase, type TestDatabase } from '../support/database.js';

const ROOT = path.resolve(__dirname, '../..');
const PRISMA = path.join(ROOT, 'node_modules/prisma-cli/build/index.js');
const SCHEMA_ENGINE = path.join(ROOT, 'test/support/schema-engine.mjs');
const MIGRATIONS = path.join(ROOT, 'prisma/migrations');

const SAME = 0;
const DIFFERENT = 2;

describe('the migrations', () => {
  let database: TestDatabase;

  beforeAll(async () => {
    database = await createEmptyDatabase();
  });

  afterAll(() => database.drop());

  it('create exactly the tables that prisma/schema.prisma describes', async () => {
    const { code, output } = await diff(MIGRATIONS, database.url);
    expect(output).toContain('No difference detected');
    expect(code).toBe(SAME);
  });

  it('would not pass that comparison with one column too many', async () => {
    const directory = mkdtempSync(path.join(tmpdir(), 'weir-migrations-'));
    cpSync(MIGRATIONS, directory, { recursive: true });
    mkdirSync(path.join(directory, '99991231000000_stray'));
    writeFileSync(path.join(directory, '99991231000000_stray/migration.sql'), 'alter table tenants add column stray integer;');
    const { code, output } = await diff(directory, database.url);
    rmSync(directory, { recursive: true });
    expect(output).toContain('stray');
    expect(code).toBe(DIFFERENT);
  });
});

test('the committed part of the Prisma client is what prisma/schema.prisma generates', () => {
  const copy = mkdtempSync(path.join(tmpdir(), 'weir-client-'));
  cpSync(path.join(ROOT, 'prisma/schema.prisma'), path.join(copy, 'prisma/schema.prisma'));
  const args = [PRISMA, 'generate', '--no-hints', '--schema', path.join(copy, 'prisma/schema.prisma')];
  const env = { ...process.env, PRISMA_SCHEMA_ENGINE_BINARY: '/bin/true', PRISMA_HIDE_UPDATE_MESSAGE: '1', CHECKPOINT_DISABLE: '1' };
  expect(spawnSync(process.execPath, args, { cwd: ROOT, env }).status).toBe(0);
  const clientIn = (root: string) =>
    ['client.ts', 'enums.ts', 'internal/class.ts', 'internal/prismaNamespace.ts'].map((file) =>
      readFileSync(path.join(root, 'src/platform/postgres/generated', file), 'utf8'),
    );
  expect(clientIn(ROOT)).toEqual(clientIn(copy));
  rmSync(copy, { recursive: true });
});

/** Applies the migrations to a shadow database beside the given one and compares the result with the schema file. */
function diff(migrations: string, databaseUrl: string): Promise<{ code: unknown; output: string }> {
  const schema = path.join(ROOT, 'prisma/schema.prisma');
  const args = [PRISMA, 'migrate', 'diff', '--from-migrations', migrations, '--to-schema', schema, '--exit-code'];
  const env = {
    ...process.env,
    PATH: `${path.dirname(process.execPath)}${path.delimiter}${process.env.PATH}`,
    DATABASE_URL: databaseUrl,
    PRISMA_SCHEMA_ENGINE_BINARY: SCHEMA_ENGINE,
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    CHECKPOINT_DISABLE: '1',
  };
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: ROOT, env }, (error, stdout, stderr) => {
      resolve({ code: error ? error.code : 0, output: `${stdout}${stderr}` });
    });
  });
}
