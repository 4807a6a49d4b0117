import { createHmac, generateKeyPairSync, verify } from 'node:crypto';
import { tokenIn } from './access-token.js';
import { regionOf } from './aws.js';
import { serviceAccountAssertion, vertexAddress } from './google.js';
import { freshMsUntil, TokenCache } from './token-cache.js';
import { zhipuAuth } from './zhipu.js';

const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
const REQUEST = { origin: 'https://api.example.com', path: '/', headers: [], body: '' };

describe('a key of Zhipu', () => {
  const at = (nowMs: () => number, key = 'the-id.the-secret') => {
    const auth = zhipuAuth(key, nowMs);
    return () => (auth.headersFor(REQUEST) as string[])[1]!.replace('Bearer ', '');
  };

  test('is shown as a token of its own form, signed with its second half', () => {
    const [header, claims, signature] = at(() => 1_700_000_000_123)().split('.') as [string, string, string];
    expect(decode(header)).toEqual({ alg: 'HS256', sign_type: 'SIGN' });
    expect(decode(claims)).toEqual({ api_key: 'the-id', exp: 1_700_000_210_123, timestamp: 1_700_000_000_123 });
    expect(signature).toBe(createHmac('sha256', 'the-secret').update(`${header}.${claims}`).digest('base64url'));
  });

  test('makes one token for three minutes, and then another; also when the clock is set back', () => {
    let now = 1_700_000_000_000;
    const token = at(() => now);
    const first = token();
    now += 179_999;
    expect(token()).toBe(first);
    now += 1;
    const second = token();
    expect(second).not.toBe(first);
    now -= 1_000_000;
    expect(token()).not.toBe(second);
  });

  test.each(['plain-key', 'two.dots.here', '.x', 'x.'])('%s is shown as it is', (key) => {
    expect(at(Date.now, key)()).toBe(key);
  });
});

test('a service account signs an assertion that its public key verifies', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const credential = {
    type: 'service_account' as const,
    project_id: 'p',
    client_email: 'weir@p.iam.gserviceaccount.com',
    private_key: '',
    private_key_id: 'k1',
  };
  const assertion = await serviceAccountAssertion(credential, privateKey, 1_700_000_000_999);
  const [header, claims, signature] = assertion.split('.') as [string, string, string];
  expect(decode(header)).toEqual({ alg: 'RS256', typ: 'JWT', kid: 'k1' });
  expect(decode(claims)).toEqual({
    iss: 'weir@p.iam.gserviceaccount.com',
    scope: 'https://www.googleapis.com/auth/cloud-platform',
    aud: 'https://oauth2.googleapis.com/token',
    iat: 1_700_000_000,
    exp: 1_700_003_600,
  });
  expect(verify('sha256', Buffer.from(`${header}.${claims}`), publicKey, Buffer.from(signature, 'base64url'))).toBe(true);
});

test('Vertex has a host for each location, one for several regions, and one for all of them', () => {
  expect(vertexAddress('p', 'europe-west4')).toBe('https://europe-west4-aiplatform.googleapis.com/v1/projects/p/locations/europe-west4');
  expect(vertexAddress('p')).toBe('https://aiplatform.googleapis.com/v1/projects/p/locations/global');
  expect(vertexAddress('p', 'eu')).toBe('https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu');
});

test.each([
  ['bedrock-runtime.us-east-1.amazonaws.com', 'us-east-1'],
  ['bedrock-runtime-fips.us-gov-west-1.amazonaws.com', 'us-gov-west-1'],
  ['vpce-0a-b.bedrock-runtime.eu-central-1.vpce.amazonaws.com', 'eu-central-1'],
  ['bedrock.example.com', null],
  ['127.0.0.1:80', null],
])('the host %s tells the region %s', (host, region) => {
  expect(regionOf(host)).toBe(region);
});

describe('a token', () => {
  const seconds = (answer: object) => Math.round(tokenIn(JSON.stringify({ access_token: 't', ...answer })).freshMs / 1_000);

  test('is used until five minutes before it expires, however its server says when that is', () => {
    expect(seconds({ expires_in: 3_600 })).toBe(3_300);
    expect(seconds({ expires_in: '3600' })).toBe(3_300);
    expect(seconds({ expires_on: String(Math.round(Date.now() / 1_000) + 3_600) })).toBe(3_300);
    expect(seconds({ expires_in: 60 })).toBe(30);
    expect(seconds({ expires_in: 1e9 })).toBe(86_100);
  });

  test('whose end is unknown or past is asked for again soon', () => {
    for (const answer of [{}, { expires_in: 'soon' }, { expires_on: 'tomorrow' }, { expires_in: -1 }]) expect(seconds(answer)).toBe(150);
    expect(freshMsUntil(Number.NaN)).toBe(150_000);
  });
});

describe('what is fetched', () => {
  test('is fetched once for all who ask at once, and again when it was refused', async () => {
    let fetched = 0;
    const cache = new TokenCache(async () => ({ value: { number: ++fetched }, freshMs: 60_000 }));
    const held = await Promise.all(Array.from({ length: 32 }, async () => cache.get()));
    expect(new Set(held)).toEqual(new Set([{ number: 1 }]));
    expect(cache.get()).toBe(held[0]);
    cache.drop(held[0]!);
    expect(await cache.get()).toEqual({ number: 2 });
    cache.drop(held[0]!);
    expect(cache.get()).toEqual({ number: 2 });
  });

  test('is not asked for again at once when it could not be had', async () => {
    let asked = 0;
    const cache = new TokenCache<object>(() => Promise.reject(new Error(`refused ${++asked}`)));
    for (let call = 0; call < 3; call++) await expect(cache.get()).rejects.toThrow('refused 1');
    expect(asked).toBe(1);
  });

  test('is fetched again once it is stale', async () => {
    let fetched = 0;
    const cache = new TokenCache(async () => ({ value: { number: ++fetched }, freshMs: 0 }));
    expect(await cache.get()).toEqual({ number: 1 });
    expect(await cache.get()).toEqual({ number: 2 });
  });
});
