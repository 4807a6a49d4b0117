import { answer, json, ScriptedUpstream, USAGE } from '../../support/upstream.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';

let upstreams: Record<'a' | 'b', ScriptedUpstream>;
let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  upstreams = { a: await ScriptedUpstream.start(), b: await ScriptedUpstream.start() };
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: `${upstreams.a.hostPort},${upstreams.b.hostPort}` });
});

beforeEach(async () => {
  tenant = await createTenant(weir);
  for (const [name, upstream] of Object.entries(upstreams)) {
    upstream.script = answer(`I am ${name}`);
    // Rates that leave parts of a nano-dollar.
    await tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '0.0003', output: '0.0007' });
    await tenant.admin('POST', '/v1/organization/providers', {
      type: 'openai',
      name,
      base_url: `http://${upstream.hostPort}`,
      models: ['test-model'],
      key: `sk-key-of-provider-${name}`,
    });
  }
  await eventually(async () => (await tenant.openai.models.list()).data.length === 2);
});

afterAll(async () => {
  await weir?.stop();
  for (const upstream of Object.values(upstreams ?? {})) await upstream.stop();
});

// biome-ignore lint/suspicious/noExplicitAny: an answer is looked at from outside.
type Body = any;

async function call(body: object = {}, key = tenant.apiKey, headers: Record<string, string> = {}) {
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'a/test-model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100, ...body }),
  });
  await response.text();
  return { status: response.status, id: response.headers.get('x-request-id')! };
}

async function asKey(id: string, key = tenant.apiKey): Promise<{ status: number; body: Body }> {
  const response = await fetch(`${weir.publicUrl}/v1/calls/${id}/explain`, { headers: { authorization: `Bearer ${key}` } });
  return { status: response.status, body: await response.json() };
}

/** What a call is explained as, once it is booked; the key and the admin read the same. */
async function explained(id: string): Promise<Body> {
  await eventually(async () => (await asKey(id)).status === 200);
  const { body } = await asKey(id);
  expect(await tenant.admin('GET', `/v1/organization/calls/${id}/explain`)).toEqual(body);
  return body;
}

const FEMTO = 15;
const exact = (usd: string): bigint => {
  const [whole, decimals = ''] = usd.replace('-', '').split('.');
  const value = BigInt(whole + decimals.padEnd(FEMTO, '0'));
  return usd.startsWith('-') ? -value : value;
};
const totalOf = (amounts: string[]): bigint => amounts.reduce((sum, amount) => sum + exact(amount), 0n);

/** The lines of each booking and its entries add up to the same, and all bookings to the ledger. */
async function expectSums(explanation: Body): Promise<void> {
  for (const { lines, entries, cost } of explanation.bookings) {
    expect(totalOf(lines.map(({ amount }: Body) => amount))).toBe(totalOf(entries.map(({ amount }: Body) => amount)));
    expect(totalOf(entries.map(({ amount }: Body) => amount))).toBe(exact(cost));
  }
  const { rows } = await weir.db.query<{ amount: bigint | null }>(
    `SELECT sum(amount)::bigint AS amount FROM ledger_entries WHERE 'call_' || replace(call_id::text, '-', '') = $1`,
    [explanation.call_id],
  );
  expect(totalOf(explanation.bookings.map(({ cost }: Body) => cost))).toBe(BigInt(rows[0]!.amount ?? 0) * 1_000_000n);
}

const planOf = async (id: string) =>
  (await weir.db.query<{ plan: object | null }>(`SELECT plan FROM calls WHERE 'call_' || replace(id::text, '-', '') = $1`, [id])).rows[0]!
    .plan;

