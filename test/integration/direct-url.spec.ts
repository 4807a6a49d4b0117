import { migrate } from '../../src/platform/postgres/index.js';
import { describeFailure } from '../../src/roles/failure.js';
import { createDatabase, createEmptyDatabase, runOnce, type TestDatabase } from '../support/database.js';
import { startTestWeir } from '../support/weir.js';

jest.setTimeout(60_000);

let other: TestDatabase;

beforeAll(async () => {
  other = await createEmptyDatabase();
});
afterAll(() => other.drop());

const refusal = (environment: (url: string) => Record<string, string>): Promise<string> =>
  startTestWeir(environment).then(async (weir) => {
    await weir.stop();
    return 'it started';
  }, describeFailure);

test('a DATABASE_DIRECT_URL to another database is refused, and nothing is made there', async () => {
  const said = await refusal(() => ({ DATABASE_DIRECT_URL: other.url }));
  expect(said).toMatch(
    /^weir: DATABASE_URL leads to the database "test_\w+", and DATABASE_DIRECT_URL to the database "test_\w+" of another/,
  );
  await expect(runOnce(other.url, 'SELECT FROM tenants')).rejects.toThrow('does not exist');
});

test('a DATABASE_DIRECT_URL to another schema is refused', async () => {
  const said = await refusal((url) => ({ DATABASE_DIRECT_URL: `${url}?schema=aside` }));
  expect(said).toMatch(/^weir: DATABASE_URL leads to the schema "public", and DATABASE_DIRECT_URL to the schema "aside"/);
});

test('another way to the same database is taken', async () => {
  const weir = await startTestWeir((url) => ({ DATABASE_DIRECT_URL: url.replace('127.0.0.1', 'localhost') }));
  await weir.stop();
});

test.each([
  ['a database that is not there', (url: string) => url.replace(/test_\w+$/, 'no_such')],
  ['a role that is not there', (url: string) => url.replace(/\/\/[^@]*@/, '//nobody:wrong@')],
  ['a host that is not there', (url: string) => url.replace('127.0.0.1', 'no-such-host.invalid')],
  ['TLS that the server has not', (url: string) => `${url}?sslmode=require`],
])('%s is a fault of the variable that has it', async (_name, spoil) => {
  const direct = await refusal((url) => ({ DATABASE_DIRECT_URL: spoil(url) }));
  expect(direct).toContain('DATABASE_DIRECT_URL');
  expect(direct).not.toContain('DATABASE_URL');
  const calls = await refusal((url) => ({ DATABASE_URL: spoil(url), DATABASE_DIRECT_URL: url }));
  expect(calls).toContain('DATABASE_URL');
  expect(calls).not.toContain('DATABASE_DIRECT_URL');
});

test.each(['LATIN1', 'SQL_ASCII', 'WIN1252'])(
  'a database in %s is refused, with the statement that makes a right one',
  async (encoding) => {
    const database = await createDatabase();
    const name = `${new URL(database.url).pathname.slice(1)}_${encoding.toLowerCase()}`;
    await runOnce(database.url, `CREATE DATABASE ${name} ENCODING '${encoding}' LOCALE 'C' TEMPLATE template0`);
    const said = await refusal(() => ({ DATABASE_URL: database.url.replace(/test_\w+$/, name) }));
    await runOnce(database.url, `DROP DATABASE ${name}`);
    await database.drop();
    expect(said).toBe(
      `weir: Weir needs a database in UTF8, and "${name}" is in ${encoding}; make another one: CREATE DATABASE name ENCODING 'UTF8' LOCALE 'C' TEMPLATE template0`,
    );
  },
);

test('a role with too few connections is told so', async () => {
  const database = await createDatabase();
  const role = `few_${new URL(database.url).pathname.slice(6, 16)}`;
  await runOnce(database.url, `CREATE ROLE ${role} LOGIN PASSWORD 'few' CONNECTION LIMIT 0`);
  const said = await migrate(database.url.replace(/\/\/[^@]*@/, `//${role}:few@`)).then(String, describeFailure);
  await runOnce(database.url, `DROP ROLE ${role}`);
  await database.drop();
  expect(said).toMatch(
    /^weir: Postgres has too few connections for this process: too many connections for role "few_\w+"; lower WEIR_DATABASE_CALL/,
  );
});
