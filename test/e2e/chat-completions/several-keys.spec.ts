import { brokenInvariants } from '../../support/ledger.js';
import { answer, delta, json, type Script, stream as streamOf } from '../../support/upstream.js';
import { createTenant, eventually, type TestTenant } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, upstream } = withWeir({ tenant: 'none' });
let tenant: TestTenant;
let provider: { id: string; keys: Key[] };
/** What the provider says to each key; an answer to those that are not here. */
let says: Record<string, Script>;

interface Key {
  id: string;
  last4: string | null;
  health: string;
  ready_at: number | null;
}

const KEYS = ['sk-several-keys-aaaa', 'sk-several-keys-bbbb', 'sk-several-keys-cccc'];
const [A, B, C] = KEYS as [string, string, string];
const shown = (index: number) => String(upstream.calls[index]!.headers['authorization']).replace('Bearer ', '');
const limited = (retryAfter?: string) =>
  json(429, { error: { message: 'slow down', type: 'requests', code: 'rate_limit' } }, retryAfter ? { 'retry-after': retryAfter } : {});
const refused = (status: number) => json(status, { error: { message: 'no', type: 'invalid_request_error', code: 'invalid_api_key' } });

beforeEach(async () => {
  says = {};
  upstream.script = (call, response) => (says[String(call.headers['authorization']).replace('Bearer ', '')] ?? answer())(call, response);
  tenant = await createTenant(weir);
  provider = await tenant.admin('POST', '/v1/organization/providers', {
    name: 'up',
    type: 'openai',
    base_url: upstream.baseUrl,
    keys: KEYS,
    models: ['test-model'],
  });
  await eventually(async () => (await tenant.openai.models.list()).data.length > 0);
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

const read = () => tenant.admin<{ keys: Key[] }>('GET', `/v1/organization/providers/${provider.id}`);

/** Makes a call; answers the key it showed and how it went. */
async function call(headers: Record<string, string> = {}) {
  const before = upstream.calls.length;
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100 }),
  });
  const body = (await response.json()) as { error?: { code: string; message: string } };
  return {
    key: shown(before),
    status: response.status,
    code: body.error?.code,
    message: body.error?.message,
    retryAfter: response.headers.get('retry-after'),
    retry: response.headers.get('x-should-retry'),
  };
}

const keysOf = async (count: number) => {
  const keys = [];
  for (let i = 0; i < count; i++) keys.push((await call()).key);
  return keys;
};

test('keys are used in turn, and of each only its last four and its health are shown', async () => {
  const keys = await keysOf(6);
  expect(keys.slice(0, 3).sort()).toEqual(KEYS);
  expect(keys.slice(3)).toEqual(keys.slice(0, 3));
  expect((await read()).keys).toEqual(
    ['aaaa', 'bbbb', 'cccc'].map((last4) => ({
      id: expect.stringMatching(/^cred_/),
      object: 'provider.key',
      last4,
      health: 'healthy',
      ready_at: null,
      cooling_models: [],
      created_at: expect.any(Number),
    })),
  );
});

test('a key that the provider limits is passed over as long as it says, another one serves the call, and the health is shown', async () => {
  says[B] = limited('60');
  const answers = [await call(), await call(), await call()];
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
  expect(answers.map(({ key }) => key)).toContain(B);
  expect(new Set(await keysOf(6))).toEqual(new Set([A, C]));
  await eventually(async () => (await read()).keys[1]!.health === 'cooling');
  const [, cooling] = (await read()).keys;
  expect(cooling!.ready_at! - Date.now() / 1000).toBeGreaterThan(50);
  expect(cooling!.ready_at! - Date.now() / 1000).toBeLessThan(61);
});

test('a limited key is used again when its time is over', async () => {
  says[A] = limited('1');
  await keysOf(3);
  says = {};
  await eventually(async () => (await call()).key === A, 10_000);
  expect((await read()).keys.map(({ health }) => health)).toEqual(['healthy', 'healthy', 'healthy']);
});

test.each([401, 402, 403])(
  'a key that the provider answers %i is passed over and shown as unhealthy until it is entered again',
  async (status) => {
    says[C] = refused(status);
    // Keys that were entered a moment ago may be taken up anew, and their turns with them.
    await eventually(async () => (await call()).key === C);
    expect(new Set(await keysOf(4))).toEqual(new Set([A, B]));
    await eventually(async () => (await read()).keys[2]!.health === 'unhealthy');
    says = {};
    await tenant.admin('POST', `/v1/organization/providers/${provider.id}`, { keys: KEYS });
    await eventually(async () => (await call()).key === C);
    expect((await read()).keys.map(({ health }) => health)).toEqual(['healthy', 'healthy', 'healthy']);
  },
);

