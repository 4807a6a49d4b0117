import type OpenAI from 'openai';
import { booked, createTenant, eventually, startTestWeir } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant } = withWeir();

beforeAll(async () => {
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  await eventually(async () => (await tenant.openai.models.list()).data.length > 0);
});

const ask = (changes: object = {}) => ({
  model: 'mock/echo',
  messages: [{ role: 'user' as const, content: 'Hi there, gateway' }],
  ...changes,
});

test('a tenant that has no mock provider has no mock/', async () => {
  const other = await createTenant(weir);
  await expect(other.openai.chat.completions.create(ask())).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
});

test('the same request gets the same answer, whole and streamed', async () => {
  const whole = (await tenant.openai.chat.completions.create(ask())).choices[0]!.message.content;
  let streamed = '';
  for await (const part of await tenant.openai.chat.completions.create({ ...ask(), stream: true }))
    streamed += part.choices[0]?.delta.content ?? '';
  expect([whole, streamed]).toEqual(['You said: Hi there, gateway', 'You said: Hi there, gateway']);
});

test('it obeys the output limit and reports its usage', async () => {
  const reply = await tenant.openai.chat.completions.create(ask({ max_tokens: 2 }));
  expect(reply).toMatchObject({
    choices: [{ message: { content: 'You said:' }, finish_reason: 'length' }],
    usage: { completion_tokens: 2 },
  });
});

test('it calls an offered tool once, with arguments its schema accepts, and then answers', async () => {
  const tools = [
    {
      type: 'function' as const,
      function: {
        name: 'book',
        parameters: {
          type: 'object',
          properties: { seats: { type: 'integer', minimum: 2 }, city: { enum: ['Oslo'] } },
          required: ['seats', 'city'],
        },
      },
    },
  ];
  const first = await tenant.openai.chat.completions.create({ ...ask(), tools });
  const [call] = first.choices[0]!.message.tool_calls!;
  expect(call).toMatchObject({ function: { name: 'book', arguments: '{"seats":2,"city":"Oslo"}' } });
  const second = await tenant.openai.chat.completions.create({
    ...ask(),
    tools,
    messages: [...ask().messages, first.choices[0]!.message, { role: 'tool', tool_call_id: call!.id, content: 'booked' }],
  });
  expect(second.choices[0]).toMatchObject({ finish_reason: 'stop', message: { content: 'You said: Hi there, gateway' } });
});

test('it gives what a JSON schema asks for', async () => {
  const schema = {
    type: 'object',
    properties: {
      name: { type: 'string' },
      tags: { type: 'array', items: { type: 'string' }, minItems: 2 },
      when: { type: 'string', format: 'date' },
    },
    required: ['name', 'tags', 'when'],
    additionalProperties: false,
  };
  const reply = await tenant.openai.chat.completions.create(
    ask({ response_format: { type: 'json_schema', json_schema: { name: 'x', schema } } }),
  );
  expect(JSON.parse(reply.choices[0]!.message.content!)).toEqual({ name: 'mock', tags: ['mock', 'mock'], when: '2026-01-01' });
});

test.each([
  ['mock/error-500', 502, 'upstream_error'],
  ['mock/error-429', 429, 'upstream_rate_limited'],
])('%s fails as asked', async (model, status, code) => {
  await expect(tenant.openai.chat.completions.create(ask({ model }))).rejects.toMatchObject({ status, code });
});

/** A stream to its end. @throws when it does not come to one. */
async function streamed(changes: object) {
  const parts: OpenAI.ChatCompletionChunk[] = [];
  const stream = (await tenant.openai.chat.completions.create({
    ...ask(changes),
    stream: true,
    stream_options: { include_usage: true },
  })) as unknown as AsyncIterable<OpenAI.ChatCompletionChunk>;
  for await (const part of stream) parts.push(part);
  return { text: parts.map((part) => part.choices[0]?.delta.content ?? '').join(''), usage: parts.findLast(({ usage }) => usage)?.usage };
}

const booking = async () => (await booked(weir, tenant)).at(-1);

test.each(['mock/drop', 'mock/truncated'])('%s breaks off in the middle, streamed and whole', async (model) => {
  await expect(streamed({ model })).rejects.toThrow();
  expect(await booking()).toMatchObject({ status: 'cut', error_code: 'upstream_interrupted' });
  await expect(tenant.openai.chat.completions.create(ask({ model }))).rejects.toMatchObject({ status: 502 });
});

