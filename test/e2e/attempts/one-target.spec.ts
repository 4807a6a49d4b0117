import { setTimeout as delay } from 'node:timers/promises';
import { brokenInvariants } from '../../support/ledger.js';
import { answer, chunk, delta, json, type Script, stream, USAGE } from '../../support/upstream.js';
import { booked, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant, upstream } = withWeir({ environment: { WEIR_RETRIES: '2' }, tenant: 'each' });

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

async function add(...keys: string[]): Promise<string[]> {
  const { id } = await tenant.admin<{ id: string }>('POST', '/v1/organization/providers', {
    type: 'openai',
    name: 'up',
    base_url: `http://${upstream.hostPort}`,
    models: ['test-model'],
    key: keys[0],
  });
  for (const key of keys.slice(1)) await tenant.admin('POST', `/v1/organization/providers/${id}/keys`, { key });
  await eventually(async () => (await tenant.openai.models.list()).data.length > 0);
  return keys;
}

/** The n-th request gets the n-th script, the last one from then on. */
const inTurn = (...scripts: Script[]): Script => {
  let at = 0;
  return (call, response) => scripts[Math.min(at++, scripts.length - 1)]!(call, response);
};

interface Answered {
  status: number;
  headers: Headers;
  text: string;
}

async function call(body: object = {}, headers: Record<string, string> = {}): Promise<Answered> {
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100, ...body }),
  });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const attemptsOf = async () => {
  await eventually(async () => (await booked(weir, tenant)).length > 0);
  const { rows } = await weir.db.query<{ attempts: { status: number; reason: string | null }[] }>(
    'SELECT attempts FROM calls ORDER BY id DESC LIMIT 1',
  );
  return rows[0]!.attempts.map(({ status, reason }) => [status, reason]);
};

const failed = json(503, { error: { message: 'down', type: 'server_error' } });
const limited = (headers: Record<string, string> = {}) => json(429, { error: { message: 'slow down', type: 'rate_limit_error' } }, headers);

describe.each([false, true])('stream: %s', (isStream) => {
  const body = { stream: isStream };

  it.each([
    ['500', json(500, { error: { message: 'oops' } })],
    ['502', json(502, 'bad gateway')],
    ['503', failed],
    ['429', limited()],
  ])('%s: the second attempt answers', async (_, script) => {
    await add('sk-first-key-of-this-provider');
    upstream.script = inTurn(script, answer());
    const { status, headers, text } = await call(body);
    expect([status, headers.get('x-weir-attempts')]).toEqual([200, '2']);
    expect(text).toContain(isStream ? 'upstream' : 'Hello from upstream');
    expect(upstream.calls).toHaveLength(2);
    expect(await attemptsOf()).toEqual([expect.anything(), [200, null]]);
  });

  it('gives up after two retries, and tells SDKs', async () => {
    await add('sk-first-key-of-this-provider');
    upstream.script = failed;
    const { status, headers } = await call(body);
    expect([status, headers.get('x-weir-attempts'), headers.get('x-should-retry')]).toEqual([502, '3', 'false']);
    expect(upstream.calls).toHaveLength(3);
  });

  it.each([400, 404, 422])('%d is not repeated, with no other key either', async (refused) => {
    await add('sk-first-key-of-this-provider', 'sk-second-key-of-this-provider');
    upstream.script = json(refused, { error: { message: 'no' } });
    await call(body);
    expect(upstream.calls).toHaveLength(1);
  });

  it('waits as long as the provider asks, in ms, and not at all where that is past its deadline', async () => {
    await add('sk-first-key-of-this-provider');
    upstream.script = inTurn(limited({ 'retry-after-ms': '700' }), answer());
    const startedAt = performance.now();
    expect((await call(body)).status).toBe(200);
    expect(performance.now() - startedAt).toBeGreaterThan(690);
    upstream.calls.length = 0;
    upstream.script = inTurn(limited({ 'retry-after': '3000' }), answer());
    const { status, headers } = await call(body);
    expect([status, headers.get('retry-after'), upstream.calls.length]).toEqual([429, '120', 1]);
  });

  it.each([429, 401, 402, 403])('%d: the next key serves this call at once', async (refused) => {
    await add('sk-first-key-of-this-provider', 'sk-second-key-of-this-provider');
    upstream.script = inTurn(json(refused, { error: { message: 'no' } }), answer());
    const startedAt = performance.now();
    const { status } = await call(body);
    expect(status).toBe(200);
    expect(performance.now() - startedAt).toBeLessThan(450);
    const keys = upstream.calls.map(({ headers }) => headers['authorization']);
    expect(new Set(keys).size).toBe(2);
    expect((await attemptsOf())[0]![0]).toBe(refused);
  });
});

