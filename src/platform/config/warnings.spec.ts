import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, readConfig } from './index.js';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-warnings-'));
  writeFileSync(join(directory, 'google.json'), '{}');
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const warnings = (environment: Record<string, string>) => readConfig(environment, directory).warnings;
function faults(environment: Record<string, string>): readonly string[] {
  try {
    readConfig(environment, directory);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

test.each([
  ['DATABSE_URL', 'DATABASE_URL'],
  ['DATABASE_URI', 'DATABASE_URL'],
  ['DATABASE_UR', 'DATABASE_URL'],
  ['database_url', 'DATABASE_URL'],
  ['DATABASE_DIRECT_ULR', 'DATABASE_DIRECT_URL'],
  ['DATABASE_URL_FIEL', 'DATABASE_URL_FILE'],
  ['REDIS_PASSWRD', 'REDIS_PASSWORD'],
  ['REDIS_PASWORD_FILE', 'REDIS_PASSWORD_FILE'],
  ['REDIS_URI', 'REDIS_URL'],
  ['REDIS_SENTINAL_PASSWORD', 'REDIS_SENTINEL_PASSWORD'],
  ['REDIS_PREFX', 'REDIS_PREFIX'],
  ['WIER_MASTER_KEY', 'WEIR_MASTER_KEY'],
  ['WEI_PUBLIC_PORT', 'WEIR_PUBLIC_PORT'],
])('%s is told to be not %s, and stops no start', (name, known) => {
  expect(warnings({ [name]: 'hunter2' })).toEqual([expect.stringContaining(`${name} is not read by Weir; did you mean ${known}?`)]);
  expect(warnings({ [name]: 'hunter2' }).join()).not.toContain('hunter2');
});

test.each([
  [{ REDIS_HOST: 'cache', REDIS_PORT: '6379', REDIS_DB: '0', DATABASE_HOST: 'db', DATABASE_NAME: 'w', DB_URL: 'x' }],
  [{ DATABASE_URL: 'postgres://u:p@db/w', REDIS_URL: 'redis://cache', REDIS_PASSWORD: 'p', REDIS_PREFIX: 'a' }],
  [{ REDIS_SERVICE_HOST: '10.0.0.1', REDIS_PORT: 'tcp://10.0.0.1:6379', REDIS_PORT_6379_TCP: 'tcp://10.0.0.1:6379' }],
  [{ REDIS_UR_SERVICE_HOST: '10.0.0.1', REDIS_UR_PORT: 'tcp://10.0.0.1:6379', WEIR_PORT: 'tcp://10.0.0.1:8080' }],
  [{ PATH: '/bin', HOME: '/', LANG: 'C', NODE_ENV: 'production', GOOGLE_APPLICATION_CREDENTIALS: 'google.json' }],
  [{ AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', NODE_EXTRA_CA_CERTS: '/ca.pem' }],
])('variables of other programs, and right ones, are not: %j', (environment) =>
  expect(warnings(environment as unknown as Record<string, string>)).toEqual([]),
);

test.each([
  'GOOGLE_APPLICATION_CREDENTIALS',
  'AWS_WEB_IDENTITY_TOKEN_FILE',
  'AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE',
  'AZURE_FEDERATED_TOKEN_FILE',
])('%s that names no file is told', (name) =>
  expect(warnings({ [name]: 'none.json' })).toEqual([
    `${name} names a file that cannot be read: none.json; mount the file, or take the variable away`,
  ]),
);

test('half a credential of AWS is told', () => {
  for (const [name, other] of [
    ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
    ['AWS_SECRET_ACCESS_KEY', 'AWS_ACCESS_KEY_ID'],
  ] as const)
    expect(warnings({ [name]: 'a' })).toEqual([`${name} is set without ${other}, and is of no use alone; set both or none`]);
});

test('NODE_EXTRA_CA_CERTS in a file is told to have no effect', () => {
  writeFileSync(join(directory, '.env'), 'NODE_EXTRA_CA_CERTS=/ca.pem\n');
  const found = warnings({});
  rmSync(join(directory, '.env'));
  expect(found).toEqual([expect.stringMatching(/^NODE_EXTRA_CA_CERTS in an \.env file has no effect.* environment of the process/)]);
});

test.each([
  ['WEIR_PUBLIC_PROT', 'WEIR_PUBLIC_PORT'],
  ['WEIR_MASTERKEY', 'WEIR_MASTER_KEY'],
  ['WEIR_MASTER_KEY_FIEL', 'WEIR_MASTER_KEY_FILE'],
  ['WEIR_LOGLEVEL', 'WEIR_LOG_LEVEL'],
])('%s is a fault that names %s', (name, known) =>
  expect(faults({ [name]: '1' })).toEqual([
    `${name} is not a variable of Weir; did you mean ${known}? See .env.example for those that are`,
  ]),
);

test('a name that is like none is a fault without a guess', () =>
  expect(faults({ WEIR_COLOR_OF_THE_SKY: 'blue' })).toEqual([
    'WEIR_COLOR_OF_THE_SKY is not a variable of Weir; see .env.example for those that are',
  ]));
