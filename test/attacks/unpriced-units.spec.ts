import { createTenant, eventually, type TestTenant } from '../support/weir.js';
import { modelOf, PROVIDER_FORMATS, type ProviderFormat, type Rig, startRig } from './support/formats.js';
import { CALLS, CONVERSATIONS, type SurfaceRow, send } from './support/surfaces.js';

/** Fields and values that ask for more than text tokens, whatever the surface. */
const FIELDS: readonly [string, unknown][] = [
  ['web_search_options', {}],
  ['search_parameters', { mode: 'auto' }],
  ['enable_search', true],
  ['venice_parameters', { enable_web_search: 'auto' }],
  ['venice_parameters', { enable_web_search: 'off', enable_web_scraping: true }],
  ['connectors', [{ id: 'web-search' }]],
  ['mcp_servers', [{ type: 'url', url: 'https://example.com', name: 'x' }]],
  ['service_tier', 'priority'],
  ['service_tier', 'fast'],
  ['service_tier', 'flex'],
  ['service_tier', 'scale'],
  ['speed', 'fast'],
  ['inference_geo', 'us'],
  ['modalities', ['text', 'audio']],
];

/** Tools that providers run, as each format writes them. */
const TOOLS: Readonly<Record<string, readonly object[]>> = {
  '/v1/chat/completions': [
    { googleSearch: {} },
    { codeExecution: {} },
    { urlContext: {} },
    { type: 'browser_search' },
    { type: 'openrouter:web_search' },
  ],
  '/v1/responses': [
    { type: 'web_search' },
    { type: 'web_search_preview_2025_03_11' },
    { type: 'file_search', vector_store_ids: ['vs'] },
    { type: 'code_interpreter', container: { type: 'auto' } },
    { type: 'image_generation' },
    { type: 'mcp', server_label: 'x', server_url: 'https://example.com' },
    { type: 'computer_use_preview', display_width: 1, display_height: 1, environment: 'browser' },
  ],
  '/v1/messages': [
    { type: 'web_search_20250305', name: 'web_search' },
    { type: 'web_fetch_20250910', name: 'web_fetch' },
    { type: 'code_execution_20250825', name: 'code_execution' },
    { type: 'advisor_20260301', name: 'advisor' },
  ],
};

/** Models that bill more than text. */
const MODELS = [
  'gpt-audio',
  'gpt-4o-mini-audio-preview',
  'gpt-realtime-mini',
  'gemini-2.5-flash-image',
  'gemini-3-pro-image-preview',
  'gpt-4o-search-preview',
  'sonar-pro',
  'groq/compound',
  'qwen3-4b:enable_web_search=on&enable_web_citations=true',
  'qwen3-4b:strip_thinking_response=true&enable_web_scraping=true',
];

/** The surface whose format a provider speaks itself: nothing is translated. */
const OWN: Readonly<Record<string, ProviderFormat['dialect']>> = {
  '/v1/chat/completions': 'openai-chat',
  '/v1/responses': 'openai-responses',
  '/v1/messages': 'anthropic-messages',
};

const VERBATIM = CONVERSATIONS.filter(({ path }) => OWN[path]).map((surface) => ({
  surface,
  format: PROVIDER_FORMATS.find(({ dialect }) => dialect === OWN[surface.path])!,
}));

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const cases = (surface: SurfaceRow): [string, object][] => [
  ...FIELDS.map(([field, value]): [string, object] => [field, { [field]: value }]),
  ...TOOLS[surface.path]!.map((tool): [string, object] => ['tools[1]', { tools: [CLIENTS[surface.path]![0], tool] }]),
];

