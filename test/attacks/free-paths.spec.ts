import { answer, json, type Script } from '../support/upstream.js';
import { booked, createTenant, eventually, type TestTenant } from '../support/weir.js';
import { PROVIDER_FORMATS, type Rig, startRig } from './support/formats.js';
import { lend, lendFormats, lentName, operator } from './support/lent.js';
import { CALLS, SURFACES, send } from './support/surfaces.js';

const SAID = { text: 'Hello', usage: { input: 9, cacheRead: 0, output: 12 } };
const PRICES = '/v1/organization/prices';

/** Many providers are made, one after another. */
const SETUP_MS = 120_000;

let rig: Rig;
let tenant: TestTenant;

beforeAll(async () => {
  rig = await startRig();
  tenant = rig.tenant;
  await lendFormats(rig, false);
}, SETUP_MS);

afterAll(() => rig.stop());

beforeEach(() => {
  rig.upstream.calls.length = 0;
  rig.upstream.script = answer();
});

interface Reply {
  status: number;
  headers: Headers;
  body: { model?: string; error?: { code: string; message: string } };
}

async function call(model: string, headers: Record<string, string> = {}, more: object = {}, apiKey = tenant.apiKey): Promise<Reply> {
  const body = { model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100, ...more };
  const to = { publicUrl: rig.weir.publicUrl, apiKey };
  const reply = await send(to, { method: 'POST', path: '/v1/chat/completions' }, body, headers);
  return { status: reply.status, headers: reply.headers, body: (await reply.json()) as Reply['body'] };
}

const metrics = async () => (await fetch(`${rig.weir.adminUrl}/metrics`)).text();
const figure = async (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(await metrics())?.[1]);
/** A provider of the tenant's own; answers once it can be called. */
async function provider(fields: { name: string } & Record<string, unknown>, probe = `${fields.name}/m1`): Promise<void> {
  const base_url = rig.upstream.baseUrl;
  await tenant.admin('POST', '/v1/organization/providers', { type: 'openai', base_url, key: 'secret', ...fields });
  await eventually(() => tenant.openai.models.retrieve(probe).then(Boolean, () => false));
}

describe('a model that the platform lends and has no price for', () => {
  const CODE = { error: { code: 'model_not_priced', message: expect.stringMatching(/POST \/v1\/platform\/prices.*unpriced_call_cost/) } };
  const sends = CALLS.flatMap((surface) =>
    PROVIDER_FORMATS.filter(({ embeds }) => surface.path !== '/v1/embeddings' || embeds).flatMap((format) =>
      (surface.streams ? [false, true] : [false]).map((stream) => ({ surface, format, stream })),
    ),
  );

  test('is refused on every surface in every format, whole and streamed, without any budget, and nothing is sent', async () => {
    const served: string[] = [];
    for (const { surface, format, stream } of sends) {
      rig.upstream.script = surface.path === '/v1/embeddings' ? format.embeds! : format.says(SAID);
      const isTitan = surface.path === '/v1/embeddings' && format.dialect === 'bedrock-converse';
      const reference = `${lentName(format)}/${isTitan ? 'amazon.titan-embed-unheard-of' : 'unheard-of'}`;
      const reply = await send(rig.to, surface, surface.body(reference, 'Hello', stream ? { stream } : {}));
      const body = (await reply.json().catch(() => ({}))) as Reply['body'];
      if (reply.status !== 422 || body.error?.code !== 'model_not_priced')
        served.push(`${surface.route} ${format.dialect} ${stream}: ${reply.status} ${JSON.stringify(body)}`);
    }
    expect(served).toEqual([]);
    expect(rig.upstream.calls).toEqual([]);
  });

  test('is refused where the provider would count its tokens', async () => {
    const counting = SURFACES.find(({ kind }) => kind === 'count')!;
    const reply = await send(rig.to, counting, counting.body('lent-anthropic-messages/unheard-of'));
    expect([reply.status, await reply.json()]).toMatchObject([422, CODE]);
    expect(rig.upstream.calls).toEqual([]);
  });

  test('says what to do, also where its price is for another time only', async () => {
    // A price that a tenant sets itself says nothing of what the platform pays.
    await tenant.admin('POST', PRICES, { provider: 'lent-openai-chat', model: 'm', input: '0', output: '0' });
    const prices = [
      { provider: 'lent-openai-chat', model: 'm', input: '1', output: '2', effective_at: 4_000_000_000 },
      { provider: 'lent-openai-chat', model: 'other', input: '1', output: '2' },
    ];
    for (const price of prices) await operator(rig.weir, 'POST', PRICES, price, tenant);
    await eventually(async () => (await call('lent-openai-chat/other')).status === 200);
    rig.upstream.calls.length = 0;
    expect(await call('lent-openai-chat/m')).toMatchObject({ status: 422, body: CODE });
    expect(rig.upstream.calls).toEqual([]);
  });

  test('is served for the amount that an operator allows, held and booked with and without a budget', async () => {
    const other = await createTenant(rig.weir);
    await lend(rig.weir, [other], {
      name: 'house',
      type: 'openai',
      base_url: rig.upstream.baseUrl,
      key: 'secret',
      models: ['m1'],
    });
    await eventually(async () => (await call('house/m1', {}, {}, other.apiKey)).status === 422);
    await operator(rig.weir, 'POST', `/v1/platform/tenants/${other.id}`, { unpriced_call_cost: '0.25' });
    await eventually(async () => (await call('house/m1', {}, {}, other.apiKey)).status === 200);
    expect((await booked(rig.weir, other)).at(-1)).toMatchObject({ status: 'completed', amount: 250_000_000n, estimated: true });
    expect(await call('house/m1', { 'x-weir-max-cost': '0.24' }, {}, other.apiKey)).toMatchObject({
      status: 402,
      body: { error: { code: 'cost_limit_exceeded' } },
    });
    await other.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.20', period: 'month' });
    expect((await call('house/m1', {}, {}, other.apiKey)).status).toBe(402);
  });
});