test('mock/malformed cannot be read: every client gets an error, and nothing of the broken event', async () => {
  const model = 'mock/malformed';
  await expect(tenant.openai.chat.completions.create(ask({ model }))).rejects.toMatchObject({
    status: 502,
    code: 'upstream_invalid_response',
  });
  const post = async (path: string, changes: object) => {
    const headers = { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' };
    const body = JSON.stringify({ ...ask({ model, stream: true, max_tokens: 100 }), ...changes });
    return (await fetch(`${weir.publicUrl}/v1/${path}`, { method: 'POST', headers, body })).text();
  };
  for (const [path, error] of [
    ['messages', 'event: error'],
    ['chat/completions', '"code":"upstream_invalid_response"'],
  ] as const) {
    const sse = await post(path, {});
    expect(sse).toContain(error);
    expect(sse).not.toContain('data: {"choices":[{"delta":\n');
    expect(await booking()).toMatchObject({ status: 'cut', error_code: 'upstream_invalid_response' });
  }
});

test('mock/error-429 says when to come back', async () => {
  const refused = tenant.openai.chat.completions.create(ask({ model: 'mock/error-429+retry-after-7' }));
  await expect(refused).rejects.toMatchObject({ status: 429 });
  const { headers } = (await refused.catch((error) => error)) as { headers: Headers };
  expect(headers.get('retry-after')).toBe('7');
});

test('usage is in classes where asked for, and missing where asked for', async () => {
  const classes = {
    prompt_tokens: 8,
    completion_tokens: 16,
    prompt_tokens_details: { cached_tokens: 5 },
    completion_tokens_details: { reasoning_tokens: 10 },
  };
  const model = 'mock/cached-5+reasoning-10';
  expect((await tenant.openai.chat.completions.create(ask({ model }))).usage).toMatchObject(classes);
  expect((await streamed({ model })).usage).toMatchObject(classes);

  await tenant.openai.chat.completions.create(ask({ model: 'mock/no-usage' }));
  expect((await booked(weir, tenant)).at(-1)).toMatchObject({ status: 'completed', estimated: true });
});

test('mock/over-limit does not end where it should, and is ended there', async () => {
  const { usage } = await streamed({ model: 'mock/over-limit', max_tokens: 5 });
  expect(usage!.completion_tokens).toBeGreaterThanOrEqual(5);
  expect(usage!.completion_tokens).toBeLessThan(15);
});

test.each(['latency-300', 'first-byte-300'])('mock/%s keeps the client waiting', async (model) => {
  const startedAt = performance.now();
  await streamed({ model: `mock/${model}` });
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(290);
});

test('the tool that is named is called, and a forced call is made also after a result', async () => {
  const tool = (name: string) => ({ type: 'function' as const, function: { name, parameters: { type: 'object', properties: {} } } });
  const tools = [tool('first'), tool('second')];
  const called = async (changes: object) =>
    (await tenant.openai.chat.completions.create(ask({ tools, ...changes }))).choices[0]!.message.tool_calls;
  expect(await called({ tool_choice: { type: 'function', function: { name: 'second' } } })).toMatchObject([
    { function: { name: 'second' } },
  ]);
  expect(await called({ tool_choice: 'none' })).toBeUndefined();
  const assistant = {
    role: 'assistant',
    content: null,
    tool_calls: [{ id: 'c', type: 'function', function: { name: 'first', arguments: '{}' } }],
  };
  const messages = [...ask().messages, assistant, { role: 'tool', tool_call_id: 'c', content: 'done' }];
  expect(await called({ tool_choice: 'required', messages })).toMatchObject([{ function: { name: 'first' } }]);
});

test('the same text has the same vector, in numbers and packed', async () => {
  const embed = (input: string[], encoding_format: 'float' | 'base64') =>
    tenant.openai.embeddings.create({ model: 'mock/any', input, encoding_format, dimensions: 8 });
  const { data, usage } = await embed(['one', 'two', 'one'], 'float');
  expect(data.map(({ embedding }) => embedding.length)).toEqual([8, 8, 8]);
  expect(data[0]!.embedding).toEqual(data[2]!.embedding);
  expect(data[0]!.embedding).not.toEqual(data[1]!.embedding);
  expect(Math.hypot(...data[0]!.embedding)).toBeCloseTo(1);
  expect(usage.prompt_tokens).toBe(3);
});

test('outside of demo mode there is no mock, unless the deployment says so', async () => {
  const plain = await startTestWeir({ WEIR_MOCK: '0' });
  try {
    const other = await createTenant(plain);
    const made = other.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
    await expect(made).rejects.toThrow(/WEIR_MOCK=1/);
    // One that was made before it was turned off.
    await plain.db.query(
      `INSERT INTO providers (tenant_id, id, name, type, base_url) SELECT id, gen_random_uuid(), 'mock', 'mock', 'mock://local' FROM tenants`,
    );
    await eventually(() =>
      other.openai.chat.completions.create(ask()).then(
        () => false,
        (error) => error.status === 404 && /WEIR_MOCK=1/.test(error.message),
      ),
    );
    expect((await other.openai.models.list()).data).toEqual([]);
  } finally {
    await plain.stop();
  }
});