/** Tools that the client runs itself. */
const CLIENTS: Readonly<Record<string, ({ type?: string } & Record<string, unknown>)[]>> = {
  '/v1/chat/completions': [{ type: 'function', function: { name: 'f', parameters: { type: 'object' } } }],
  '/v1/responses': [{ type: 'function', name: 'f', parameters: { type: 'object' } }],
  '/v1/messages': [
    { name: 'f', input_schema: { type: 'object' } },
    { type: 'custom', name: 'f', input_schema: { type: 'object' } },
    { type: 'computer_20250124', name: 'computer', display_width_px: 800, display_height_px: 600 },
  ],
};

const refused = async (reply: Response, field: string) => {
  const body = (await reply.json()) as { error: { code?: string; message: string; param?: string } };
  const { code = '', message } = body.error;
  return reply.status === 422 && message.includes(`"${field}"`) && (code === '' || code === 'feature_not_priced')
    ? []
    : [`${field}: ${reply.status} ${code} ${message}`];
};

test('what has no unit is refused where a cost limit applies, naming the field, and nothing is sent', async () => {
  const wrong: string[] = [];
  for (const { surface, format } of VERBATIM) {
    rig.upstream.script = format.says({ text: 'x', usage: { input: 9, cacheRead: 0, output: 1 } });
    const before = rig.upstream.calls.length;
    for (const [field, more] of cases(surface)) {
      const reply = await send(rig.to, surface, surface.body(modelOf(format), 'Hello', more), { 'x-weir-max-cost': '5' });
      wrong.push(...(await refused(reply, field)).map((one) => `${surface.path} ${one}`));
    }
    for (const model of MODELS) {
      const reply = await send(rig.to, surface, surface.body(`${format.dialect}/${model}`), { 'x-weir-max-cost': '5' });
      wrong.push(...(await refused(reply, 'model')).map((one) => `${surface.path} ${model} ${one}`));
    }
    expect(rig.upstream.calls.length).toBe(before);
    // What the client runs itself, and what changes nothing, is served.
    for (const service_tier of ['auto', surface.path === '/v1/messages' ? 'standard_only' : 'default'])
      for (const tool of CLIENTS[surface.path]!) {
        const plain = surface.body(modelOf(format), 'Hello', { tools: [tool], service_tier });
        const reply = await send(rig.to, surface, plain, { 'x-weir-max-cost': '5' });
        if (reply.status !== 200) wrong.push(`${surface.path} ${service_tier} ${tool.type}: ${reply.status} ${await reply.text()}`);
      }
  }
  expect(wrong).toEqual([]);
});

test('a tier that translation keeps is refused on every surface and in every format, a field that it leaves out is not', async () => {
  const wrong: string[] = [];
  for (const surface of CONVERSATIONS.filter(({ path }) => path !== '/v1/completions'))
    for (const format of PROVIDER_FORMATS.filter(({ dialect }) => dialect !== 'openai-completions')) {
      const reply = await send(rig.to, surface, surface.body(modelOf(format), 'Hello', { service_tier: 'priority' }), {
        'x-weir-max-cost': '5',
      });
      wrong.push(...(await refused(reply, 'service_tier')).map((one) => `${surface.path} ${format.dialect} ${one}`));
    }
  const surface = CALLS.find(({ path }) => path === '/v1/responses')!;
  const format = PROVIDER_FORMATS.find(({ dialect }) => dialect === 'anthropic-messages')!;
  rig.upstream.script = format.says({ text: 'x', usage: { input: 9, cacheRead: 0, output: 1 } });
  const tools = [{ type: 'web_search' }, { type: 'function', name: 'f' }];
  const reply = await send(rig.to, surface, surface.body(modelOf(format), 'Hello', { tools }), { 'x-weir-max-cost': '5' });
  if (reply.status !== 200) wrong.push(`left out: ${reply.status} ${await reply.text()}`);
  expect(wrong).toEqual([]);
});

