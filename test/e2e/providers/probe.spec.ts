import { answer, hang, json, type Script, USAGE } from '../../support/upstream.js';
import { eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';
import { type AdminReply, clientOf, type Send } from '../admin/client.js';

const { weir, tenant, upstream } = withWeir({ environment: (upstream) => ({ WEIR_EGRESS_ALLOW: `${upstream.hostPort},127.0.0.1:9` }) });
let send: Send;
let names = 0;

const PROVIDERS = '/v1/organization/providers';
const KEY = 'sk-a-secret-that-the-provider-repeats';

beforeAll(async () => {
  send = clientOf(weir, tenant.adminKey);
});

beforeEach(() => {
  upstream.calls.length = 0;
  upstream.script = able;
});

/** Chats, streams, calls tools and has embeddings. */
const able: Script = (call, response) => {
  if (call.path.endsWith('/embeddings'))
    return json(200, {
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.5] }],
      model: 'm',
      usage: { prompt_tokens: 1, total_tokens: 1 },
    })(call, response);
  if (!call.body['tools']) return answer('ok')(call, response);
  const tool_calls = [{ id: 'call_1', type: 'function', function: { name: 'get_time', arguments: '{"city":"Paris"}' } }];
  return json(200, {
    id: 'chatcmpl-2',
    object: 'chat.completion',
    created: 1,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: null, tool_calls }, finish_reason: 'tool_calls' }],
    usage: USAGE,
  })(call, response);
};

/** Saves a provider that is to be verified. */
const save = (fields: object = {}): Promise<AdminReply> =>
  send('POST', PROVIDERS, {
    name: `p${names++}`,
    type: 'custom',
    base_url: upstream.baseUrl,
    key: KEY,
    models: ['m'],
    no_verify: false,
    ...fields,
  });

const count = async () => (await weir.db.query('SELECT 1 FROM providers WHERE deleted_at IS NULL')).rowCount;

test('what a provider can do is found out before it is saved, and kept with its time', async () => {
  const { status, body } = await save();
  expect(status).toBe(200);
  const found = {
    ok: true,
    class: 'ok',
    model: 'm',
    chat: true,
    streaming: true,
    tools: true,
    usage: true,
    embeddings: true,
    input_tokens: 28,
    output_tokens: 36,
    cost: null,
    latency_ms: expect.any(Number),
    checked_at: expect.any(Number),
  };
  expect(body).toMatchObject({ capabilities: found });
  expect((await send('GET', `${PROVIDERS}/${body.id}`)).body).toMatchObject({ capabilities: found });
  expect(upstream.calls).toHaveLength(4);
  for (const call of upstream.calls) expect(call.headers).toMatchObject({ authorization: `Bearer ${KEY}` });
  const { rows } = await weir.db.query('SELECT 1 FROM calls');
  expect(rows).toEqual([]);
});

test('what it cannot do is told, and does not stand in the way', async () => {
  upstream.script = (call, response) =>
    call.body.stream || call.path.endsWith('/embeddings') || call.body['tools']
      ? json(400, { error: { message: 'not here' } })(call, response)
      : answer('ok', null)(call, response);
  expect((await save()).body).toMatchObject({
    capabilities: { ok: true, chat: true, streaming: false, tools: false, usage: false, embeddings: false },
  });
});

test('a provider of embeddings alone is saved', async () => {
  upstream.script = (call, response) =>
    (call.path.endsWith('/embeddings') ? able : json(404, { error: { message: 'no such page' } }))(call, response);
  expect((await save()).body).toMatchObject({ capabilities: { ok: true, chat: false, embeddings: true } });
});

test.each<[string, Script, string]>([
  ['refuses the key', json(401, { error: { message: `Incorrect API key provided: ${KEY}` } }), 'auth'],
  ['fails', json(500, { error: { message: `crash with ${KEY}` } }), 'server'],
  ['does not know the model', json(404, { error: { message: `no model for ${KEY}`, code: 'model_not_found' } }), 'model_not_found'],
  ['redirects', json(302, '', { location: `https://elsewhere.example/?${KEY}` }), 'unreadable'],
  ['answers with something else', json(200, `<html>${KEY}</html>`), 'unreadable'],
  ['goes on for ever', json(200, 'a'.repeat(300 * 1024)), 'interrupted'],
  ['hangs up', (_call, response) => void response.socket?.resetAndDestroy(), 'unreachable'],
])('a provider that %s is not saved, and none of its words are told', async (_what, script, expected) => {
  upstream.script = script;
  const before = await count();
  const { status, body } = await save();
  expect([status, body.error]).toMatchObject([422, { code: 'probe_failed', class: expected, latency_ms: expect.any(Number) }]);
  expect(JSON.stringify(body)).not.toContain(KEY);
  expect(await count()).toBe(before);
});

