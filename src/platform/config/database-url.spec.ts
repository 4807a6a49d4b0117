import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '../../../test/support/certificate.js';
import { type Address, readAddress } from '../postgres/address.js';
import { readConfig } from './config.js';
import { differences } from './reload.js';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-database-url-'));
  writeFileSync(join(directory, 'ca.pem'), '-----BEGIN CERTIFICATE-----');
  writeFileSync(join(directory, 'garbage.pem'), 'garbage');
});

afterAll(() => rmSync(directory, { recursive: true }));

const read = (environment: Record<string, string>) => readAddress(readConfig(environment, directory).databaseUrl!);
const hosts = ({ routes }: Address) => [...new Set(routes.map(({ host, port }) => `${host} ${port}`))];
/** What is tried: `-` without TLS, `+` with, `ca` by an authority, `full` by its name too. */
const tries = ({ routes }: Address) =>
  routes.map(({ ssl }) => (!ssl ? '-' : ssl.rejectUnauthorized === false ? '+' : ssl.checkServerIdentity ? 'ca' : 'full')).join(' ');

test.each([
  ['postgres://u:p@db/w', ['db 5432']],
  ['postgresql://u:p@db:6543/w', ['db 6543']],
  ['postgres://u:p@[fd00::1]:6543/w', ['fd00::1 6543']],
  ['postgres://u:p@a:1,b:2,[::2]/w', ['a 1', 'b 2', '::2 5432']],
  ['postgres:///w?host=/var/run/postgresql', ['/var/run/postgresql 5432']],
  ['postgres://u@%2Fvar%2Frun%2Fpostgresql/w', ['/var/run/postgresql 5432']],
  ['postgres:///w?host=a,b&port=1,2', ['a 1', 'b 2']],
])('%s leads to %s', (url, expected) => expect(hosts(read({ DATABASE_URL: url }))).toEqual(expected));

test('a user, a password, a database, a schema and options are read', () => {
  const { user, password, database, schema, more } = read({
    DATABASE_URL: 'postgres://u%40x:p%2F%25@db/w?schema=s&options=-c%20geqo%3Doff',
  });
  expect({ user, password, database, schema, more }).toEqual({
    user: 'u@x',
    password: 'p/%',
    database: 'w',
    schema: 's',
    more: { options: '-c geqo=off' },
  });
});

test.each([
  ['', '+ -'],
  ['?sslmode=disable', '-'],
  ['?sslmode=allow', '- +'],
  ['?sslmode=prefer', '+ -'],
  ['?sslmode=require', '+'],
  ['?sslmode=require&sslrootcert=ca.pem', 'ca'],
  ['?sslmode=verify-ca&sslrootcert=ca.pem', 'ca'],
  ['?sslmode=verify-full&sslrootcert=ca.pem', 'full'],
  ['?sslmode=verify-full', 'full'],
  ['?sslrootcert=system', 'full'],
])('of TLS, %s tries %s, as libpq does', (query, expected) =>
  expect(tries(read({ DATABASE_URL: `postgres://u:p@db/w${query}` }))).toBe(expected),
);

test("libpq's variables count where the URL says nothing", () => {
  const DATABASE_URL = 'postgres://u:p@db/w';
  expect(tries(read({ DATABASE_URL, PGSSLMODE: 'verify-full', PGSSLROOTCERT: 'ca.pem' }))).toBe('full');
  expect(tries(read({ DATABASE_URL: `${DATABASE_URL}?sslmode=disable`, PGSSLMODE: 'require' }))).toBe('-');
  expect(read({ DATABASE_URL, PGTARGETSESSIONATTRS: 'read-write' }).wants).toBe('writes');
});

test.each([
  [{ PGSSLMODE: 'full' }, /^PGSSLMODE counts for DATABASE_URL, which has an sslmode that is not known; it must be one of disable,/],
  [
    { PGSSLROOTCERT: 'no.pem', PGSSLMODE: 'verify-ca' },
    /^PGSSLROOTCERT counts for DATABASE_URL, which has sslrootcert=\S*no\.pem, a file that cannot be read$/,
  ],
  [
    { PGSSLROOTCERT: 'garbage.pem', PGSSLMODE: 'verify-ca' },
    /^PGSSLROOTCERT counts for DATABASE_URL, which has sslrootcert=\S*, a file that is no PEM$/,
  ],
  [{ PGSSLROOTCERT: 'system', PGSSLMODE: 'require' }, /^PGSSLROOTCERT counts for DATABASE_URL, which has sslrootcert=system, which needs/],
  [{ PGSSLCERT: 'no.pem' }, /^PGSSLCERT counts for DATABASE_URL, which has sslcert=/],
  [{ PGSSLKEY: 'no.pem' }, /^PGSSLKEY counts for DATABASE_URL, which has sslkey=/],
  [{ PGTARGETSESSIONATTRS: 'rw' }, /^PGTARGETSESSIONATTRS counts for DATABASE_URL, which has a target_session_attrs that is not known/],
])('what is wrong with %j names that variable', (environment, message) => {
  const faults = (() => {
    try {
      return [String(read({ DATABASE_URL: 'postgres://u:p@db/w', ...(environment as unknown as Record<string, string>) }))];
    } catch (error) {
      return (error as { faults: string[] }).faults;
    }
  })();
  expect(faults).toEqual([expect.stringMatching(message)]);
});

