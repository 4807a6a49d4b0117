import { setTimeout as delay } from 'node:timers/promises';
import { PlanRecord } from '../../../src/gateway/plan-record.js';
import { brokenInvariants } from '../../support/ledger.js';
import { answer, delta, hang, json, type Script, ScriptedUpstream, stream, USAGE } from '../../support/upstream.js';
import { admin, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';

const FIRST_BYTE_MS = 700;

let upstreams: Record<'a' | 'b' | 'c', ScriptedUpstream>;
let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  upstreams = { a: await ScriptedUpstream.start(), b: await ScriptedUpstream.start(), c: await ScriptedUpstream.start() };
  weir = await startTestWeir({
    WEIR_EGRESS_ALLOW: Object.values(upstreams)
      .map(({ hostPort }) => hostPort)
      .join(','),
    WEIR_FIRST_BYTE_TIMEOUT_MS: String(FIRST_BYTE_MS),
  });
});

beforeEach(async () => {
  tenant = await createTenant(weir);
  for (const [name, upstream] of Object.entries(upstreams)) {
    upstream.calls.length = 0;
    upstream.script = answer(`I am ${name}`);
    await tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' });
    await tenant.admin('POST', '/v1/organization/providers', {
      type: 'openai',
      name,
      base_url: `http://${upstream.hostPort}`,
      models: ['test-model'],
      key: `sk-key-of-provider-${name}`,
    });
  }
  await eventually(async () => (await tenant.openai.models.list()).data.length === 3);
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

afterAll(async () => {
  await weir?.stop();
  for (const upstream of Object.values(upstreams ?? {})) await upstream.stop();
});

const MODELS = ['a/test-model', 'b/test-model', 'c/test-model'];
const down = json(503, { error: { message: 'down', type: 'server_error' } });
const requests = () => Object.values(upstreams).map(({ calls }) => calls.length);

async function call(body: object = {}, headers: Record<string, string> = {}) {
  const startedAt = performance.now();
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ models: MODELS, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100, ...body }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, ms: performance.now() - startedAt };
}

interface Booked {
  status: string;
  provider: string;
  http_status: number;
  attempts: { provider: string; model: string; status: number | null; reason: string | null; amount?: string }[];
  entries: { attempt: number; kind: string; provider: string; amount: number }[];
}

/** The calls of the tenant, each with its entries. */
async function booked(): Promise<Booked[]> {
  const { rows } = await weir.db.query<Booked>(
    `SELECT c.status, c.provider, c.http_status, c.attempts, (
       SELECT coalesce(json_agg(json_build_object('attempt', e.attempt, 'kind', e.kind, 'provider', e.provider, 'amount', e.amount) ORDER BY e.attempt), '[]')
       FROM ledger_entries e WHERE e.call_id = c.id) AS entries
     FROM calls c WHERE 'ten_' || replace(c.tenant_id::text, '-', '') = $1 ORDER BY c.id`,
    [tenant.id],
  );
  return rows;
}

const USAGE_COST = USAGE.prompt_tokens * 1_000 + USAGE.completion_tokens * 2_000;

