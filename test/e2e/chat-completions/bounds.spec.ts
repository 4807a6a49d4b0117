import OpenAI, { type APIError } from 'openai';
import { brokenInvariants } from '../../support/ledger.js';
import { answer, delta, type Script } from '../../support/upstream.js';
import { admin, booked, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

// $1 and $2 per million tokens.
const REQUEST = { model: 'up/gpt-4o', messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 100 };
/** Long, and far fewer tokens than bytes. */
const LONG = { ...REQUEST, messages: [{ role: 'user' as const, content: 'The quick brown fox jumps over the lazy dog. '.repeat(100) }] };

const { weir, tenant, upstream } = withWeir({ tenant: 'each', hasProvider: true });

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

const create = (body: object = REQUEST, headers: Record<string, string> = {}) =>
  tenant.openai.chat.completions.create(body as typeof REQUEST, { headers }).withResponse();
const refusal = async (body: object = REQUEST, headers: Record<string, string> = {}) => {
  const error: APIError = await create(body, headers).then(
    () => Promise.reject(new Error('the call was served')),
    (error) => error,
  );
  return {
    status: error.status,
    code: error.code,
    type: error.type,
    message: error.message,
    headers: error.headers!,
    ...(error.error as object),
  };
};
const budget = (fields: object) => tenant.admin('POST', '/v1/organization/budgets', { limit: '1.00', period: 'month', ...fields });
const limit = (fields: object) => tenant.admin('POST', '/v1/organization/rate_limits', { scope: { kind: 'tenant' }, ...fields });
const newKey = async (fields: object) => {
  const key = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
    name: 'other',
    ...fields,
  });
  await eventually(
    async () => (await fetch(`${weir.publicUrl}/v1/key`, { headers: { authorization: `Bearer ${key.value}` } })).status === 200,
  );
  return new OpenAI({ apiKey: key.value, baseURL: `${weir.publicUrl}/v1`, maxRetries: 0 });
};