test('a provider that is silent is given up on after ten seconds', async () => {
  upstream.script = hang;
  const startedAt = Date.now();
  expect((await save()).body.error).toMatchObject({ class: 'timeout' });
  expect(Date.now() - startedAt).toBeLessThan(14_000);
  expect(upstream.calls).toHaveLength(1);
}, 20_000);

test('a closed port and a name that does not exist are unreachable alike', async () => {
  for (const base_url of ['http://127.0.0.1:9/v1', 'https://no-such-name.invalid/v1'])
    expect((await save({ base_url })).body.error).toMatchObject({ code: 'probe_failed', class: 'unreachable' });
});

test('without a model to ask with, being there and taking the key is enough', async () => {
  upstream.script = json(404, { error: { message: 'no such model' } });
  expect((await save({ models: ['*'] })).body).toMatchObject({ capabilities: { ok: true, model: null, chat: null } });
  upstream.script = json(401, { error: { message: 'who are you' } });
  expect((await save({ models: ['*'] })).body.error).toMatchObject({ code: 'probe_failed', class: 'auth' });
});

test('told not to, nothing is asked', async () => {
  upstream.script = json(500, {});
  const { status, body } = await save({ no_verify: true });
  expect([status, body]).toMatchObject([200, { capabilities: null }]);
  expect(upstream.calls).toEqual([]);
});

test('another address is probed with the key and headers it will have, and a failure leaves the record as it was', async () => {
  const { body: made } = await save({ headers: { 'x-team': 'a' } });
  const path = `${PROVIDERS}/${made.id}`;
  upstream.calls.length = 0;
  const moved = await send('PATCH', path, { base_url: `${upstream.baseUrl}/deeper`, no_verify: false });
  expect(moved.body).toMatchObject({ base_url: `${upstream.baseUrl}/deeper`, capabilities: { ok: true } });
  expect(upstream.calls[0]).toMatchObject({
    path: '/v1/deeper/chat/completions',
    headers: { authorization: `Bearer ${KEY}`, 'x-team': 'a' },
  });

  upstream.script = json(401, {});
  expect((await send('PATCH', path, { base_url: upstream.baseUrl, key: 'sk-2', no_verify: false })).status).toBe(422);
  expect(upstream.calls.at(-1)!.headers).toMatchObject({ authorization: 'Bearer sk-2' });
  upstream.script = able;
  expect((await send('POST', `${path}/probe`)).body).toMatchObject({ ok: true, tools: true });
  expect(upstream.calls.at(-1)!.headers).toMatchObject({ authorization: `Bearer ${KEY}` });
  expect(upstream.calls.at(-1)!.path).toMatch(/^\/v1\/deeper\//);
});

test('a probe that was asked for tells what is wrong and is kept; a change of the record forgets it', async () => {
  const { body: made } = await save();
  const path = `${PROVIDERS}/${made.id}`;
  upstream.script = json(401, { error: { message: KEY } });
  const { status, body } = await send('POST', `${path}/probe`);
  expect([status, body]).toMatchObject([200, { ok: false, class: 'auth', chat: null }]);
  expect((await send('GET', path)).body).toMatchObject({ capabilities: { ok: false, class: 'auth' } });
  expect((await send('PATCH', path, { models: ['m', 'n'] })).body).toMatchObject({ capabilities: null });
});

test('what it costs is told by the price of the model', async () => {
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'priced', model: '*', input: '1', output: '2' });
  const { body: made } = await save({ name: 'priced' });
  const probe = async () => (await send('POST', `${PROVIDERS}/${made.id}/probe`)).body as unknown as { cost: string | null };
  await eventually(async () => (await probe()).cost === '0.0001');
});