describe.each([false, true])('stream: %s', (isStream) => {
  const body = { stream: isStream };

  it.each<[string, Script, number | null]>([
    ['503', down, 503],
    ['429', json(429, { error: { message: 'slow down' } }), 429],
    ['401', json(401, { error: { message: 'no' } }), 401],
    ['402', json(402, { error: { message: 'pay' } }), 402],
    ['404 of the model', json(404, { error: { message: 'no such model', code: 'model_not_found' } }), 404],
    ['a bill that is not paid, as 429', json(429, { error: { message: 'You exceeded your quota', code: 'insufficient_quota' } }), 429],
  ])('after %s the next target answers, and only it is charged', async (_, script, status) => {
    upstreams.a.script = script;
    const answered = await call(body);
    expect([answered.status, answered.headers.get('x-weir-attempts'), answered.headers.get('x-weir-model')]).toEqual([200, '2', MODELS[1]]);
    expect(requests()).toEqual([1, 1, 0]);
    await eventually(async () => (await booked())[0]?.status === 'completed');
    const [only, ...others] = await booked();
    expect(others).toEqual([]);
    expect(only).toMatchObject({
      provider: 'b',
      http_status: 200,
      attempts: [
        { provider: 'a', model: 'test-model', status, reason: expect.any(String) },
        { provider: 'b', model: 'test-model', status: 200, reason: null, amount: expect.anything() },
      ],
    });
    expect(only!.entries).toEqual([{ attempt: 2, kind: 'usage', provider: 'b', amount: USAGE_COST }]);
  });

  it('when all are down, one error names each with its reason', async () => {
    for (const upstream of Object.values(upstreams)) upstream.script = down;
    const { status, text, headers } = await call(body);
    expect([status, headers.get('x-weir-attempts')]).toEqual([502, '3']);
    for (const model of MODELS) expect(text).toContain(model);
    expect(text.match(/upstream_error/g)!.length).toBeGreaterThanOrEqual(3);
    expect((await booked()).map(({ entries }) => entries)).toEqual([[]]);
  });

  it('what no other target would answer goes nowhere', async () => {
    upstreams.a.script = json(400, { error: { message: 'bad' } });
    expect((await call(body)).status).toBe(400);
    expect(requests()).toEqual([1, 0, 0]);
  });

  it('a time-out is booked, and the next target answers', async () => {
    upstreams.a.script = hang;
    const answered = await call(body);
    expect([answered.status, answered.headers.get('x-weir-attempts')]).toEqual([200, '2']);
    await eventually(async () => (await booked())[0]?.status === 'completed');
    const [{ entries, attempts }] = (await booked()) as [Booked];
    expect(entries.map(({ attempt, provider }) => [attempt, provider])).toEqual([
      [1, 'a'],
      [2, 'b'],
    ]);
    expect(entries[0]!.amount).toBeGreaterThan(100 * 2_000);
    expect(attempts.map(({ reason }) => reason)).toEqual(['upstream_timeout', null]);
  });

  it('targets that may bill in full are not all asked under a cap that bears one', async () => {
    await tenant.admin('POST', '/v1/organization/budgets', {
      scope: { kind: 'tenant' },
      limit: '0.0005',
      period: 'lifetime',
    });
    for (const upstream of Object.values(upstreams)) upstream.script = hang;
    const { status, text } = await call(body);
    expect(status).toBe(504);
    expect(text).toContain('upstream_timeout');
    expect(requests()).toEqual([1, 0, 0]);
  });

  it('leaves later targets their part of the time that the client allows, and ends when it is over', async () => {
    upstreams.a.script = hang;
    const answered = await call(body, { 'x-weir-timeout-ms': '600' });
    expect([answered.status, answered.headers.get('x-weir-model')]).toEqual([200, MODELS[1]]);
    for (const upstream of Object.values(upstreams)) upstream.script = hang;
    const { status, ms } = await call(body, { 'x-weir-timeout-ms': '600' });
    expect(status).toBe(504);
    expect(ms).toBeGreaterThan(590);
    expect(requests()).toEqual([2, 2, 1]);
  });

  it('a limit on the cost of the call counts all its attempts, and the cost that is told is that of all', async () => {
    upstreams.a.script = hang;
    const free = await call(body);
    const [{ entries }] = (await booked()) as [Booked];
    const sum = entries.reduce((total, { amount }) => total + amount, 0);
    if (!isStream) expect(Math.round(Number(free.headers.get('x-weir-cost')) * 1e9)).toBe(sum);
    const limited = await call(body, { 'x-weir-max-cost': String(entries[0]!.amount / 1e9) });
    expect(limited.status).toBe(504);
    expect(requests()).toEqual([2, 1, 0]);
  });

  it('keys and retries leave each target an attempt', async () => {
    const { data } = await tenant.admin<{ data: { id: string; name: string }[] }>('GET', '/v1/organization/providers');
    for (const name of ['a', 'b'])
      for (const n of [1, 2, 3, 4]) {
        await tenant.admin('POST', `/v1/organization/providers/${data.find((one) => one.name === name)!.id}/keys`, {
          key: `sk-more-${name}-${n}`,
        });
      }
    upstreams.a.script = json(429, { error: { message: 'slow down' } });
    upstreams.b.script = json(429, { error: { message: 'slow down' } });
    const answered = await call(body);
    expect([answered.status, answered.headers.get('x-weir-model')]).toEqual([200, MODELS[2]]);
    expect(requests()[2]).toBe(1);
  });
});

describe('a stream', () => {
  it.each<[string, Script]>([
    ['an error event', stream([`data: ${JSON.stringify({ error: { message: 'overloaded', type: 'server_error' } })}\n\n`])],
    [
      'a role, then an error event',
      stream([delta({ role: 'assistant', content: '' }), `data: ${JSON.stringify({ error: { message: 'x' } })}\n\n`]),
    ],
    ['nothing', stream([])],
    ['a broken connection before its content', stream([delta({ role: 'assistant', content: '' })], 'reset')],
  ])('that begins with %s goes on to the next target', async (_, script) => {
    upstreams.a.script = script;
    const { status, text } = await call({ stream: true });
    expect(status).toBe(200);
    expect(text).not.toContain('error');
    expect(text).toContain('data: [DONE]');
    expect(requests()).toEqual([1, 1, 0]);
  });

  it('goes nowhere once the client has something of the answer', async () => {
    upstreams.a.script = stream([delta({ content: 'Hel' })], 'reset');
    const { text } = await call({ stream: true });
    expect(text).toContain('upstream_interrupted');
    expect(requests()).toEqual([1, 0, 0]);
  });
});

