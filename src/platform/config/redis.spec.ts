import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '../../../test/support/certificate.js';
import { ConfigError, readConfig } from './index.js';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'weir-redis-config-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const read = (environment: Record<string, string>) => readConfig(environment, directory).redis!;
function faults(environment: Record<string, string>): string[] {
  try {
    read(environment);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
  return [];
}
const shown = (environment: Record<string, string>) => {
  const { hosts, password, sentinelPassword, ...rest } = read(environment);
  const passwords = { password: password?.reveal() ?? null, sentinelPassword: sentinelPassword?.reveal() ?? null };
  return { hosts: hosts.map(({ host, port }) => `${host}|${port}`), ...passwords, ...rest };
};

const PLAIN = {
  master: null,
  database: 0,
  username: null,
  password: null,
  sentinelUsername: null,
  sentinelPassword: null,
  tls: null,
  prefix: '',
};
const TLS = { ca: null, pair: null };

test.each([
  ['redis://cache', { ...PLAIN, hosts: ['cache|6379'] }],
  ['redis://cache:7000/', { ...PLAIN, hosts: ['cache|7000'] }],
  ['redis://cache.example:7000/3', { ...PLAIN, hosts: ['cache.example|7000'], database: 3 }],
  ['redis://a:1,b,[::1]:2', { ...PLAIN, hosts: ['a|1', 'b|6379', '::1|2'] }],
  ['redis://[fd00::1]:7000', { ...PLAIN, hosts: ['fd00::1|7000'] }],
  ['redis://[fd00::1]', { ...PLAIN, hosts: ['fd00::1|6379'] }],
  ['redis://:p%40s%2Fs@cache', { ...PLAIN, hosts: ['cache|6379'], password: 'p@s/s' }],
  ['redis://weir:pass@cache', { ...PLAIN, hosts: ['cache|6379'], username: 'weir', password: 'pass' }],
  ['redis://weir@cache', { ...PLAIN, hosts: ['cache|6379'], username: 'weir' }],
  ['redis://cache?family=0', { ...PLAIN, hosts: ['cache|6379'] }],
  ['rediss://cache', { ...PLAIN, hosts: ['cache|6379'], tls: TLS }],
  ['redis-sentinel://a?master=m', { ...PLAIN, hosts: ['a|26379'], master: 'm' }],
  [
    'rediss-sentinel://weir:pass@a:1,b,[::1]:2/5?master=m&sentinel_username=s',
    {
      ...PLAIN,
      hosts: ['a|1', 'b|26379', '::1|2'],
      database: 5,
      master: 'm',
      username: 'weir',
      password: 'pass',
      sentinelUsername: 's',
      tls: TLS,
    },
  ],
])('%s is read', (url, expected) => expect(shown({ REDIS_URL: url })).toEqual(expected));

test.each(['REDIS_PASSWORD', 'REDIS_SENTINEL_PASSWORD'])('%s may hold any character, and lie in a file', (name) => {
  const url = 'redis-sentinel://weir@a?master=m';
  const field = name === 'REDIS_PASSWORD' ? 'password' : 'sentinelPassword';
  writeFileSync(join(directory, 'secret'), 'p@:/?#% \n');
  for (const given of [{ [name]: 'p@:/?#% ' }, { [`${name}_FILE`]: 'secret' }])
    expect(shown({ REDIS_URL: url, ...given } as Record<string, string>)[field]).toBe('p@:/?#% ');
});

test('certificates are read from files, and the prefix as it is', () => {
  const { cert, key } = selfSigned(directory, 'cache', 'DNS:cache');
  const files = { REDIS_TLS_CA: cert, REDIS_TLS_CERT: cert, REDIS_TLS_KEY: key };
  const pem = { cert: readFileSync(cert), key: readFileSync(key) };
  expect(read({ REDIS_URL: 'rediss://cache', REDIS_PREFIX: 'team-a:', ...files })).toMatchObject({
    prefix: 'team-a:',
    tls: { ca: pem.cert, pair: pem },
  });
});

test.each([
  [
    'another scheme',
    { REDIS_URL: 'http://hunter2' },
    /^REDIS_URL must be a URL starting with redis:\/\/, rediss:\/\/, redis-sentinel:\/\/, rediss/,
  ],
  ['no scheme', { REDIS_URL: 'hunter2:6379' }, /^REDIS_URL must be a URL/],
  ['no host', { REDIS_URL: 'redis://:hunter2@' }, /^REDIS_URL cannot be read: percent-encode/],
  ['a slash in the password', { REDIS_URL: 'redis://:hun/ter2@cache' }, /^REDIS_URL cannot be read: percent-encode/],
  ['a hash in the password', { REDIS_URL: 'redis://:hun#ter2@cache' }, /^REDIS_URL cannot be read: percent-encode/],
  ['an at sign in the password', { REDIS_URL: 'redis://:hun@ter2@cache' }, /^REDIS_URL cannot be read: percent-encode/],
  ['a percent sign in the password', { REDIS_URL: 'redis://:hunter2%@cache' }, /^REDIS_URL cannot be read: percent-encode/],
  ['a blank', { REDIS_URL: 'redis://:hunter 2@cache' }, /^REDIS_URL cannot be read: percent-encode/],
  ['a port that is none', { REDIS_URL: 'redis://cache:99999' }, /^REDIS_URL must name each host as/],
  ['an IPv6 address without brackets', { REDIS_URL: 'redis://fd00::1' }, /^REDIS_URL must name each host as/],
  ['a database that is no number', { REDIS_URL: 'redis://cache/weir' }, /^REDIS_URL cannot be read/],
  [
    'a database of a cluster',
    { REDIS_URL: 'redis://a,b/3' },
    /^REDIS_URL names several hosts, so it is a cluster, which has database 0 only/,
  ],
  [
    'a master without sentinels, of several hosts',
    { REDIS_URL: 'redis://a,b?master=m' },
    /^REDIS_URL has a parameter that is not known: master$/,
  ],
  ['sentinels without a master', { REDIS_URL: 'redis-sentinel://a,b' }, /^REDIS_URL needs \?master=name/],
  ['a parameter that is not known', { REDIS_URL: 'redis://cache?tls=true' }, /^REDIS_URL has a parameter that is not known: tls$/],
  ['a master without sentinels', { REDIS_URL: 'redis://cache?master=m' }, /^REDIS_URL has a parameter that is not known: master$/],
  [
    'two passwords',
    { REDIS_URL: 'redis://:hunter2@cache', REDIS_PASSWORD: 'hunter2' },
    /^REDIS_PASSWORD is set, and REDIS_URL has a password too/,
  ],
  [
    'a password for sentinels that are not there',
    { REDIS_URL: 'redis://cache', REDIS_SENTINEL_PASSWORD: 'hunter2' },
    /^REDIS_SENTINEL_PASSWORD is set, and/,
  ],
  [
    'an authority without TLS',
    { REDIS_URL: 'redis://cache', REDIS_TLS_CA: 'ca.pem' },
    /^REDIS_TLS_CA is set, and REDIS_URL is without TLS/,
  ],
  [
    'an authority that is not there',
    { REDIS_URL: 'rediss://cache', REDIS_TLS_CA: 'ca.pem' },
    /^REDIS_TLS_CA names a file that cannot be read: ca.pem$/,
  ],
  [
    'a certificate without its key',
    { REDIS_URL: 'rediss://cache', REDIS_TLS_CERT: 'c.pem' },
    /^REDIS_TLS_CERT and REDIS_TLS_KEY must be set together$/,
  ],
  ['a prefix with braces', { REDIS_URL: 'redis://cache', REDIS_PREFIX: '{a}' }, /^REDIS_PREFIX must have/],
])('%s is one fault that says what to do and shows no secret', (_name, environment, expected) => {
  const found = faults(environment as Record<string, string>);
  expect(found).toEqual([expect.stringMatching(expected)]);
  expect(found.join()).not.toMatch(/hun|ter2/);
});

test('without REDIS_URL there is none, whatever else is set', () => {
  expect(readConfig({ REDIS_PASSWORD: 'p' }, directory).redis).toBeNull();
});