test('a plain call leaves no record, and its cost is explained to the nano', async () => {
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '5', period: 'lifetime' });
  await tenant.admin('POST', '/v1/organization/rate_limits', { scope: { kind: 'tenant' }, max_requests_per_1_minute: 100 });
  const { id } = await call();
  const explanation = await explained(id);
  expect(await planOf(id)).toBeNull();
  expect(explanation).toMatchObject({
    recorded: false,
    request: { model: 'a/test-model', endpoint: 'chat.completions', stream: false, default_from: null },
    route: null,
    policy: { retries: 0, attempts: 6 },
    targets: [{ model: 'a/test-model', state: 'answered', reason: null, attempts: [{ number: 1, provider: 'a', status: 200 }] }],
    bookings: [
      {
        number: 1,
        output_bound: 100,
        output_limit: null,
        price: { id: expect.stringMatching(/^price_/), source: 'admin' },
        lines: [
          { class: 'input', quantity: USAGE.prompt_tokens, rate: '0.0003' },
          { class: 'output', quantity: USAGE.completion_tokens, rate: '0.0007' },
          { class: 'rounding', quantity: null, rate: null },
        ],
        estimated: null,
      },
    ],
    rate_limits: [{ scope: { kind: 'tenant', value: tenant.id }, max_requests_per_1_minute: 100, requests_now: 1, set_by: 'tenant' }],
  });
  const [budget] = explanation.budgets;
  expect(budget).toMatchObject({ scope: { kind: 'tenant', value: tenant.id }, set_by: 'tenant', limit: '5.00', held_now: '0.00' });
  expect([budget.held_for_call, budget.booked_for_call, budget.spent_now]).toEqual([
    explanation.bookings[0].held,
    explanation.cost,
    explanation.cost,
  ]);
  expect(explanation.summary).toBe(
    `A call of chat.completions asked for "a/test-model". "a/test-model" answered. The call cost $${explanation.cost}. It counted against the budget of tenant ${tenant.id}.`,
  );
  await expectSums(explanation);
});

test('an attempt that is billed before a fallback has its own booking', async () => {
  upstreams.a.script = json(504, { error: { message: 'late' } });
  await tenant.admin('POST', '/v1/organization/routes', {
    name: 'smart',
    match: { kind: 'exact', value: 'smart' },
    targets: [{ model: 'a/test-model' }, { model: 'b/test-model' }],
    fallback_on: ['timeout', 'provider_error'],
    deadline_ms: 30_000,
  });
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'provider', value: 'a' }, limit: '5', period: 'lifetime' });
  await eventually(async () => (await call({ model: 'smart' })).status === 200);
  const { id } = await call({ model: 'smart' });
  const explanation = await explained(id);
  expect(explanation).toMatchObject({
    recorded: true,
    status: 'completed',
    route: { name: 'smart', match: { kind: 'exact', value: 'smart' } },
    policy: { attempts: 6, deadline_ms: 30_000, fallback_on: ['timeout', 'provider_error'] },
    targets: [
      { model: 'a/test-model', state: 'failed', attempts: [{ number: 1, status: 504 }] },
      { model: 'b/test-model', state: 'answered', attempts: [{ number: 2, status: 200, provider: 'b' }] },
    ],
    bookings: [
      {
        number: 1,
        model: 'a/test-model',
        estimated: 'provider_silent',
        output_limit: { tokens: 100, set_by: 'client', lowered_from: null },
      },
      { number: 2, model: 'b/test-model', estimated: null },
    ],
    budgets: [
      {
        scope: { kind: 'provider', value: 'a' },
        booked_for_call: explanation.bookings[0].cost,
        held_for_call: explanation.bookings[0].held,
      },
    ],
  });
  expect(exact(explanation.bookings[0].cost)).toBeGreaterThan(0n);
  expect(explanation.summary).toContain('The route "smart" matched. "a/test-model" failed: upstream_timeout. "b/test-model" answered.');
  await expectSums(explanation);
});