test('a prompt that is too long goes to the next target only where a route says so', async () => {
  upstreams.a.script = json(400, { error: { message: 'too long', code: 'context_length_exceeded' } });
  expect((await call()).status).toBe(400);
  expect(requests()).toEqual([1, 0, 0]);
  await tenant.admin('POST', '/v1/organization/routes', {
    name: 'long',
    match: { kind: 'exact', value: 'long' },
    targets: [{ model: MODELS[0] }, { model: MODELS[1] }],
    fallback_on: ['context_length'],
  });
  await eventually(async () => (await call({ models: undefined, model: 'long' })).status === 200);
  const [last] = (await booked()).slice(-1);
  expect(last).toMatchObject({ provider: 'b', status: 'completed' });
});

test('a model that its provider does not know goes to the next target where a route names just that', async () => {
  await tenant.admin('POST', '/v1/organization/routes', {
    name: 'known',
    match: { kind: 'exact', value: 'known' },
    targets: [{ model: MODELS[0] }, { model: MODELS[1] }],
    fallback_on: ['model_not_found'],
  });
  upstreams.a.script = json(404, { error: { message: 'no such model', code: 'model_not_found' } });
  await eventually(async () => (await call({ models: undefined, model: 'known' })).status === 200);
  upstreams.a.script = down;
  expect((await call({ models: undefined, model: 'known' })).status).toBe(502);
});

test('targets that were all refused before anything was sent did not fail to answer', async () => {
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.00000001', period: 'month' });
  await eventually(async () => (await call()).status !== 200);
  for (const upstream of Object.values(upstreams)) upstream.calls.length = 0;
  const { text } = await call();
  expect(requests()).toEqual([0, 0, 0]);
  expect(JSON.parse(text).error.message).toMatch(/^None of the 3 models could be called\. /);
});

test('a tenant that is suspended during a call is not served by its next target', async () => {
  upstreams.a.script = async (seen, response) => {
    await admin(weir, weir.operatorKey, 'POST', `/v1/platform/tenants/${tenant.id}/suspend`);
    return down(seen, response);
  };
  const { status, text } = await call();
  expect([status, JSON.parse(text).error.code]).toEqual([403, 'tenant_suspended']);
  expect(requests()).toEqual([1, 0, 0]);
});

test('a whole answer that has begun has all the time that is left', async () => {
  upstreams.a.script = async (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.write(' ');
    await delay(900);
    response.end(JSON.stringify({ choices: [{ message: { role: 'assistant', content: 'slow' }, finish_reason: 'stop' }], usage: USAGE }));
  };
  const { status, text } = await call({}, { 'x-weir-timeout-ms': '1500' });
  expect([status, text.includes('slow')]).toEqual([200, true]);
  expect(requests()).toEqual([1, 0, 0]);
});

test('a call is booked also where what explains it cannot be told', async () => {
  const broken = jest.spyOn(PlanRecord.prototype, 'book').mockImplementation(() => {
    throw new Error('a fault of ours');
  });
  try {
    expect((await call()).status).toBe(200);
    await eventually(async () => (await booked())[0]?.status === 'completed');
    expect((await booked())[0]!.entries).toEqual([{ attempt: 1, kind: 'usage', provider: 'a', amount: USAGE_COST }]);
  } finally {
    broken.mockRestore();
  }
});

test('an answer that declines goes to the next target only where a route says so, and both are charged', async () => {
  upstreams.a.script = json(200, {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1,
    model: 'test-model',
    choices: [{ index: 0, message: { role: 'assistant', content: '' }, finish_reason: 'content_filter' }],
    usage: USAGE,
  });
  expect((await call()).text).toContain('content_filter');
  expect(requests()).toEqual([1, 0, 0]);
  await tenant.admin('POST', '/v1/organization/routes', {
    name: 'brave',
    match: { kind: 'exact', value: 'brave' },
    targets: [{ model: MODELS[0] }, { model: MODELS[1] }],
    fallback_on: ['content_refused'],
  });
  const answered = await call({ models: undefined, model: 'brave' });
  expect([answered.status, answered.text.includes('I am b')]).toEqual([200, true]);
  const [last] = (await booked()).slice(-1);
  expect(last!.entries.map(({ provider, amount }) => [provider, amount])).toEqual([
    ['a', USAGE_COST],
    ['b', USAGE_COST],
  ]);
});

test('a stream that is silent for 15 seconds begins with comments, and stays with its target', async () => {
  let finish = () => {};
  const finished = new Promise<void>((resolve) => (finish = resolve));
  upstreams.a.script = async (seen, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ role: 'assistant', content: '' }));
    await finished;
    response.end(`data: ${JSON.stringify({ error: { message: 'late', type: 'server_error' } })}\n\n`);
    seen.billed = null;
  };
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ models: MODELS, messages: [{ role: 'user', content: 'Hello' }], stream: true }),
  });
  const reader = response.body!.getReader();
  const first = Buffer.from((await reader.read()).value!).toString();
  expect(first).toMatch(/^: /);
  finish();
  let rest = '';
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) rest += Buffer.from(piece.value).toString();
  expect(rest).toContain('error');
  expect(requests()).toEqual([1, 0, 0]);
}, 30_000);