describe('without a hard cap', () => {
  const lastCost = async () => {
    const { rows } = await rig.weir.db.query<{ amount: string }>(
      `SELECT sum(amount) AS amount FROM ledger_entries WHERE call_id = (SELECT call_id FROM ledger_entries ORDER BY booked_at DESC LIMIT 1)`,
    );
    return Number(rows[0]!.amount) / 1e9;
  };

  let tenant: TestTenant;
  let to: Rig['to'];

  beforeAll(async () => {
    tenant = await createTenant(rig.weir);
    to = { publicUrl: rig.weir.publicUrl, apiKey: tenant.apiKey };
    // A provider by the vendor's name has the catalog's prices.
    const base = `http://${rig.upstream.hostPort}`;
    for (const [name, path] of [
      ['openai', '/v1'],
      ['anthropic', ''],
      ['gemini', '/v1beta'],
    ] as const)
      await tenant.admin('POST', '/v1/organization/providers', {
        name,
        type: name,
        base_url: base + path,
        models: ['*'],
        key: 'secret',
      });
    await eventually(() => tenant.openai.models.retrieve('openai/gpt-audio').then(Boolean, () => false));
    await eventually(() => tenant.openai.models.retrieve('gemini/gemini-2.5-flash-image').then(Boolean, () => false));
  });

  const chat = CALLS.find(({ path }) => path === '/v1/chat/completions')!;
  const messages = CALLS.find(({ path }) => path === '/v1/messages')!;
  const responses = CALLS.find(({ path }) => path === '/v1/responses')!;
  const says =
    (body: object) => (_call: unknown, response: { writeHead: (status: number, headers: object) => void; end: (text: string) => void }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
  const completion = (usage: object) => ({
    id: 'c',
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }],
    usage,
  });

  test('sound is booked at the rates of sound', async () => {
    const usage = {
      prompt_tokens: 1000,
      completion_tokens: 1000,
      total_tokens: 2000,
      prompt_tokens_details: { audio_tokens: 1000 },
      completion_tokens_details: { audio_tokens: 1000 },
    };
    rig.upstream.script = says(completion(usage)) as never;
    expect((await send(to, chat, chat.body('openai/gpt-audio', 'Hello', { modalities: ['text', 'audio'] }))).status).toBe(200);
    expect(await lastCost()).toBeCloseTo(0.096, 9);
  });

  test('sound of which the reply says nothing is booked at the dearest rate of its side', async () => {
    rig.upstream.script = says(completion({ prompt_tokens: 1000, completion_tokens: 1000, total_tokens: 2000 })) as never;
    expect((await send(to, chat, chat.body('openai/gpt-audio', 'Hello', { modalities: ['text', 'audio'] }))).status).toBe(200);
    expect(await lastCost()).toBeCloseTo(0.0665, 9);
  });

  test('images are booked at the rate of images', async () => {
    const usageMetadata = {
      promptTokenCount: 100,
      candidatesTokenCount: 1290,
      totalTokenCount: 1390,
      candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1290 }],
    };
    rig.upstream.script = says({ candidates: [{ content: { parts: [{ text: 'x' }] }, finishReason: 'STOP' }], usageMetadata }) as never;
    expect((await send(to, chat, chat.body('gemini/gemini-2.5-flash-image'))).status).toBe(200);
    expect(await lastCost()).toBeCloseTo((100 * 0.3 + 1290 * 30) / 1e6, 9);
  });

  test('searches are booked by the count of the reply, by its items, or as one', async () => {
    const message = {
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'claude-opus-5-5',
      content: [{ type: 'text', text: 'x' }],
      stop_reason: 'end_turn',
    };
    rig.upstream.script = says({
      ...message,
      usage: { input_tokens: 100, output_tokens: 10, server_tool_use: { web_search_requests: 3 } },
    }) as never;
    const tools = { tools: [{ type: 'web_search_20250305', name: 'web_search' }] };
    expect((await send(to, messages, messages.body('anthropic/claude-opus-5-5', 'Hello', tools))).status).toBe(200);
    expect(await lastCost()).toBeCloseTo((100 * 4 + 10 * 20) / 1e6 + 0.03, 9);
    const output = [
      { type: 'web_search_call', id: 'ws', status: 'completed' },
      { type: 'web_search_call', id: 'ws2', status: 'completed' },
      { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'x' }] },
    ];
    rig.upstream.script = says({
      id: 'r',
      object: 'response',
      status: 'completed',
      model: 'gpt-5',
      output,
      usage: { input_tokens: 100, output_tokens: 10, total_tokens: 110 },
    }) as never;
    expect((await send(to, responses, responses.body('openai/gpt-5', 'Hello', { tools: [{ type: 'web_search' }] }))).status).toBe(200);
    expect(await lastCost()).toBeCloseTo((100 * 1.25 + 10 * 10) / 1e6 + 0.02, 9);
    rig.upstream.script = says(completion({ prompt_tokens: 100, completion_tokens: 10, total_tokens: 110 })) as never;
    expect((await send(to, chat, chat.body('openai/gpt-4o', 'Hello', { web_search_options: {} }))).status).toBe(200);
    expect(await lastCost()).toBeGreaterThanOrEqual(0.01);
  });

  test('a container is booked once an answer, by the memory that was asked for', async () => {
    const replied = (output: object[]) =>
      says({
        id: 'r',
        object: 'response',
        status: 'completed',
        model: 'gpt-5',
        output: [...output, { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'x' }] }],
        usage: { input_tokens: 100, output_tokens: 10, total_tokens: 110 },
      }) as never;
    const run = { type: 'code_interpreter_call', id: 'ci', status: 'completed' };
    const text = (100 * 1.25 + 10 * 10) / 1e6;
    for (const [container, output, fee] of [
      [{ type: 'auto' }, [run, run, run], 0.03],
      [{ type: 'auto', memory_limit: '64g' }, [run], 1.92],
      // It was made, though nothing ran in it.
      [{ type: 'auto', memory_limit: '4g' }, [], 0.12],
      // One that exists may be of any size.
      ['cntr_1', [run, run], 1.92],
    ] as const) {
      rig.upstream.script = replied([...output]);
      const tools = { tools: [{ type: 'code_interpreter', container }] };
      expect((await send(to, responses, responses.body('openai/gpt-5', 'Hello', tools))).status).toBe(200);
      expect([container, await lastCost()]).toEqual([container, expect.closeTo(text + fee, 9)]);
    }
  });

  test('a tier, a speed and a region are booked at their multiples', async () => {
    rig.upstream.script = says(completion({ prompt_tokens: 1000, completion_tokens: 1, total_tokens: 1001 })) as never;
    expect((await send(to, chat, chat.body('openai/gpt-5', 'Hello', { service_tier: 'priority' }))).status).toBe(200);
    expect(await lastCost()).toBeCloseTo(0.00252, 9);
    const message = {
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'claude-opus-5-5',
      content: [{ type: 'text', text: 'x' }],
      stop_reason: 'end_turn',
    };
    rig.upstream.script = says({
      ...message,
      usage: { input_tokens: 1000, output_tokens: 1, speed: 'fast', inference_geo: 'us' },
    }) as never;
    expect(
      (await send(to, messages, messages.body('anthropic/claude-opus-5-5', 'Hello', { speed: 'fast', inference_geo: 'us' }))).status,
    ).toBe(200);
    expect(await lastCost()).toBeCloseTo(0.008844, 9);
  });

  test.each([
    ['claude-opus-4-8', 2],
    ['claude-opus-5', 2],
    ['claude-opus-4-6', 6],
  ])('%s is %i times as dear when it is fast', async (model, times) => {
    const usage = { input_tokens: 1000, output_tokens: 1, speed: 'fast' };
    const content = [{ type: 'text', text: 'x' }];
    rig.upstream.script = says({ id: 'm', type: 'message', role: 'assistant', model, content, stop_reason: 'end_turn', usage }) as never;
    expect((await send(to, messages, messages.body(`anthropic/${model}`, 'Hello', { speed: 'fast' }))).status).toBe(200);
    expect(await lastCost()).toBeCloseTo(0.005025 * times, 9);
  });

  test('pricing booked calls again keeps what was charged beyond text', async () => {
    const rerated = await tenant.admin<{ changed: number; calls: number }>('POST', '/v1/organization/prices/rerate', { start_time: 0 });
    expect(rerated.calls).toBeGreaterThan(5);
    expect(rerated.changed).toBe(0);
  });

  test('a hard budget refuses what it let through before', async () => {
    await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.10', period: 'lifetime' });
    const replies = await Promise.all(
      Array.from({ length: 10 }, () =>
        send(
          to,
          messages,
          messages.body('anthropic/claude-opus-5-5', 'Hello', { tools: [{ type: 'web_search_20250305', name: 'web_search' }] }),
        ),
      ),
    );
    expect(replies.map(({ status }) => status)).toEqual(Array(10).fill(422));
  });
});