test('of several servers the one that takes writes is meant, unless another is asked for', () => {
  expect(read({ DATABASE_URL: 'postgres://a,b/w' }).wants).toBe('writes');
  expect(read({ DATABASE_URL: 'postgres://a,b/w?target_session_attrs=any' }).wants).toBe('any');
});

test.each([
  ['a slash', 'postgres://u:hun/ter2@db/w', /^DATABASE_URL cannot be read: percent-encode/],
  ['a hash', 'postgres://u:hun#ter2@db/w', /^DATABASE_URL cannot be read: percent-encode/],
  ['a question mark', 'postgres://u:hun?ter2@db/w', /^DATABASE_URL cannot be read: percent-encode/],
  ['a percent sign', 'postgres://u:hunter2%@db/w', /^DATABASE_URL cannot be read: percent-encode/],
  ['an at sign and a slash', 'postgres://u:hun@t/er2@db/w', /^DATABASE_URL cannot be read: percent-encode/],
  ['a blank', 'postgres://u:hun ter2@db/w', /^DATABASE_URL cannot be read: percent-encode/],
  ['a port that is none', 'postgres://u:hunter2@db:port/w', /^DATABASE_URL cannot be read/],
  ['another scheme', 'mysql://u:hunter2@db/w', /^DATABASE_URL must be a URL starting with postgres:\/\//],
  [
    'an sslmode that is none',
    'postgres://u:hunter2@db/w?sslmode=full',
    /^DATABASE_URL has an sslmode that is not known; it must be one of disable,/,
  ],
  [
    'attributes that are none',
    'postgres://u:hunter2@a,b/w?target_session_attrs=rw',
    /^DATABASE_URL has a target_session_attrs that is not known/,
  ],
  [
    'a missing file',
    'postgres://u:hunter2@db/w?sslmode=verify-ca&sslrootcert=no.pem',
    /^DATABASE_URL has sslrootcert=\S*no\.pem, a file that cannot be read$/,
  ],
  ['a weak system', 'postgres://u:hunter2@db/w?sslmode=require&sslrootcert=system', /needs sslmode=verify-full/],
])('%s is refused, without the password', (_, url, message) => {
  const fault = (() => {
    try {
      return String(read({ DATABASE_URL: url }));
    } catch (error) {
      return (error as Error & { faults: string[] }).faults.join('\n');
    }
  })();
  expect(fault).toMatch(message);
  expect(fault).not.toMatch(/hun|ter2/);
});

test.each([
  ['sslmod=require', 'a parameter "sslmod", which is not known'],
  ['schema=My-Schema', 'a schema with other characters than a-z, 0-9 and _'],
  ['sslmode=verify-full&sslrootcert=garbage.pem', 'a file that is no PEM'],
])('?%s is refused before anything is done', (query, fault) =>
  expect(() => read({ DATABASE_URL: `postgres://u:p@db/w?${query}` })).toThrow(fault),
);

test('a client certificate and a key that is not its own are refused; new files of the same names are a change that is taken', () => {
  const [one, other] = ['one', 'other'].map((name) => {
    const at = join(directory, name);
    mkdirSync(at);
    return selfSigned(at, name, 'DNS:weir');
  }) as [{ cert: string; key: string }, { cert: string; key: string }];
  const url = `postgres://u@db/w?sslmode=require&sslcert=${one.cert}&sslkey=${one.key}`;
  const before = readConfig({ DATABASE_URL: url, DATABASE_DIRECT_URL: url }, directory);
  const direct = url.replace(one.key, other.key);
  expect(() => readConfig({ DATABASE_URL: url, DATABASE_DIRECT_URL: direct }, directory)).toThrow(
    /DATABASE_DIRECT_URL has sslkey=.*other.*, which is not the key of sslcert=/,
  );
  for (const file of ['cert', 'key'] as const) copyFileSync(other[file], one[file]);
  const after = readConfig({ DATABASE_URL: url, DATABASE_DIRECT_URL: url }, directory);
  expect(differences(before, after)).toEqual({ taken: ['DATABASE_URL', 'DATABASE_DIRECT_URL'], waiting: [] });
});