test('a call of an unknown price that a tenant pays itself is seen in the metrics', async () => {
  await provider({ name: 'unpriced', models: ['m1'] });
  const before = await figure('weir_calls_unpriced_total');
  expect(await call('unpriced/m1')).toMatchObject({ status: 200 });
  expect(await figure('weir_calls_unpriced_total')).toBe(before + 1);
});

describe('one model has one reference', () => {
  const RATES = { input: '1', output: '2' };

  test('a provider’s bare name is counted as its default model: in budgets, limits, headers, lists and the ledger', async () => {
    await tenant.admin('POST', PRICES, { provider: 'dm', model: '*', ...RATES });
    await provider({ name: 'dm', models: ['m1'], default_model: 'm1' });
    const ok = await call('dm');
    expect([ok.status, ok.headers.get('x-weir-model')]).toEqual([200, 'dm/m1']);
    expect(await tenant.admin('GET', `/v1/organization/calls/${ok.headers.get('x-request-id')}`)).toMatchObject({
      requested_model: 'dm/m1',
    });
    expect((await tenant.openai.models.retrieve('dm')).id).toBe('dm/m1');

    const limit = await tenant.admin<{ id: string }>('POST', '/v1/organization/rate_limits', {
      scope: { kind: 'model', value: 'dm/m1' },
      max_requests_per_1_minute: 0,
    });
    expect(await call('dm')).toMatchObject({ status: 429 });
    await tenant.admin('DELETE', `/v1/organization/rate_limits/${limit.id}`);

    await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'model', value: 'dm/m1' }, limit: '0', period: 'month' });
    expect(await call('dm')).toMatchObject({ status: 402 });
    expect(await call('dm/m1')).toMatchObject({ status: 402 });
  });

  test('a key that may not use the default model may not use the bare name', async () => {
    await provider({ name: 'two', models: ['m1', 'm2'], default_model: 'm2' });
    const { value } = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
      name: 'k',
      models: ['two/m1'],
    });
    await eventually(async () => (await call('two/m1', {}, {}, value)).status === 200);
    expect(await call('two', {}, {}, value)).toMatchObject({ status: 403 });
  });

  const ALIASES: Record<string, readonly string[]> = {
    'gpt-5': ['gpt-5', 'GPT-5', 'gpt-5-2025-08-07', 'gpt-5-latest', 'models/gpt-5', 'gpt-5@latest'],
    'gpt-4': ['gpt-4-0613'],
    'anthropic.claude-sonnet-4-5': [
      'us.anthropic.claude-sonnet-4-5-20250929-v1:0',
      'arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-5-20250929-v1:0',
    ],
  };
  const asked = Object.entries(ALIASES).flatMap(([model, names]) => names.map((name) => [model, name] as const));
  const NO_NAMES = [
    'gpt-5/',
    '/gpt-5',
    'gpt-5//x',
    ' gpt-5',
    'gpt-5 ',
    'gpt%2D5',
    'gpt\u200b-5',
    'gpt-5\n',
    '*',
    '',
    '..',
    `g${'x'.repeat(600)}`,
  ];

  beforeAll(async () => {
    await tenant.admin('POST', PRICES, { provider: 'open', model: '*', ...RATES });
    await provider({ name: 'open', models: ['*'] });
    for (const [at, model] of Object.keys(ALIASES).entries()) {
      const scope = { kind: 'model', value: `open/${model}` };
      if (at % 2 === 0) await tenant.admin('POST', '/v1/organization/budgets', { scope, limit: '0', period: 'month' });
      else await tenant.admin('POST', '/v1/organization/rate_limits', { scope, max_requests_per_1_minute: 0 });
    }
    await tenant.admin('POST', '/v1/organization/rate_limits', {
      scope: { kind: 'model', value: 'open/Anthropic.Claude-Sonnet-4-5' },
      max_requests_per_1_minute: 0,
    });
  });

  test.each(asked)('what counts %s counts %s', async (_, name) => {
    expect([402, 429]).toContain((await call(`open/${name}`)).status);
    expect(rig.upstream.calls).toEqual([]);
  });

  test('other models are not counted with it', async () => {
    for (const name of ['gpt-5-mini', 'gpt-5.1', 'gpt-50']) expect([name, (await call(`open/${name}`)).status]).toEqual([name, 200]);
  });

  test.each(NO_NAMES)('%j is the name of no model', async (name) => {
    expect([400, 404]).toContain((await call(`open/${name}`)).status);
    expect(rig.upstream.calls).toEqual([]);
  });
});

