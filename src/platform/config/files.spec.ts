import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '../../../test/support/certificate.js';
import { ConfigError, readConfig } from './index.js';

let home: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'weir-config-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const KEY = 'a master key of at least 32 characters';
const file = (name: string, bytes: string | Buffer) => {
  writeFileSync(join(home, name), bytes);
  return join(home, name);
};
const read = (environment: Record<string, string> = {}) => readConfig(environment, home);
function faults(environment: Record<string, string> = {}): string[] {
  try {
    read(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}

describe('the file .env', () => {
  const TEXT = `DATABASE_URL=postgres://u:p@db/w\nWEIR_MASTER_KEY="${KEY}"\n`;

  test.each([
    ['plain', Buffer.from(TEXT)],
    ['with a byte-order mark', Buffer.from(`\ufeff${TEXT}`)],
    ['with line ends of Windows', Buffer.from(TEXT.replaceAll('\n', '\r\n'))],
    ['with a mark and line ends of Windows', Buffer.from(`\ufeff${TEXT.replaceAll('\n', '\r\n')}`)],
    ['in UTF-16, as PowerShell writes', Buffer.from(`\ufeff${TEXT}`, 'utf16le')],
    ['in UTF-16, high bytes first', Buffer.from(`\ufeff${TEXT}`, 'utf16le').swap16()],
    ['with export, comments and blank lines', Buffer.from(`# Weir\n\n${TEXT.replace(/^/gm, 'export ').replace(/export $/, '')}`)],
    ['with blanks around the sign', Buffer.from(TEXT.replaceAll(/^(\w+)=/gm, '$1 = '))],
    ['without a last line end', Buffer.from(TEXT.trimEnd())],
  ])('is read %s', (_name, bytes) => {
    file('.env', bytes);
    const { databaseUrl, masterKey } = read();
    expect({ databaseUrl, masterKey }).toEqual({ databaseUrl: 'postgres://u:p@db/w', masterKey: KEY });
  });

  test('a value in quotes may have several lines', () => {
    file('.env', `OPENAI_API_KEY="-----BEGIN\nx=1\nEND-----"\nWEIR_PUBLIC_PORT=1\n`);
    expect(read().public.port).toBe(1);
    expect(read().environment().variable('OPENAI_API_KEY')).toBe('-----BEGIN\nx=1\nEND-----');
  });

  test.each([
    [
      'a line that says nothing',
      'WEIR_PUBLIC_PORT=1\nDATABASE_URL postgres://secret\n',
      [expect.stringMatching(/\.env, line 2: it must be NAME=value/)],
    ],
    ['a name that begins with a digit', '1A=b', [expect.stringContaining('line 1')]],
    ['bytes of another encoding', Buffer.from([0x41, 0x3d, 0xe9, 0x0a]), [expect.stringContaining('is not written in UTF-8')]],
    ['UTF-16 without a mark', Buffer.from('A=b\n', 'utf16le'), [expect.stringContaining('is not written in UTF-8')]],
  ])('%s is a fault that shows no value', (_name, bytes, expected) => {
    file('.env', bytes);
    expect(faults()).toEqual(expected);
    expect(faults().join()).not.toContain('secret');
  });

  test('an empty DATABASE_URL is a fault, not another database', () => {
    expect(faults({ DATABASE_URL: '' })).toEqual([expect.stringMatching(/^DATABASE_URL is empty/)]);
  });
});

describe('secrets in files', () => {
  test.each([
    ['DATABASE_URL', 'databaseUrl', 'postgres://u:p@db/w'],
    ['WEIR_MASTER_KEY', 'masterKey', KEY],
    ['WEIR_MASTER_KEY_PREVIOUS', 'previousMasterKey', KEY],
  ] as const)('%s_FILE', (name, field, value) => {
    for (const end of ['', '\n', '\r\n']) expect(read({ [`${name}_FILE`]: file('secret', value + end) })[field]).toBe(value);
    expect(faults({ [`${name}_FILE`]: join(home, 'none') })).toEqual([
      expect.stringMatching(new RegExp(`^${name}_FILE names a file that cannot be read`)),
    ]);
    expect(faults({ [`${name}_FILE`]: file('secret', value), [name]: value })).toEqual([
      `${name} and ${name}_FILE are both set; set one of them`,
    ]);
  });

  test.each([
    'DATABASE_URL',
    'DATABASE_DIRECT_URL',
    'REDIS_URL',
    'REDIS_PASSWORD',
    'REDIS_SENTINEL_PASSWORD',
    'WEIR_MASTER_KEY',
    'WEIR_MASTER_KEY_PREVIOUS',
    'WEIR_EGRESS_PROXY',
    'WEIR_SMTP_URL',
  ])('%s_FILE that names an empty file is a fault, not a default', (name) => {
    for (const text of ['', '\n', '\r\n', ' \n'])
      expect(faults({ [`${name}_FILE`]: file('empty', text) })).toEqual([
        `${name}_FILE names a file with nothing in it: ${join(home, 'empty')}; write the secret into it`,
      ]);
  });

  test('an empty DATABASE_URL_FILE is a fault, not another database', () => {
    expect(faults({ DATABASE_URL_FILE: '' })).toEqual([expect.stringMatching(/^DATABASE_URL_FILE is empty/)]);
  });

  test('a vendor’s key in an empty file is a fault', () => {
    const { variable } = read({ OPENAI_API_KEY_FILE: file('key', '\n') }).environment();
    expect(() => variable('OPENAI_API_KEY')).toThrow(/^OPENAI_API_KEY_FILE names a file with nothing in it/);
  });

  test('a vendor’s key', () => {
    expect(
      read({ OPENAI_API_KEY_FILE: file('key', 'sk-1\n') })
        .environment()
        .variable('OPENAI_API_KEY'),
    ).toBe('sk-1');
  });

  test('a master key is one without what its file or its line adds', () => {
    for (const given of [`${KEY}\n`, ` ${KEY} `]) expect(read({ WEIR_MASTER_KEY: given }).masterKey).toBe(KEY);
    expect(faults({ WEIR_MASTER_KEY: `"${KEY}"` })).toEqual([expect.stringContaining('leave them out')]);
  });
});

describe('variables that Kubernetes sets for a Service', () => {
  const links = (name: string) => ({
    [`${name}_SERVICE_HOST`]: '10.0.0.1',
    [`${name}_SERVICE_PORT`]: '8080',
    [`${name}_SERVICE_PORT_HTTP`]: '8080',
    [`${name}_PORT`]: 'tcp://10.0.0.1:8080',
    [`${name}_PORT_8080_TCP`]: 'tcp://10.0.0.1:8080',
    [`${name}_PORT_8080_TCP_PROTO`]: 'tcp',
    [`${name}_PORT_8080_TCP_PORT`]: '8080',
    [`${name}_PORT_8080_TCP_ADDR`]: '10.0.0.1',
    [`${name}_PORT_53_UDP`]: 'udp://10.0.0.1:53',
  });

  test.each(['WEIR', 'WEIR_PUBLIC', 'WEIR_ADMIN', 'WEIR_GATEWAY', 'WEIR_CONTROL_HEADLESS', 'DATABASE_URL', 'REDIS'])(
    'named %s are passed over',
    (name) => {
      expect(faults(links(name))).toEqual([]);
      expect(read(links(name)).public.port).toBe(8080);
    },
  );

  test('others that begin with WEIR_ are still faults', () => {
    expect(faults({ WEIR_PUBLIC_PROT: '1' })).toEqual([expect.stringContaining('WEIR_PUBLIC_PROT is not a variable of Weir')]);
  });
});

describe('faults name their variable and the remedy', () => {
  const other = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const pair = (certificate: string | Buffer, of: string | Buffer) => ({
    WEIR_TLS_CERT: file('cert.pem', certificate),
    WEIR_TLS_KEY: file('key.pem', of),
  });

  test.each([
    ['a password with a slash', { DATABASE_URL: 'postgres://u:p/s@db/w' }, /^DATABASE_URL cannot be read: percent-encode/],
    ['a password with a hash', { DATABASE_URL: 'postgres://u:p#s@db/w' }, /^DATABASE_URL cannot be read: percent-encode/],
    ['a password with a percent sign', { DATABASE_URL: 'postgres://u:p%s@db/w' }, /^DATABASE_URL cannot be read: percent-encode/],
    ['a password with an at sign and a slash', { DATABASE_URL: 'postgres://u:p@s/s@db/w' }, /^DATABASE_URL cannot be read: percent-encode/],
    ['another scheme', { DATABASE_URL: 'mysql://db/w' }, /^DATABASE_URL must be a URL starting with postgres:\/\//],
    ['a level that is none', { WEIR_LOG_LEVEL: 'trace' }, /^WEIR_LOG_LEVEL must be one of debug, info, warn, error, silent$/],
  ])('%s', (_name, environment, expected) => {
    expect(faults(environment as unknown as Record<string, string>)).toEqual([expect.stringMatching(expected)]);
  });

  test('certificates and keys', () => {
    const made = selfSigned(home, 'own', 'DNS:localhost');
    const [cert, key] = [readFileSync(made.cert), readFileSync(made.key)];
    expect(faults(pair(cert, key))).toEqual([]);
    expect(faults(pair('none', key))).toEqual([expect.stringMatching(/^WEIR_TLS_CERT is no certificate in PEM/)]);
    expect(faults(pair(cert, 'none'))).toEqual([expect.stringMatching(/^WEIR_TLS_KEY is no private key in PEM/)]);
    expect(faults(pair(cert, other.privateKey))).toEqual([expect.stringMatching(/^WEIR_TLS_KEY is not the key of the certificate/)]);
  });
});