describe('a web search that the request limits', () => {
  const FEE = 0.01;
  const WINDOW = 200_000;
  let tenant: TestTenant;
  let to: Rig['to'];
  const [messages, responses] = ['/v1/messages', '/v1/responses'].map((path) => CALLS.find((one) => one.path === path)!) as [
    SurfaceRow,
    SurfaceRow,
  ];

  beforeAll(async () => {
    tenant = await createTenant(rig.weir);
    to = { publicUrl: rig.weir.publicUrl, apiKey: tenant.apiKey };
    const base = `http://${rig.upstream.hostPort}`;
    for (const [name, path] of [
      ['anthropic', ''],
      ['openai', '/v1'],
    ] as const)
      await tenant.admin('POST', '/v1/organization/providers', { name, type: name, base_url: base + path, models: ['*'], key: 'secret' });
    await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '100.00', period: 'lifetime' });
    await eventually(() => tenant.openai.models.retrieve('openai/gpt-5').then(Boolean, () => false));
  });

  const says = (body: object) =>
    ((_call: unknown, response: { writeHead: (status: number, headers: object) => void; end: (text: string) => void }) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    }) as never;
  const message = (usage: object) =>
    says({
      id: 'm',
      type: 'message',
      role: 'assistant',
      model: 'claude-haiku-4-5',
      content: [{ type: 'text', text: 'x' }],
      stop_reason: 'end_turn',
      usage,
    });
  const response = (output: object[]) =>
    says({
      id: 'r',
      object: 'response',
      status: 'completed',
      model: 'gpt-5',
      output: [...output, { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'x' }] }],
      usage: { input_tokens: 100, output_tokens: 10, total_tokens: 110 },
    });
  const tool = (fields: object = {}) => ({ tools: [{ type: 'web_search_20250305', name: 'web_search', ...fields }] });
  const ask = (surface: SurfaceRow, more: object, headers: Record<string, string> = {}) =>
    send(to, surface, surface.body(surface === messages ? 'anthropic/claude-haiku-4-5' : 'openai/gpt-5', 'Hello', more), headers);
  /** What the last call held and cost in USD, its searches, and whether it is an estimate. */
  async function last() {
    const { data } = await tenant.admin<{ data: { id: string; cost: string; estimated: boolean; usage: { web_searches: number } }[] }>(
      'GET',
      '/v1/organization/calls?limit=1',
    );
    const { id, cost, estimated, usage } = data[0]!;
    const explained = await tenant.admin<{ bookings: { held: string; lines: { class: string; quantity: number; rate: string }[] }[] }>(
      'GET',
      `/v1/organization/calls/${id}/explain`,
    );
    const { held, lines } = explained.bookings[0]!;
    return { cost: Number(cost), estimated, searches: usage.web_searches, held: Number(held), lines };
  }

  test('is held at its fee and at all that the model may read again, and booked by the count of the reply', async () => {
    rig.upstream.script = message({ input_tokens: 1_000, output_tokens: 10, server_tool_use: { web_search_requests: 2 } });
    expect((await ask(messages, tool({ max_uses: 3 }))).status).toBe(200);
    const { held, lines, ...booked } = await last();
    expect(booked).toEqual({ cost: expect.closeTo((1_000 + 10 * 5) / 1e6 + 2 * FEE, 9), estimated: false, searches: 2 });
    // Input at $2, the dearest class, read once more after each search.
    expect(held).toBeGreaterThan(3 * FEE + (3 * WINDOW * 2) / 1e6);
    expect(lines).toContainEqual(expect.objectContaining({ class: 'web_search', quantity: 2, rate: '10.00' }));
  });

  test('that did not happen costs nothing, and is no estimate', async () => {
    rig.upstream.script = message({ input_tokens: 1_000, output_tokens: 10 });
    expect((await ask(messages, tool({ max_uses: 3 }))).status).toBe(200);
    expect(await last()).toMatchObject({ cost: expect.closeTo((1_000 + 10 * 5) / 1e6, 9), estimated: false, searches: 0 });
  });

  test('is counted by the items of a response, where `max_tool_calls` limits it', async () => {
    rig.upstream.script = response([
      { type: 'web_search_call', id: 'ws', status: 'completed' },
      { type: 'web_search_call', id: 'ws2', status: 'completed' },
    ]);
    expect((await ask(responses, { tools: [{ type: 'web_search' }], max_tool_calls: 2 })).status).toBe(200);
    expect(await last()).toMatchObject({ cost: expect.closeTo((100 * 1.25 + 10 * 10) / 1e6 + 2 * FEE, 9), searches: 2, estimated: false });
  });

  test('in files is held and booked at a fee of its own', async () => {
    rig.upstream.script = response([{ type: 'file_search_call', id: 'fs', status: 'completed', queries: ['x'], results: null }]);
    const both = { tools: [{ type: 'file_search', vector_store_ids: ['vs'] }, { type: 'web_search' }], max_tool_calls: 2 };
    expect((await ask(responses, both)).status).toBe(200);
    const { cost, held, lines, estimated } = await last();
    expect({ cost, estimated }).toEqual({ cost: expect.closeTo((100 * 1.25 + 10 * 10) / 1e6 + 0.0025, 9), estimated: false });
    expect(held).toBeGreaterThan(2 * (FEE + 0.0025) + (2 * WINDOW * 1.25) / 1e6);
    expect(lines).toContainEqual(expect.objectContaining({ class: 'file_search', quantity: 1, rate: '2.50' }));
  });

  test('by a version that filters with code is served where only the model itself may call it', async () => {
    rig.upstream.script = message({ input_tokens: 1_000, output_tokens: 10 });
    const later = { type: 'web_search_20260318', name: 'web_search', max_uses: 1, allowed_callers: ['direct'] };
    expect((await ask(messages, { tools: [later] })).status).toBe(200);
  });

  test('of which no count comes is booked at all that was held, and nothing more', async () => {
    rig.upstream.script = message({});
    expect((await ask(messages, tool({ max_uses: 1 }))).status).toBe(200);
    const { cost, held, searches, estimated } = await last();
    expect({ cost, searches, estimated }).toEqual({ cost: held, searches: 1, estimated: true });
  });

  test.each([
    ['no limit', () => ask(messages, tool()), 'max_uses'],
    ['a limit that is no number', () => ask(messages, tool({ max_uses: '3' })), 'max_uses'],
    ['no limit on what a response calls', () => ask(responses, { tools: [{ type: 'web_search' }] }), 'max_tool_calls'],
    [
      'another tool beside it',
      () => ask(messages, { tools: [...tool({ max_uses: 1 }).tools, { type: 'web_fetch_20250910', name: 'w' }] }),
      '',
    ],
    ['another tier beside it', () => ask(responses, { tools: [{ type: 'web_search' }], max_tool_calls: 1, service_tier: 'priority' }), ''],
    ['another version of it', () => ask(responses, { tools: [{ type: 'web_search_preview' }], max_tool_calls: 1 }), ''],
    [
      'code that may search again and again',
      () => ask(messages, { tools: [{ type: 'web_search_20260209', name: 'web_search', max_uses: 1 }] }),
      '',
    ],
    ['code as a caller', () => ask(messages, tool({ max_uses: 1, allowed_callers: ['direct', 'code_execution_20250825'] })), ''],
    ['too low a cost limit', () => ask(messages, tool({ max_uses: 1 }), { 'x-weir-max-cost': '0.30' }), null],
  ])('with %s is refused, and nothing is sent', async (_, make, named) => {
    const before = rig.upstream.calls.length;
    const reply = await make();
    const { error } = (await reply.json()) as { error: { message: string } };
    expect([reply.status, error.message]).toEqual([named === null ? 402 : 422, expect.stringContaining(named ?? '')]);
    expect(rig.upstream.calls.length).toBe(before);
  });

  test('without a known fee is refused; one that a person sets is known', async () => {
    rig.upstream.script = message({ input_tokens: 1_000, output_tokens: 10, server_tool_use: { web_search_requests: 1 } });
    const body = messages.body('anthropic/claude-x', 'Hello', tool({ max_uses: 1 }));
    const price = { provider: 'anthropic', model: 'claude-x', input: '1', output: '5' };
    await tenant.admin('POST', '/v1/organization/prices', price);
    expect((await send(to, messages, body)).status).toBe(422);
    expect(await tenant.admin('POST', '/v1/organization/prices', { ...price, web_search: '20' })).toMatchObject({ web_search: '20.00' });
    expect((await send(to, messages, body)).status).toBe(200);
    expect(await last()).toMatchObject({ cost: expect.closeTo((1_000 + 10 * 5) / 1e6 + 0.02, 9), searches: 1 });
  });
});

