import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '../../../test/support/certificate.js';
import { ConfigError, readConfig } from './index.js';

let directory: string;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-faults-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function faults(environment: Record<string, string>): string[] {
  try {
    readConfig(environment, directory);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

/** Bad values of each variable that takes not any text. */
const BAD: Readonly<Record<string, string[]>> = {
  WEIR_ROLES: ['cook', 'gateway,cook', ','],
  WEIR_PUBLIC_PORT: ['eighty', '-1', '65536', '80.5', '8080/tcp', 'NaN', 'Infinity', '1e9'],
  WEIR_ADMIN_PORT: ['eighty', '99999999999999999999'],
  WEIR_ADMIN_URL: ['weir.example.com', 'http://weir.example.com', 'https://weir.example.com/admin', 'http://localhost.example.com'],
  WEIR_TRUSTED_PROXIES: ['proxy', '10.0.0.0/33', '10.0.0.0-10.0.0.9'],
  WEIR_MAX_CONNECTIONS: ['many', '1', '1000001', '10.5'],
  WEIR_MAX_CALLS: ['many', '0', '1000001', '10.5'],
  WEIR_MAX_LOOP_DELAY_MS: ['250ms', '0', '-1', '1.5'],
  WEIR_CLIENT_STALL_TIMEOUT_MS: ['5s', '0', '-1', '1.5', '86400001'],
  WEIR_KEEP_ALIVE_TIMEOUT_MS: ['65s', '0'],
  WEIR_DRAIN_DELAY_MS: ['soon', '-1'],
  WEIR_DRAIN_TIMEOUT_MS: ['30s', '0'],
  WEIR_CONNECT_TIMEOUT_MS: ['5s'],
  WEIR_FIRST_BYTE_TIMEOUT_MS: ['5s'],
  WEIR_PROGRESS_TIMEOUT_MS: ['5s'],
  WEIR_TOTAL_TIMEOUT_MS: ['5s'],
  WEIR_LEDGER_TIMEOUT_MS: ['5s'],
  WEIR_MASTER_KEY: ['short', `"${'a'.repeat(40)}"`],
  WEIR_MASTER_KEY_PREVIOUS: ['short'],
  WEIR_EGRESS_ALLOW: ['host', 'host:http', 'https://host:443', '10.0.0.0/40:443'],
  WEIR_EGRESS_PROXY: ['proxy:3128', 'https://proxy:3128', 'http://u:p@s@proxy:1'],
  WEIR_SMTP_URL: ['mail', 'http://mail:25', 'smtp://u:p@s@mail', 'smtp://mail:port'],
  WEIR_SMTP_FROM: ['nobody', 'a@b\nBcc: c@d'],
  WEIR_DEMO: ['true', 'yes'],
  WEIR_MOCK: ['on'],
  WEIR_LOG_LEVEL: ['trace', 'INFO'],
  WEIR_RETRIES: ['-1', '6', 'twice'],
  WEIR_BREAKER_FAILURES: ['-1', '1001', 'five'],
  WEIR_AUDIT_LOG_MONTHS: ['12', '13.5', 'none', '100000'],
  WEIR_RETENTION_MONTHS: ['2', '3.5', 'none', '100000'],
  WEIR_MAX_BUDGETS: ['0', 'many', '1000001'],
  WEIR_MODEL_RULES: ['no-such-file'],
  WEIR_CONNECTIONS: [
    '{',
    '[]',
    '"x"',
    'null',
    '{"other": {}}',
    '{"copilot": {"client_id": 5}}',
    '{"copilot": {"client_id": "a", "more": 1}}',
    '{"copilot": "x"}',
  ],
  WEIR_INSTANCE_IDENTITY: ['gcp'],
  WEIR_CRASH: ['nowhere'],
  DATABASE_URL: ['mysql://db/w', 'db:5432', 'postgres://u:p/s@db/w'],
  REDIS_URL: ['cache:6379', 'http://cache', 'redis://a,b/1', 'redis-sentinel://a'],
  WEIR_TLS_CERT: ['no-such-file', ''],
  WEIR_TLS_KEY: ['no-such-file'],
};

const ALL = Object.entries(BAD).flatMap(([name, values]) => values.filter(Boolean).map((value) => [name, value] as const));
/** Words of libraries and of Node. */
const RAW = /Invalid|expected|Unrecognized|Too (?:big|small)|undefined|NaN|ENOENT|EACCES|error:|at .*\.js|\[object|Unexpected token/;

test.each(ALL)('%s=%s is told in our own words, with the name first and what it must be', (name, value) => {
  const found = faults({ [name]: value });
  expect(found.length).toBeGreaterThan(0);
  for (const fault of found) {
    expect(fault).toMatch(/^[A-Z_]+\b.* (must|is|has|needs|names|cannot|may|no)\b/);
    expect(fault).toContain(name.replace(/_(CERT|KEY)$/, ''));
    expect(fault).not.toMatch(RAW);
  }
});

test('all faults are told together: of values, of files, of certificates, of Redis, and of names that are none', () => {
  const { cert } = selfSigned(directory, 'own', 'DNS:own');
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  writeFileSync(join(directory, 'other.pem'), other);
  writeFileSync(join(directory, '.env'), 'nonsense\nWEIR_DEMO=maybe\n');
  const found = faults({
    WEIR_PUBLIC_PORT: 'eighty',
    WEIR_PUBLIC_PROT: '1',
    WEIR_MASTER_KEY_FILE: 'no-such-file',
    WEIR_TLS_CERT: cert,
    WEIR_TLS_KEY: 'other.pem',
    WEIR_MODEL_RULES: 'no-such-file',
    REDIS_URL: 'rediss://cache',
    REDIS_TLS_CA: 'no-such-file',
    DATABASE_URL: '',
  });
  rmSync(join(directory, '.env'));
  const about = [
    '.env, line 1',
    'WEIR_DEMO',
    // Its fault also names the one that is meant.
    'WEIR_PUBLIC_PROT',
    'WEIR_PUBLIC_PORT',
    'WEIR_MASTER_KEY_FILE',
    'WEIR_TLS_KEY',
    'WEIR_MODEL_RULES',
    'REDIS_TLS_CA',
    'DATABASE_URL',
  ];
  expect(found.map((fault) => about.find((word) => fault.includes(word))).sort()).toEqual(about.sort());
});

test('a certificate that TLS would refuse later is refused at the start, in our own words', () => {
  const weak = selfSigned(directory, 'weak', 'DNS:weak', 'rsa:512');
  expect(faults({ WEIR_TLS_CERT: weak.cert, WEIR_TLS_KEY: weak.key })).toEqual([
    expect.stringMatching(/^WEIR_TLS_CERT and WEIR_TLS_KEY are too weak/),
  ]);
  const encrypted = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  });
  writeFileSync(join(directory, 'encrypted.pem'), encrypted);
  const { cert } = selfSigned(directory, 'own', 'DNS:own');
  expect(readFileSync(cert).length).toBeGreaterThan(0);
  expect(faults({ WEIR_TLS_CERT: cert, WEIR_TLS_KEY: 'encrypted.pem' })).toEqual([
    expect.stringMatching(/^WEIR_TLS_KEY is no private key in PEM without a passphrase/),
  ]);
});
