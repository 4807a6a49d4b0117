import Anthropic from '@anthropic-ai/sdk';
import { answer, json, stream } from '../../support/upstream.js';
import { booked, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant, upstream } = withWeir();
let claude: Anthropic;

const LOCATION = '/v1/projects/our-project/locations/global';
const CLAUDE = 'claude-opus-4-5@20251101';
const AT_CLAUDE = `${LOCATION}/publishers/anthropic/models`;

beforeAll(async () => {
  claude = new Anthropic({ apiKey: tenant.apiKey, baseURL: weir.publicUrl, maxRetries: 0 });
  for (const [name, path] of [
    ['vertex', LOCATION],
    ['as-pasted', `${LOCATION}/publishers/google`],
  ]) {
    const base_url = `http://${upstream.hostPort}${path}`;
    await tenant.admin('POST', '/v1/organization/providers', { name, type: 'google-vertex-ai', base_url, key: 'access-token' });
    await tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2', cache_read: '0.1' });
    await eventually(() =>
      tenant.openai.models.retrieve(`${name}/m`).then(
        () => true,
        () => false,
      ),
    );
  }
});

beforeEach(() => {
  upstream.calls.length = 0;
});

const HELLO = [{ role: 'user' as const, content: 'Hello' }];
const MESSAGE = {
  id: 'msg_vrtx_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-opus-4-5-20251101',
  content: [
    { type: 'thinking', thinking: 'Hm.', signature: 's==' },
    { type: 'text', text: 'Hi.' },
  ],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 9, cache_read_input_tokens: 20, output_tokens: 12 },
};
const BOOKED = { status: 'completed', input: 9, cache_read: 20, output: 12, amount: 35_000n };

/** The message as Vertex AI streams it, with an event of its own. */
const EVENTS = [
  { type: 'vertex_event' },
  { type: 'message_start', message: { ...MESSAGE, content: [], stop_reason: null, usage: { ...MESSAGE.usage, output_tokens: 1 } } },
  { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hi.' } },
  { type: 'content_block_stop', index: 0 },
  { type: 'message_delta', delta: { stop_reason: 'end_turn', stop_sequence: null }, usage: { output_tokens: 12 } },
  { type: 'message_stop' },
];
const SSE = EVENTS.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
const GEMINI = {
  candidates: [{ content: { role: 'model', parts: [{ text: 'Hi.' }] }, finishReason: 'STOP' }],
  usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 12, totalTokenCount: 21 },
};

const chat = (model: string, fields: object = {}) =>
  tenant.openai.chat.completions.create({ model, messages: HELLO, max_completion_tokens: 2000, ...fields });
const lastBooked = async () => (await booked(weir, tenant)).at(-1);