test('targets that are skipped, refused and not reached say so', async () => {
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'provider', value: 'a' }, limit: '0', period: 'lifetime' });
  await tenant.admin('POST', '/v1/organization/providers', { type: 'mock', name: 'mock', models: ['echo'] });
  await tenant.admin('POST', '/v1/organization/routes', {
    name: 'many',
    match: { kind: 'exact', value: 'many' },
    targets: [{ model: 'a/test-model' }, { model: 'b/test-model' }, { model: 'mock/echo' }],
  });
  const { value } = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
    name: 'few',
    models: ['a/test-model', 'b/test-model'],
  });
  let answered = await call({ model: 'many' }, value);
  await eventually(async () => {
    answered = await call({ model: 'many' }, value);
    return answered.status === 200;
  });
  const { id } = answered;
  await eventually(async () => (await asKey(id, value)).status === 200);
  const { body } = await asKey(id, value);
  expect(body.targets).toMatchObject([
    { model: 'a/test-model', state: 'refused', reason: expect.stringContaining('(budget_exceeded)'), attempts: [] },
    { model: 'b/test-model', state: 'answered' },
    { model: 'mock/echo', state: 'skipped', reason: expect.stringContaining('may not use') },
  ]);
  await expectSums(body);
  expect((await asKey(id)).status).toBe(404);
});

test('a default model, a lowered limit and a thinking level are recorded', async () => {
  await tenant.admin('POST', '/v1/organization/settings', { default_model: 'b/test-model' });
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.00005', period: 'lifetime' });
  const { messages, ...asked } = { messages: [{ role: 'user', content: 'Hello' }], reasoning_effort: 'low' };
  const resolve = () => tenant.admin<Body>('POST', '/v1/organization/models/resolve', { messages, ...asked });
  const resolution = await resolve();
  let id = '';
  await eventually(async () => {
    const answered = await call({ model: undefined, max_tokens: undefined, ...asked });
    id = answered.id;
    return answered.status === 200;
  });
  const explanation = await explained(id);
  expect(explanation).toMatchObject({
    request: { model: 'b/test-model', default_from: 'tenant' },
    bookings: [{ thinking_level: 'low', output_limit: { set_by: 'default', lowered_from: 32_768 } }],
  });
  expect(explanation.bookings[0].output_limit.tokens).toBeLessThan(32_768);
  expect(explanation.summary).toContain('the default of the tenant');
  const [{ held, input_bound, output_bound, output_limit }] = explanation.bookings;
  expect(resolution).toMatchObject({
    default_from: 'tenant',
    thinking_level: 'low',
    targets: [
      {
        max_output_tokens: output_limit.tokens,
        output_limit: { set_by: 'default', lowered_from: 32_768 },
        worst_case: { input_tokens: expect.any(Number), output_tokens: output_bound, fits: true },
        budgets: [{ scope: { kind: 'tenant', value: tenant.id }, set_by: 'tenant', remaining: '0.00005', spent: '0.00', held: '0.00' }],
      },
    ],
  });
  const [{ worst_case }] = resolution.targets;
  expect(Math.abs(worst_case.input_tokens - input_bound)).toBeLessThan(50);
  expect(Math.abs(Number(exact(worst_case.amount) - exact(held)))).toBeLessThan(50 * 300_000);
  await expectSums(explanation);
});

test('a refused call is not kept, and nobody reads the calls of others', async () => {
  const { id } = await call();
  await explained(id);
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0', period: 'lifetime' });
  await tenant.admin('POST', '/v1/organization/rate_limits', {
    scope: { kind: 'model', value: 'a/test-model' },
    max_requests_per_1_minute: 9,
  });
  const { targets } = await tenant.admin<Body>('POST', '/v1/organization/models/resolve', {
    model: 'a/test-model',
    models: ['b/test-model'],
  });
  expect(targets.map((target: Body) => [target.worst_case.fits, target.rate_limits.length])).toEqual([
    [false, 1],
    [false, 0],
  ]);
  expect(targets[0].rate_limits[0]).toMatchObject({ max_requests_per_1_minute: 9, requests_now: 0, concurrent_requests_now: 0 });
  const refused = await call();
  expect(refused.status).toBe(402);
  const other = await createTenant(weir);
  const answers = [await asKey(refused.id), await asKey('call_x'), await asKey(id, other.apiKey)];
  expect(answers.map(({ status }) => status)).toEqual([404, 404, 404]);
  expect(answers[0]!.body.error.message).toBe('This key made no such call. Calls that were refused before money was held are not kept.');
  await expect(other.admin('GET', `/v1/organization/calls/${id}/explain`)).rejects.toThrow();
});