describe('a stream', () => {
  const early: [string, Script][] = [
    ['an error event first', stream([`data: ${JSON.stringify({ error: { message: 'overloaded', code: 503 } })}\n\n`])],
  ];

  it.each(early)('with %s is tried again', async (_, script) => {
    await add('sk-first-key-of-this-provider');
    upstream.script = inTurn(script, answer());
    const { status, text } = await call({ stream: true });
    expect(status).toBe(200);
    expect(text).not.toContain('error');
    expect(upstream.calls).toHaveLength(2);
  });

  it.each<[string, Script]>([
    ['a connection that breaks once it has the request', (_, response) => void response.socket?.destroy()],
    ['an answer that breaks off', stream([delta({ role: 'assistant', content: '' })], 'reset')],
    ['a reply that cannot be read', json(200, '{"choices": [')],
  ])('%s may be billed, and is not repeated on its own', async (_, script) => {
    await add('sk-first-key-of-this-provider');
    upstream.script = script;
    expect((await call({ stream: true })).status).toBe(502);
    expect(upstream.calls).toHaveLength(1);
  });

  it('is not tried again once there was something of the answer', async () => {
    await add('sk-first-key-of-this-provider');
    upstream.script = stream([delta({ role: 'assistant', content: '' }), delta({ content: 'Hel' })], 'reset');
    const { status, text } = await call({ stream: true });
    expect(status).toBe(200);
    expect(text).toContain('Hel');
    expect(text).toContain('upstream_interrupted');
    expect(upstream.calls).toHaveLength(1);
  });

  it('is given on from its first word', async () => {
    await add('sk-first-key-of-this-provider');
    let goOn = () => {};
    const more = new Promise<void>((resolve) => (goOn = resolve));
    upstream.script = async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(delta({ role: 'assistant', content: '' }) + delta({ content: 'first' }));
      await more;
      response.end(`${delta({}, 'stop')}${chunk({ choices: [], usage: USAGE })}data: [DONE]\n\n`);
    };
    const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }], stream: true }),
    });
    const { value } = await response.body!.getReader().read();
    expect(Buffer.from(value!).toString()).toContain('first');
    goOn();
  });
});

test('a client that leaves during the wait ends the call', async () => {
  await add('sk-first-key-of-this-provider');
  upstream.script = limited({ 'retry-after': '5' });
  const leaving = new AbortController();
  const gone = fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    signal: leaving.signal,
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }] }),
  }).catch(() => 'left');
  await eventually(async () => upstream.calls.length === 1);
  await delay(50);
  leaving.abort();
  expect(await gone).toBe('left');
  await eventually(async () => (await booked(weir, tenant)).length === 1);
  expect(upstream.calls).toHaveLength(1);
  const { rows } = await weir.db.query('SELECT status, http_status, error_code FROM calls ORDER BY id DESC LIMIT 1');
  expect(rows).toEqual([{ status: 'failed', http_status: 499, error_code: 'client_gone' }]);
});

test('a key that is revoked during the wait is not served again', async () => {
  await add('sk-first-key-of-this-provider');
  upstream.script = limited({ 'retry-after': '1' });
  const waiting = call();
  await eventually(async () => upstream.calls.length === 1);
  await tenant.admin('DELETE', `/v1/organization/projects/${tenant.projectId}/api_keys/${tenant.keyId}`);
  const { status, text } = await waiting;
  expect([status, JSON.parse(text).error.code, upstream.calls.length]).toEqual([401, 'invalid_api_key', 1]);
});

it.each<[string, Script, string]>([
  ['fails', failed, 'The provider "up" failed.'],
  ['is overloaded', json(529, { error: { message: 'busy' } }), 'The provider "up" is overloaded. Try again shortly.'],
  ['cannot be read', json(200, '{"choices": ['), 'The provider "up" sent a reply that cannot be read.'],
  ['breaks off', (_, response) => void response.socket?.destroy(), 'The provider "up" could not be reached.'],
])('a provider that %s is named', async (_, script, message) => {
  await add('sk-first-key-of-this-provider');
  upstream.script = script;
  expect(JSON.parse((await call()).text).error.message).toBe(message);
});
