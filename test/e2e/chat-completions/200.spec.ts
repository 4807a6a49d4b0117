import { brokenInvariants } from '../../support/ledger.js';
import { answer, chunk, delta, stream, USAGE } from '../../support/upstream.js';
import { booked, createTenant } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const MESSAGES = [{ role: 'user' as const, content: 'Hello' }];
/** 9 input tokens at $1 and 12 output tokens at $2 per million. */
const COST = 33_000n;

const { weir, tenant, upstream } = withWeir({ tenant: 'each', hasProvider: true });

beforeEach(async () => {
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1.00', period: 'month' });
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

test('text: the reply is the provider’s own, the cost is in a header and in the ledger to the nano-dollar', async () => {
  const { data, response } = await tenant.openai.chat.completions
    .create({ model: 'up/test-model', messages: MESSAGES, max_tokens: 50 })
    .withResponse();
  expect(data).toMatchObject({
    id: 'chatcmpl-1',
    model: 'test-model-2026',
    usage: USAGE,
    choices: [{ message: { content: 'Hello from upstream' }, finish_reason: 'stop' }],
  });
  expect(response.headers.get('x-weir-cost')).toBe('0.000033');
  expect(response.headers.get('x-weir-model')).toBe('up/test-model');
  expect(response.headers.get('x-weir-provider')).toBe('up');
  expect(response.headers.get('x-weir-max-tokens')).toBeNull();
  expect(await booked(weir, tenant)).toEqual([
    {
      id: response.headers.get('x-request-id'),
      status: 'completed',
      http_status: 200,
      estimated: false,
      error_code: null,
      kind: 'usage',
      amount: COST,
      input: 9,
      cache_read: 0,
      output: 12,
    },
  ]);
});

test('what goes upstream is the client’s body with the model’s own id, the output limit and the provider’s key, and no header of the client', async () => {
  await tenant.openai.chat.completions.create(
    { model: 'up/other/model', messages: MESSAGES, seed: 7, user: 'u1' },
    { headers: { 'x-client-header': 'secret', cookie: 'a=b' } },
  );
  const [call] = upstream.calls;
  expect(call!.path).toBe('/v1/chat/completions');
  expect(call!.body).toEqual({ model: 'other/model', messages: MESSAGES, seed: 7, user: 'u1', max_tokens: 32_768 });
  expect(Object.keys(call!.headers).sort()).toEqual([
    'accept',
    'accept-encoding',
    'authorization',
    'connection',
    'content-length',
    'content-type',
    'host',
    'user-agent',
    'via',
  ]);
  expect(call!.headers).toMatchObject({
    authorization: 'Bearer sk-up-secret-of-the-provider',
    'accept-encoding': 'identity',
    'user-agent': 'weir',
  });
});

test('a stream without usage asked for: the text arrives, usage stays hidden, and the booking is exact', async () => {
  let text = '';
  for await (const part of await tenant.openai.chat.completions.create({ model: 'up/test-model', messages: MESSAGES, stream: true })) {
    expect(part).not.toHaveProperty('usage');
    expect(part.choices).toHaveLength(1);
    text += part.choices[0]?.delta.content ?? '';
  }
  expect(text).toBe('Hello from upstream');
  expect(upstream.calls[0]!.body.stream_options).toEqual({ include_usage: true });
  expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', amount: COST, input: 9, output: 12, estimated: false }]);
});

test('a stream with usage asked for ends with the provider’s usage and the cost', async () => {
  const parts = [];
  for await (const part of await tenant.openai.chat.completions.create({
    model: 'up/test-model',
    messages: MESSAGES,
    stream: true,
    stream_options: { include_usage: true },
  }))
    parts.push(part);
  expect(parts.at(-1)).toMatchObject({ choices: [], usage: { ...USAGE, cost: 0.000033 } });
  expect(parts.filter((part) => part.usage)).toHaveLength(1);
});

test('streamed tool calls arrive as the provider sent them', async () => {
  const call = (index: number, fields: object) => delta({ tool_calls: [{ index, ...fields }] });
  upstream.script = stream([
    delta({ role: 'assistant', content: null }),
    call(0, { id: 'call_a', type: 'function', function: { name: 'weather', arguments: '' } }),
    call(0, { function: { arguments: '{"city":' } }),
    call(1, { id: 'call_b', type: 'function', function: { name: 'time', arguments: '{}' } }),
    call(0, { function: { arguments: '"Köln"}' } }),
    delta({}, 'tool_calls'),
    chunk({ choices: [], usage: USAGE }),
    'data: [DONE]\n\n',
  ]);
  const runner = tenant.openai.chat.completions.stream({
    model: 'up/test-model',
    messages: MESSAGES,
    tools: [{ type: 'function', function: { name: 'weather', parameters: {} } }],
  });
  const { choices } = await runner.finalChatCompletion();
  expect(choices[0]!.message.tool_calls).toMatchObject([
    { id: 'call_a', function: { name: 'weather', arguments: '{"city":"Köln"}' } },
    { id: 'call_b', function: { name: 'time', arguments: '{}' } },
  ]);
  expect(choices[0]!.finish_reason).toBe('tool_calls');
  expect(await booked(weir, tenant)).toMatchObject([{ amount: COST }]);
});

test('cached input is booked at its own rate', async () => {
  upstream.script = answer('x', { prompt_tokens: 100, completion_tokens: 10, prompt_tokens_details: { cached_tokens: 60 } });
  await tenant.openai.chat.completions.create({ model: 'up/test-model', messages: MESSAGES });
  expect(await booked(weir, tenant)).toMatchObject([{ input: 40, cache_read: 60, output: 10, amount: 66_000n }]);
});

test.each([
  ['absent', null],
  ['negative', { prompt_tokens: -5, completion_tokens: 1 }],
  ['a text', { prompt_tokens: 'twelve', completion_tokens: 1 }],
  ['absurd', { prompt_tokens: 1e300, completion_tokens: 1 }],
])('usage that is %s is replaced by Weir’s own meter and marked as an estimate', async (_name, usage) => {
  upstream.script = answer('four words of text', usage as never);
  await tenant.openai.chat.completions.create({ model: 'up/test-model', messages: MESSAGES, max_tokens: 50 });
  const [call] = await booked(weir, tenant);
  expect(call).toMatchObject({ status: 'completed', estimated: true });
  expect(call!.amount).toBeGreaterThan(0n);
  expect(call!.output).toBe(6); // 18 bytes, three to a token
});

test('a provider that reports more than the limit allowed is booked in full, the excess as an overrun', async () => {
  upstream.script = answer('x', { prompt_tokens: 9, completion_tokens: 1_000 });
  await tenant.openai.chat.completions.create({ model: 'up/test-model', messages: MESSAGES, max_tokens: 10 });
  const calls = await booked(weir, tenant);
  expect(calls.map((call) => call.kind).sort()).toEqual(['overrun', 'usage']);
  expect(calls.reduce((sum, call) => sum + call.amount!, 0n)).toBe(2_009_000n);
});

test('the key sees its own call and its budget; another tenant’s key does not', async () => {
  const { response } = await tenant.openai.chat.completions.create({ model: 'up/test-model', messages: MESSAGES }).withResponse();
  const id = response.headers.get('x-request-id')!;
  expect(await tenant.openai.get(`/calls/${id}`)).toMatchObject({
    id,
    object: 'call',
    cost: '0.000033',
    requested_model: 'up/test-model',
    served_model: 'test-model-2026',
    usage: { input_tokens: 9, output_tokens: 12 },
  });
  expect(await tenant.openai.get('/key')).toMatchObject({
    id: tenant.keyId,
    budgets: [{ limit: '1.00', spent: '0.000033', held: '0.00', remaining: '0.999967' }],
  });
  const stranger = await createTenant(weir);
  await expect(stranger.openai.get(`/calls/${id}`)).rejects.toMatchObject({ status: 404, code: 'not_found' });
});

test('a hundred calls at once: every one the provider served is booked once, with its own numbers, and nothing else is', async () => {
  let count = 0;
  upstream.script = (call, response) => answer('x', { prompt_tokens: ++count, completion_tokens: 2 * count })(call, response);
  await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      tenant.openai.chat.completions
        .create({ model: 'up/test-model', messages: MESSAGES, max_tokens: 300, stream: i % 2 === 0 } as never)
        .then(async (reply) => {
          if (i % 2 === 0) for await (const _part of reply as never as AsyncIterable<unknown>);
        }),
    ),
  );
  const calls = await booked(weir, tenant);
  const numbers = (list: { input: number; output: number }[]) => list.map(({ input, output }) => `${input}+${output}`).sort();
  expect(numbers(calls)).toEqual(
    numbers(upstream.calls.map((call) => ({ input: call.billed!.prompt_tokens, output: call.billed!.completion_tokens }))),
  );
  expect(calls.every((call) => call.amount === BigInt(call.input * 1_000 + call.output * 2_000))).toBe(true);
});