test('where all keys are limited, the one that is ready first is used, and the error says when', async () => {
  says = { [A]: limited('90'), [B]: limited('30'), [C]: limited('60') };
  await keysOf(3);
  const last = await call();
  expect(last).toMatchObject({ key: B, status: 429, code: 'upstream_rate_limited' });
  expect(last.message).toMatch(/^The provider "up" is rate limiting. None of its 3 keys is ready; the first will be in (29|30) seconds.$/);
  expect(Number(last.retryAfter)).toBeGreaterThanOrEqual(29);
});

test('the calls of one session keep to one key', async () => {
  const own = (await call({ 'x-weir-session': 'conversation-1' })).key;
  for (let turn = 0; turn < 4; turn++) {
    await call();
    expect((await call({ 'x-weir-session': 'conversation-1' })).key).toBe(own);
  }
});

test('a key is added and one is destroyed without touching the others', async () => {
  const path = `/v1/organization/providers/${provider.id}/keys`;
  const added = await tenant.admin<{ keys: Key[] }>('POST', path, { key: 'sk-several-keys-dddd' });
  expect(added.keys.map(({ last4 }) => last4)).toEqual(['aaaa', 'bbbb', 'cccc', 'dddd']);
  await tenant.admin('DELETE', `${path}/${provider.keys[0]!.id}`);
  await eventually(async () => {
    const used = new Set(await keysOf(6));
    return !used.has(A) && used.has('sk-several-keys-dddd');
  });
  await expect(tenant.admin('DELETE', `${path}/${provider.keys[0]!.id}`)).rejects.toThrow(/404/);
  const other = await createTenant(weir);
  await expect(other.admin('DELETE', `${path}/${provider.keys[1]!.id}`)).rejects.toThrow(/404/);
  await expect(other.admin('POST', path, { key: 'sk-of-somebody-else' })).rejects.toThrow(/404/);
});

test('a new key is shown within a second, without a change of routes, and a call in flight goes on with the one it has', async () => {
  await tenant.admin('POST', `/v1/organization/providers/${provider.id}`, { key: A });
  await eventually(async () => new Set(await keysOf(3)).size === 1);
  let finish = () => {};
  const told = new Promise<void>((resolve) => (finish = resolve));
  says[A] = async (seen, response) => {
    await streamOf([delta({ content: 'one' })], 'hang')(seen, response);
    await told;
    response.end(`${delta({ content: ' two' }, 'stop')}data: [DONE]\n\n`);
  };
  const running = await tenant.openai.chat.completions.create({
    model: 'up/test-model',
    messages: [{ role: 'user', content: 'Hello' }],
    max_tokens: 100,
    stream: true,
  });
  const pieces: string[] = [];
  const reading = (async () => {
    for await (const event of running) pieces.push(event.choices[0]?.delta.content ?? '');
  })();
  await eventually(async () => pieces.includes('one'));

  const changedAt = Date.now();
  await tenant.admin('POST', `/v1/organization/providers/${provider.id}`, { key: 'sk-several-keys-next' });
  const before = upstream.calls.length;
  says[A] = answer();
  await eventually(async () => (await call()).key === 'sk-several-keys-next', 1_000);
  expect(Date.now() - changedAt).toBeLessThan(1_000);
  expect(upstream.calls.length).toBeGreaterThan(before);
  finish();
  await reading;
  expect(pieces.join('')).toBe('one two');
});

test('a provider whose origin changed is not called before its key is entered again, or said to be none', async () => {
  const path = `/v1/organization/providers/${provider.id}`;
  const moved = await tenant.admin<{ awaits_key: boolean; has_key: boolean }>('POST', path, { base_url: 'https://moved.example.com/v1' });
  expect(moved).toMatchObject({ awaits_key: true, has_key: false });
  const status = async () =>
    tenant.openai.chat.completions.create({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }] }).then(
      () => '200',
      (error) => `${error.status} ${error.code}`,
    );
  await eventually(async () => (await status()) === '409 credential_missing');
  const sent = upstream.calls.length;
  expect(await tenant.admin('POST', path, { base_url: upstream.baseUrl })).toMatchObject({ awaits_key: true });
  expect(await status()).toBe('409 credential_missing');
  expect(upstream.calls.length).toBe(sent);
  expect(await tenant.admin('POST', path, { key: A })).toMatchObject({ awaits_key: false, has_key: true });
  await eventually(async () => (await status()) === '200');
  expect(shown(upstream.calls.length - 1)).toBe(A);
});