describe('a provider that serves another model than was asked for', () => {
  const serves =
    (model: string, usage: object = {}): Script =>
    (request, response) =>
      json(200, {
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model,
        choices: [{ index: 0, message: { role: 'assistant', content: 'Hi' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 1_000, completion_tokens: 1_000, total_tokens: 2_000, ...usage },
      })(request, response);
  const cost = async (model: string) => (await call(model)).headers.get('x-weir-cost');

  beforeAll(async () => {
    const prices: [string, string, string][] = [
      ['cheap', '1', '2'],
      ['dear', '100', '200'],
      ['*', '500', '500'],
    ];
    for (const [model, input, output] of prices) await tenant.admin('POST', PRICES, { provider: 'router', model, input, output });
    await provider({ name: 'router', models: ['*'] }, 'router/cheap');
    await eventually(async () => (await cost('router/cheap')) !== null);
  });

  test('is booked at the dearer of both, and it is seen', async () => {
    const [others, dearer] = [await figure('weir_calls_served_other_total'), await figure('weir_calls_served_dearer_total')];
    rig.upstream.script = serves('cheap');
    expect(await cost('router/cheap')).toBe('0.003');
    rig.upstream.script = serves('dear');
    expect(await cost('router/cheap')).toBe('0.30');
    rig.upstream.script = serves('cheap');
    expect(await cost('router/dear')).toBe('0.30');
    expect(await figure('weir_calls_served_other_total')).toBe(others + 2);
    expect(await figure('weir_calls_served_dearer_total')).toBe(dearer + 1);
  });

  test.each(['cheap-2026-01-01', 'CHEAP', 'models/cheap', 'a-name-of-its-own'])(
    'called %s, which has no price by itself, costs what was asked for',
    async (name) => {
      rig.upstream.script = serves(name);
      expect(await cost('router/cheap')).toBe('0.003');
    },
  );

  test('of the catalog’s, on a provider that is lent, is booked at the dearer of both', async () => {
    await lend(rig.weir, [tenant], {
      name: 'vendor',
      type: 'openai',
      dialect: 'openai-chat',
      base_url: rig.upstream.baseUrl,
      key: 'secret',
    });
    await eventually(async () => (await call('vendor/gpt-4o-mini')).status === 200);
    rig.upstream.script = serves('gpt-4o-mini-2024-07-18');
    const small = Number(await cost('vendor/gpt-4o-mini'));
    rig.upstream.script = serves('gpt-4o-2024-08-06');
    expect(Number(await cost('vendor/gpt-4o-mini'))).toBeGreaterThan(small * 10);
  });

  test.each([
    [{ cost: 0.003 }, '0.003', 0, 0],
    [{ cost: 0.3 }, '0.30', 1, 0],
    [{ cost: 0.0003 }, '0.0003', 0, 1],
    [{ cost_in_usd_ticks: 300_000_000 }, '0.03', 1, 0],
  ])('reporting %j: its cost is kept, compared, and not booked', async (usage, reported, low, high) => {
    const [lows, highs] = [await figure('weir_costs_booked_low_total'), await figure('weir_costs_booked_high_total')];
    rig.upstream.script = serves('cheap', usage);
    const { headers } = await call('router/cheap');
    expect(headers.get('x-weir-cost')).toBe('0.003');
    expect(await tenant.admin('GET', `/v1/organization/calls/${headers.get('x-request-id')}`)).toMatchObject({
      cost: '0.003',
      provider_cost: reported,
    });
    expect(await figure('weir_costs_booked_low_total')).toBe(lows + low);
    expect(await figure('weir_costs_booked_high_total')).toBe(highs + high);
  });
});