describe('sound and images under a hard budget', () => {
  let tenant: TestTenant;
  let to: Rig['to'];
  const chat = CALLS.find(({ path }) => path === '/v1/chat/completions')!;

  beforeAll(async () => {
    tenant = await createTenant(rig.weir);
    to = { publicUrl: rig.weir.publicUrl, apiKey: tenant.apiKey };
    const base = `http://${rig.upstream.hostPort}`;
    for (const [name, path] of [
      ['openai', '/v1'],
      ['gemini', '/v1beta'],
    ] as const)
      await tenant.admin('POST', '/v1/organization/providers', { name, type: name, base_url: base + path, models: ['*'], key: 'secret' });
    await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '100.00', period: 'lifetime' });
    await eventually(() => tenant.openai.models.retrieve('gemini/gemini-2.5-flash-image').then(Boolean, () => false));
  });

  const says = (body: object) => {
    rig.upstream.script = ((
      _call: unknown,
      response: { writeHead: (status: number, headers: object) => void; end: (text: string) => void },
    ) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    }) as never;
  };
  const completion = (usage?: object) => ({
    id: 'c',
    model: 'gpt-audio',
    choices: [{ index: 0, message: { role: 'assistant', content: 'x' }, finish_reason: 'stop' }],
    ...(usage && { usage }),
  });
  const SPOKEN = { modalities: ['text', 'audio'], audio: { voice: 'alloy', format: 'wav' }, max_tokens: 1_000 };
  const ask = (model: string, more: object) => send(to, chat, chat.body(model, 'Hello', more));
  async function last() {
    const { data } = await tenant.admin<{ data: { id: string; cost: string; estimated: boolean; usage: Record<string, number> }[] }>(
      'GET',
      '/v1/organization/calls?limit=1',
    );
    const { id, cost, estimated, usage } = data[0]!;
    const { bookings } = await tenant.admin<{ bookings: { held: string; lines: { class: string; quantity: number; rate: string }[] }[] }>(
      'GET',
      `/v1/organization/calls/${id}/explain`,
    );
    return { cost: Number(cost), estimated, usage, held: Number(bookings[0]!.held), lines: bookings[0]!.lines };
  }

  test('a spoken answer is held at the rate of sound up to its limit, and booked by its units', async () => {
    says(
      completion({
        prompt_tokens: 100,
        completion_tokens: 900,
        total_tokens: 1000,
        completion_tokens_details: { audio_tokens: 800, text_tokens: 100 },
      }),
    );
    expect((await ask('openai/gpt-audio', SPOKEN)).status).toBe(200);
    const { held, lines, usage, ...booked } = await last();
    expect(booked).toEqual({ cost: expect.closeTo((100 * 2.5 + 100 * 10 + 800 * 64) / 1e6, 9), estimated: false });
    expect(held).toBeGreaterThanOrEqual((1_000 * 64) / 1e6);
    expect(usage).toMatchObject({ output_tokens: 900, audio_output_tokens: 800 });
    expect(lines).toContainEqual(expect.objectContaining({ class: 'audio_output', quantity: 800, rate: '64.00' }));
  });

  test('pricing it again follows the rates of sound', async () => {
    const price = { provider: 'openai', model: 'gpt-audio', input: '2.50', output: '10', audio_output: '100', effective_at: 0 };
    expect(await tenant.admin('POST', '/v1/organization/prices', price)).toMatchObject({ audio_output: '100.00', image_output: null });
    const rerated = await tenant.admin<{ difference: string }>('POST', '/v1/organization/prices/rerate', { start_time: 0 });
    expect(Number(rerated.difference)).toBeCloseTo((800 * 36) / 1e6, 9);
  });

  test('of which no count comes it is booked at all that was held', async () => {
    says(completion());
    expect((await ask('openai/gpt-audio', SPOKEN)).status).toBe(200);
    const { cost, held, estimated } = await last();
    expect({ cost, estimated }).toEqual({ cost: held, estimated: true });
  });

  test('an answer with images is held at their rate, and at one image beyond its limit', async () => {
    says({
      candidates: [{ content: { parts: [{ text: 'x' }] }, finishReason: 'STOP' }],
      usageMetadata: {
        promptTokenCount: 100,
        candidatesTokenCount: 1290,
        totalTokenCount: 1390,
        candidatesTokensDetails: [{ modality: 'IMAGE', tokenCount: 1290 }],
      },
    });
    expect((await ask('gemini/gemini-2.5-flash-image', { max_tokens: 500 })).status).toBe(200);
    const { cost, held, usage } = await last();
    expect({ cost, images: usage['image_output_tokens'] }).toEqual({
      cost: expect.closeTo((100 * 0.3 + 1290 * 30) / 1e6, 9),
      images: 1290,
    });
    expect(held).toBeGreaterThan(((500 + 1290) * 30) / 1e6);
  });

  test.each([
    ['a medium that the price has no rate for', () => ask('openai/gpt-4o', { modalities: ['text', 'audio'] }), 'modalities'],
    ['a medium that is not known', () => ask('openai/gpt-audio', { modalities: ['text', 'video'] }), 'modalities'],
    ['another tier beside it', () => ask('openai/gpt-audio', { ...SPOKEN, service_tier: 'priority' }), 'service_tier'],
    [
      'an earlier answer that is not in the request',
      () =>
        ask('openai/gpt-audio', {
          ...SPOKEN,
          messages: [
            { role: 'assistant', audio: { id: 'audio_1' } },
            { role: 'user', content: 'x' },
          ],
        }),
      'messages[0].audio',
    ],
  ])('%s is refused, and nothing is sent', async (_, make, named) => {
    const before = rig.upstream.calls.length;
    expect(await refused(await make(), named)).toEqual([]);
    expect(rig.upstream.calls.length).toBe(before);
  });
});