describe('what a call may cost', () => {
  test('x-weir-max-cost refuses a call that could cost more, saying what would fit', async () => {
    const denied = await refusal(REQUEST, { 'x-weir-max-cost': '0.0002' });
    expect(denied).toMatchObject({ status: 402, code: 'cost_limit_exceeded', type: 'insufficient_quota', limit: '0.0002' });
    const affordable = (denied as unknown as { affordable_max_tokens: number }).affordable_max_tokens;
    expect(upstream.calls).toHaveLength(0);
    await create({ ...REQUEST, max_tokens: affordable }, { 'x-weir-max-cost': '0.0002' });
    await refusal({ ...REQUEST, max_tokens: affordable + 1 }, { 'x-weir-max-cost': '0.0002' });
  });

  test('a call that could cost millions is refused by itself, also without a budget, and nobody beside it is', async () => {
    await tenant.admin('POST', '/v1/organization/prices', {
      provider: 'up',
      model: 'gpt-4o',
      input: '1000000',
      output: '1000000',
      effective_at: 0,
    });
    const model = { ...REQUEST, model: 'up/gpt-4o', max_tokens: 2_000_000_000, n: 128 };
    const other = { ...REQUEST, model: 'up/other/model' };
    await eventually(() =>
      create(model).then(
        () => false,
        () => true,
      ),
    );
    const outcomes = await Promise.allSettled([create(other), create(model), create(other)]);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await refusal(model)).toMatchObject({ status: 402, code: 'cost_limit_exceeded' });
  });

  test('a key has a cost limit of its own, and the lower of the two holds', async () => {
    const openai = await newKey({ max_cost_per_call: '0.0001' });
    await expect(openai.chat.completions.create(REQUEST, { headers: { 'x-weir-max-cost': '1' } })).rejects.toMatchObject({
      code: 'cost_limit_exceeded',
    });
  });

  test('fit: shrink lowers the output limit to what fits, upstream too, and says so', async () => {
    const { response } = await create(REQUEST, { 'x-weir-max-cost': '0.0002', 'x-weir-fit': 'shrink' });
    const shrunk = Number(response.headers.get('x-weir-max-tokens'));
    expect(shrunk).toBeLessThan(100);
    expect(shrunk).toBeGreaterThanOrEqual(16);
    expect(upstream.calls[0]!.body.max_tokens).toBe(shrunk);
  });

  test('fit: shrink fits a call into what a budget has left, also as a setting of the key, but not below 16 tokens', async () => {
    await budget({ scope: { kind: 'tenant' }, limit: '0.0002' });
    const openai = await newKey({ fit: 'shrink' });
    await openai.chat.completions.create(REQUEST);
    expect(upstream.calls[0]!.body.max_tokens).toBeLessThan(100);
    await budget({ scope: { kind: 'tenant' }, limit: '0.00005' });
    await expect(openai.chat.completions.create(REQUEST)).rejects.toMatchObject({ code: 'request_exceeds_budget' });
  });

  test('a long prompt is held by its bytes, and only when that does not fit by its tokens', async () => {
    await budget({ scope: { kind: 'tenant' }, limit: '0.003' });
    await create(LONG);
    await expect(create({ ...LONG, messages: [...LONG.messages, ...LONG.messages, ...LONG.messages] })).rejects.toMatchObject({
      code: 'request_exceeds_budget',
    });
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', kind: 'usage', input: 9, output: 12 }]);
  });

  test('a session has a cap by a budget on each session', async () => {
    await budget({ scope: { kind: 'session', value: '*' }, limit: '0.0004', period: 'lifetime' });
    upstream.script = answer('long', { prompt_tokens: 50, completion_tokens: 90, total_tokens: 140 });
    await create(REQUEST, { 'x-weir-session': 'first' });
    expect(await refusal(REQUEST, { 'x-weir-session': 'first' })).toMatchObject({
      status: 402,
      code: 'cost_limit_exceeded',
      scope: { kind: 'session', value: 'first' },
    });
    await create(REQUEST, { 'x-weir-session': 'second' });
    await create();
  });

  test('calls are counted by end user, tags, scope keys, provider and model, and can be found by them', async () => {
    await Promise.all(
      [
        ['end_user', 'ann'],
        ['tag', 'blue'],
        ['scope', 'run-7'],
        ['provider', 'up'],
        ['model', 'up/gpt-4o'],
      ].map(([kind, value]) => budget({ scope: { kind, value } })),
    );
    const { response } = await create(
      { ...REQUEST, user: 'ann' },
      { 'x-weir-tags': 'red, blue', 'x-weir-scope': 'run-7', 'x-weir-session': 's' },
    );
    const budgets = await tenant.admin<{ data: { current_period: { spent: string } }[] }>('GET', '/v1/organization/budgets');
    expect(budgets.data.map((one) => one.current_period.spent)).toEqual(Array(5).fill('0.000033'));
    expect(await tenant.admin('GET', `/v1/organization/calls/${response.headers.get('x-request-id')}`)).toMatchObject({
      end_user: 'ann',
      session: 's',
      tags: ['red', 'blue'],
      scopes: ['run-7'],
    });
  });

  test('a budget that is nearly spent says so in a header', async () => {
    await budget({ scope: { kind: 'tenant' }, limit: '1.00', thresholds: [1] });
    upstream.script = answer('dear', { prompt_tokens: 9, completion_tokens: 50_000, total_tokens: 50_009 });
    await create({ ...REQUEST, max_tokens: 100_000 });
    const { response } = await create();
    expect(response.headers.get('x-weir-budget-warning')).toContain('1%');
  });
});

describe('a model without a price', () => {
  const request = { ...REQUEST, model: 'plain/m' };

  test('without a hard budget costs an unknown amount, never the one that is allowed under such a budget', async () => {
    await tenant.admin('POST', '/v1/organization/providers', {
      name: 'plain',
      type: 'openai',
      base_url: upstream.baseUrl,
      key: 'sk-x',
      models: ['m'],
    });
    await admin(weir, weir.operatorKey, 'POST', `/v1/platform/tenants/${tenant.id}`, { unpriced_call_cost: '0.25' });
    await eventually(async () => (await tenant.openai.models.list()).data.some((model) => model.id === 'plain/m'));
    await create(request);
    expect(await booked(weir, tenant)).toMatchObject([{ amount: null, estimated: false }]);
    await create(request, { 'x-weir-max-cost': '0.30' });
    expect((await booked(weir, tenant)).at(-1)).toMatchObject({ amount: 250_000_000n, estimated: true });
  });

  test('under a hard budget is refused, unless the operator allows an amount, which is then held and booked', async () => {
    await tenant.admin('POST', '/v1/organization/providers', {
      name: 'plain',
      type: 'openai',
      base_url: upstream.baseUrl,
      key: 'sk-x',
      models: ['m'],
    });
    await eventually(async () => (await tenant.openai.models.list()).data.some((model) => model.id === 'plain/m'));
    await budget({ scope: { kind: 'tenant' } });
    expect(await refusal(request)).toMatchObject({ status: 422, code: 'model_not_priced' });
    await admin(weir, weir.operatorKey, 'POST', `/v1/platform/tenants/${tenant.id}`, { unpriced_call_cost: '0.25' });
    await eventually(async () =>
      create(request).then(
        () => true,
        () => false,
      ),
    );
    expect((await booked(weir, tenant)).at(-1)).toMatchObject({ amount: 250_000_000n, estimated: true });
  });
});