describe('Claude', () => {
  test('answers a client of Messages in its own words', async () => {
    upstream.script = json(200, MESSAGE);
    const message = await claude.messages.create({ model: `vertex/${CLAUDE}`, max_tokens: 2000, messages: HELLO });
    expect(message.content).toEqual(MESSAGE.content);
    const [{ path, headers, body }] = upstream.calls as [(typeof upstream.calls)[0]];
    expect(path).toBe(`${AT_CLAUDE}/${CLAUDE}:rawPredict`);
    expect(body).toEqual({ max_tokens: 2000, messages: HELLO, anthropic_version: 'vertex-2023-10-16' });
    expect(headers).toMatchObject({ authorization: 'Bearer access-token' });
    expect(headers).not.toHaveProperty('anthropic-version');
    expect(await lastBooked()).toMatchObject(BOOKED);
  });

  test('streams to a client of Messages', async () => {
    upstream.script = stream(SSE);
    const message = await claude.messages.stream({ model: `vertex/${CLAUDE}`, max_tokens: 2000, messages: HELLO }).finalMessage();
    expect(message.content).toEqual([{ type: 'text', text: 'Hi.' }]);
    expect(upstream.calls[0]).toMatchObject({ path: `${AT_CLAUDE}/${CLAUDE}:streamRawPredict`, body: { stream: true } });
    expect(await lastBooked()).toMatchObject(BOOKED);
  });

  test('answers a client of chat, with tools and thinking as Anthropic takes them', async () => {
    upstream.script = json(200, MESSAGE);
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object', properties: {} } } }];
    const reply = await chat(`vertex/${CLAUDE}`, { tools, reasoning_effort: 'low', max_completion_tokens: 4000 });
    expect(reply.choices[0]!.message).toMatchObject({ content: 'Hi.', reasoning_details: [{ text: 'Hm.', signature: 's==' }] });
    expect(upstream.calls[0]!.body).toMatchObject({
      max_tokens: 4000,
      tools: [{ name: 'weather' }],
      thinking: { type: 'enabled', budget_tokens: 2048 },
      anthropic_version: 'vertex-2023-10-16',
    });
    expect(upstream.calls[0]!.body).not.toHaveProperty('model');
    expect(await lastBooked()).toMatchObject(BOOKED);
  });

  test('streams to a client of chat', async () => {
    upstream.script = stream(SSE);
    let text = '';
    const chunks = (await chat(`vertex/${CLAUDE}`, { stream: true })) as unknown as AsyncIterable<{
      choices: { delta: { content?: string } }[];
    }>;
    for await (const { choices } of chunks) text += choices[0]?.delta.content ?? '';
    expect(text).toBe('Hi.');
    expect(await lastBooked()).toMatchObject(BOOKED);
  });

  test('takes betas by header, but for those that Vertex AI would refuse, which the reply names', async () => {
    upstream.script = json(200, MESSAGE);
    const betas = 'claude-code-20250219,context-management-2025-06-27';
    const { response } = await claude.messages
      .create({ model: `vertex/${CLAUDE}`, max_tokens: 2000, messages: HELLO }, { headers: { 'anthropic-beta': betas } })
      .withResponse();
    expect(upstream.calls[0]!.headers['anthropic-beta']).toBe('context-management-2025-06-27');
    expect(response.headers.get('x-weir-warnings')).toContain('claude-code-20250219');
  });

  test('counts tokens', async () => {
    upstream.script = json(200, { input_tokens: 42 });
    expect(await claude.messages.countTokens({ model: `vertex/${CLAUDE}`, messages: HELLO })).toEqual({ input_tokens: 42 });
    expect(upstream.calls[0]).toMatchObject({ path: `${AT_CLAUDE}/count-tokens:rawPredict`, body: { model: CLAUDE } });
  });

  test.each([
    [
      'Anthropic’s',
      { type: 'error', error: { type: 'invalid_request_error', message: 'prompt is too long: 3 > 2' } },
      400,
      'context_length_exceeded',
    ],
    ['Google’s', { error: { code: 429, message: 'Resource exhausted', status: 'RESOURCE_EXHAUSTED' } }, 429, 'upstream_rate_limited'],
    ['Google’s in a list', [{ error: { code: 403, message: 'Denied', status: 'PERMISSION_DENIED' } }], 403, 'provider_auth_failed'],
  ])('fails in %s words, which are understood', async (_whose, error, status, code) => {
    upstream.script = json(status, error);
    await expect(chat(`vertex/${CLAUDE}`)).rejects.toMatchObject({ code });
    expect(await lastBooked()).toMatchObject({ status: 'failed', amount: null });
  });

  test('is found, too, where the address was given with Google’s own models', async () => {
    upstream.script = json(200, MESSAGE);
    await chat(`as-pasted/${CLAUDE}`);
    expect(upstream.calls[0]!.path).toBe(`${AT_CLAUDE}/${CLAUDE}:rawPredict`);
  });
});

test.each(['vertex', 'as-pasted'])('Google’s own models are spoken to as Gemini: %s', async (name) => {
  upstream.script = json(200, GEMINI);
  expect((await chat(`${name}/gemini-3-pro`)).choices[0]!.message.content).toBe('Hi.');
  expect(upstream.calls[0]!.path).toBe(`${LOCATION}/publishers/google/models/gemini-3-pro:generateContent`);
});

test('texts are embedded by predict, and booked by what it counts', async () => {
  const predictions = [3, 4].map((token_count) => ({ embeddings: { values: [0.5], statistics: { token_count, truncated: false } } }));
  upstream.script = json(200, { predictions });
  const ask = { model: 'vertex/text-embedding-005', input: ['a', 'b'], encoding_format: 'float' as const };
  const { data, usage } = await tenant.openai.embeddings.create(ask);
  expect([data.map(({ embedding }) => embedding), usage]).toEqual([[[0.5], [0.5]], { prompt_tokens: 7, total_tokens: 7 }]);
  expect(upstream.calls[0]!.path).toBe(`${LOCATION}/publishers/google/models/text-embedding-005:predict`);
  expect(await lastBooked()).toMatchObject({ status: 'completed', amount: 7_000n, input: 7, output: 0 });
  await expect(tenant.openai.embeddings.create({ ...ask, model: `vertex/${CLAUDE}` })).rejects.toMatchObject({ status: 400 });
});

test.each(['vertex', 'as-pasted'])('models named with their publisher are asked in OpenAI’s format: %s', async (name) => {
  upstream.script = answer('Hi.');
  const model = 'meta/llama-3.3-70b-instruct-maas';
  expect((await chat(`${name}/${model}`)).choices[0]!.message.content).toBe('Hi.');
  expect(upstream.calls[0]).toMatchObject({ path: `${LOCATION}/endpoints/openapi/chat/completions`, body: { model } });
  expect(await lastBooked()).toMatchObject({ status: 'completed', input: 9, output: 12 });
  const reply = await claude.messages.create({ model: `${name}/${model}`, max_tokens: 100, messages: HELLO });
  expect(reply.content).toMatchObject([{ type: 'text', text: 'Hi.' }]);
});