test('the usage the admin REST reports is what the provider reported', async () => {
  await tenant.openai.chat.completions.create({ model: 'up/test-model', messages: MESSAGES });
  const start = Math.floor(Date.now() / 1000) - 3_600;
  const usage = await tenant.admin<{ data: { results: object[] }[] }>(
    'GET',
    `/v1/organization/usage/completions?start_time=${start}&bucket_width=1d`,
  );
  expect(usage.data.flatMap((bucket) => bucket.results)).toMatchObject([{ input_tokens: 9, output_tokens: 12, num_model_requests: 1 }]);
  const costs = await tenant.admin<{ data: { results: object[] }[] }>('GET', `/v1/organization/costs?start_time=${start}`);
  expect(costs.data.flatMap((bucket) => bucket.results)).toMatchObject([{ amount: { value: 0.000033, currency: 'usd' } }]);
});

test('a provider that answers JSON with a body split over many packets is read whole', async () => {
  const body = JSON.stringify({
    id: 'x',
    object: 'chat.completion',
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', content: 'ä'.repeat(5_000) }, finish_reason: 'stop' }],
    usage: USAGE,
  });
  upstream.script = async (_call, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    for (let at = 0; at < body.length; at += 999) await new Promise((resolve) => response.write(body.slice(at, at + 999), resolve));
    response.end();
  };
  const reply = await tenant.openai.chat.completions.create({ model: 'up/test-model', messages: MESSAGES });
  expect(reply.choices[0]!.message.content).toBe('ä'.repeat(5_000));
});