describe('limits', () => {
  test('requests per minute: the next one is refused with how long to wait', async () => {
    await limit({ max_requests_per_1_minute: 2 });
    const { response } = await create();
    expect(response.headers.get('x-ratelimit-limit-requests')).toBe('2');
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('1');
    await create();
    const denied = await refusal();
    expect(denied).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'requests' });
    expect(Number(denied.headers.get('retry-after'))).toBeGreaterThan(50);
    expect(denied.headers.get('x-should-retry')).toBe('true');
    expect(denied.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    expect(upstream.calls).toHaveLength(2);
  });

  test('tokens per minute: a call that can never fit is told so', async () => {
    await limit({ max_tokens_per_1_minute: 50 });
    const denied = await refusal();
    expect(denied).toMatchObject({ status: 429, code: 'rate_limit_exceeded', type: 'tokens' });
    expect(denied.message).toContain('Lower max_tokens');
    expect(denied.headers.get('x-should-retry')).toBe('false');
  });

  test('calls at a time: of eight, three are served', async () => {
    await limit({ max_concurrent_requests: 3 });
    const waiting: (() => void)[] = [];
    const reply = answer();
    upstream.script = async (call, response) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      await reply(call, response);
    };
    const calls = Array.from({ length: 8 }, () =>
      create().then(
        () => 200,
        (error: APIError) => error.status,
      ),
    );
    await upstream.received(3);
    await eventually(async () => waiting.length === 3);
    const denied = await Promise.all(calls.map((call) => Promise.race([call, new Promise((resolve) => setTimeout(resolve, 500))])));
    expect(denied.filter((status) => status === 429)).toHaveLength(5);
    for (const go of waiting) go();
    expect((await Promise.all(calls)).sort()).toEqual([200, 200, 200, 429, 429, 429, 429, 429]);
    upstream.script = answer();
    await create();
  });

  test('the key can read its limits', async () => {
    await limit({ max_requests_per_1_minute: 60, max_concurrent_requests: 5 });
    const response = await fetch(`${weir.publicUrl}/v1/key`, { headers: { authorization: `Bearer ${tenant.apiKey}` } });
    expect(await response.json()).toMatchObject({
      rate_limits: [
        {
          scope: { kind: 'tenant', value: tenant.id },
          max_requests_per_1_minute: 60,
          max_tokens_per_1_minute: null,
          max_concurrent_requests: 5,
        },
      ],
    });
  });
});

describe('a provider that goes on past the output limit', () => {
  /** Sends words until it is cut off. */
  const endless: Script = async (call, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    while (!response.destroyed && call) await new Promise((resolve) => response.write(delta({ content: 'word ' }), resolve));
  };

  test('is cut off there: the client reads an answer that ended by length, with its usage, and nothing is spent above the hold', async () => {
    await budget({ scope: { kind: 'tenant' } });
    upstream.script = endless;
    const stream = await tenant.openai.chat.completions.create({
      ...REQUEST,
      max_tokens: 20,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = [];
    for await (const chunk of stream) chunks.push(chunk);
    const words = chunks.filter((chunk) => chunk.choices[0]?.delta.content === 'word ');
    expect(words.length).toBeLessThanOrEqual(21);
    expect(chunks.find((chunk) => chunk.choices[0]?.finish_reason)).toMatchObject({ choices: [{ finish_reason: 'length' }] });
    expect(chunks.at(-1)).toMatchObject({ choices: [], usage: { completion_tokens: expect.any(Number), cost: expect.any(Number) } });
    await upstream.calls[0]!.closed;
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', estimated: true, kind: 'usage' }]);
  });

  test('an answer of exactly the limit is left alone', async () => {
    const text = 'x '.repeat(20).trim();
    upstream.script = answer(text, { prompt_tokens: 9, completion_tokens: 20, total_tokens: 29 });
    const stream = await tenant.openai.chat.completions.create({ ...REQUEST, max_tokens: 20, stream: true });
    let read = '';
    for await (const chunk of stream) read += chunk.choices[0]?.delta.content ?? '';
    expect(read).toBe(text);
    expect(await booked(weir, tenant)).toMatchObject([{ estimated: false, output: 20 }]);
  });
});
