import Anthropic from '@anthropic-ai/sdk';
import { answer, json, stream } from '../../support/upstream.js';
import { booked, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant, upstream } = withWeir();

beforeEach(() => {
  upstream.calls.length = 0;
  upstream.script = answer();
});

/** A provider of this type at the scripted upstream. */
async function addProvider(name: string, type: string, fields: object = {}): Promise<void> {
  const base_url = `http://${upstream.hostPort}`;
  await tenant.admin('POST', '/v1/organization/providers', { name, type, base_url, key: `key-of-${name}`, ...fields });
  await tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2', cache_read: '0.1' });
  const isKnown = () =>
    tenant.openai.models.retrieve(`${name}/m`).then(
      () => true,
      () => false,
    );
  await eventually(isKnown);
}

const post = (path: string, body: object, headers: Record<string, string> = {}) =>
  fetch(`${weir.publicUrl}${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

const HELLO = [{ role: 'user', content: 'Hello' }];
const WEATHER = {
  type: 'function',
  function: {
    name: 'weather',
    description: 'Tells the weather.',
    parameters: { type: 'object', properties: { city: { type: 'string' } } },
  },
};
const MESSAGE = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude-sonnet-4-5',
  content: [{ type: 'text', text: 'Hi' }],
  stop_reason: 'end_turn',
  stop_sequence: null,
  usage: { input_tokens: 9, output_tokens: 12 },
};

describe('what goes to a provider', () => {
  test('the key goes where the provider wants it, and nowhere else', async () => {
    await addProvider('claude', 'anthropic');
    upstream.script = json(200, MESSAGE);
    const reply = await post('/v1/chat/completions', { model: 'claude/claude-sonnet-4-5', messages: HELLO, max_tokens: 50 });
    expect(await reply.json()).toMatchObject({ choices: [{ message: { content: 'Hi' }, finish_reason: 'stop' }] });
    const [{ path, headers, body }] = upstream.calls as [(typeof upstream.calls)[0]];
    expect(path).toBe('/v1/messages');
    expect(headers).toMatchObject({ 'x-api-key': 'key-of-claude', 'anthropic-version': '2023-06-01' });
    expect(headers).not.toHaveProperty('authorization');
    expect(body).toEqual({
      model: 'claude-sonnet-4-5',
      max_tokens: 50,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }],
    });
  });

  test('a base URL is right with the version of the format and without', async () => {
    await addProvider('versioned', 'anthropic', { base_url: `http://${upstream.hostPort}/v1/` });
    upstream.script = json(200, MESSAGE);
    await post('/v1/messages', { model: 'versioned/m', messages: HELLO, max_tokens: 50 });
    expect(upstream.calls[0]!.path).toBe('/v1/messages');
  });

  test('what the format cannot say is told to the client', async () => {
    upstream.script = json(200, MESSAGE);
    const reply = await post('/v1/chat/completions', { model: 'claude/claude-sonnet-4-5', messages: HELLO, max_tokens: 50, seed: 7 });
    expect(reply.headers.get('x-weir-warnings')).toMatch(/seed/);
  });

  test('what would make it another answer is refused before anything is sent, and costs nothing', async () => {
    const reply = await post('/v1/chat/completions', { model: 'claude/claude-sonnet-4-5', messages: HELLO, max_tokens: 50, n: 2 });
    expect([reply.status, await reply.json()]).toMatchObject([400, { error: { code: 'invalid_request', param: 'n' } }]);
    expect(upstream.calls).toEqual([]);
  });

  test('the same request gives the same bytes', async () => {
    upstream.script = json(200, MESSAGE);
    const request = { model: 'claude/claude-sonnet-4-5', messages: HELLO, max_tokens: 50, tools: [WEATHER] };
    await post('/v1/chat/completions', request);
    await post('/v1/chat/completions', request);
    const [first, second] = upstream.calls;
    expect(JSON.stringify(second!.body)).toBe(JSON.stringify(first!.body));
  });
});

describe('how much a model thinks', () => {
  const askWith = async (headers: Record<string, string>, fields: object = {}) => {
    upstream.script = json(200, { ...MESSAGE, model: 'claude-opus-5' });
    const reply = await post(
      '/v1/chat/completions',
      { model: 'claude/claude-opus-5', messages: HELLO, max_tokens: 5_000, ...fields },
      headers,
    );
    expect(reply.status).toBe(200);
    return { applied: reply.headers.get('x-weir-thinking-level'), body: upstream.calls.at(-1)!.body };
  };

  test('nothing is sent where nobody says', async () => {
    const { applied, body } = await askWith({});
    expect(applied).toBeNull();
    expect(body).not.toHaveProperty('thinking');
    expect(body).not.toHaveProperty('output_config');
  });

  test('a header says it for the call, and what was applied is told', async () => {
    const { applied, body } = await askWith({ 'x-weir-thinking-level': 'low' });
    expect(applied).toBe('low');
    expect(body).toMatchObject({ output_config: { effort: 'low' } });
  });

  test("the request's own field beats the header", async () => {
    const { applied, body } = await askWith({ 'x-weir-thinking-level': 'low' }, { reasoning_effort: 'high' });
    expect(applied).toBe('high');
    expect(body).toMatchObject({ output_config: { effort: 'high' } });
  });

  test('a key says it for all its calls that do not', async () => {
    const { value } = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
      name: 'thinker',
      thinking_level: 'medium',
    });
    upstream.script = json(200, { ...MESSAGE, model: 'claude-opus-5' });
    const ask = () =>
      post(
        '/v1/chat/completions',
        { model: 'claude/claude-opus-5', messages: HELLO, max_tokens: 5_000 },
        { authorization: `Bearer ${value}` },
      );
    await eventually(async () => (await ask()).status === 200);
    expect(upstream.calls.at(-1)!.body).toMatchObject({ output_config: { effort: 'medium' } });
  });

  test('a level that is none is refused', async () => {
    const reply = await post('/v1/chat/completions', { model: 'claude/m', messages: HELLO }, { 'x-weir-thinking-level': 'extreme' });
    expect([reply.status, await reply.text()]).toEqual([400, expect.stringContaining('off, minimal, low, medium, high, xhigh, max')]);
  });
});

test('a model without tools of its own calls them in its text, streamed, and the client sees ordinary calls', async () => {
  await addProvider('plain', 'openai', { base_url: upstream.baseUrl, native_tools: false });
  upstream.script = answer('Let me see. <tool_call>{"name":"weather","arguments":{"city":"Bern"}}</tool_call>');
  const events = await tenant.openai.chat.completions.create({
    model: 'plain/m',
    messages: HELLO as never,
    tools: [WEATHER as never],
    stream: true,
  });
  let [text, args, name, finish] = ['', '', '', ''];
  for await (const { choices } of events) {
    text += choices[0]?.delta.content ?? '';
    name += choices[0]?.delta.tool_calls?.[0]?.function?.name ?? '';
    args += choices[0]?.delta.tool_calls?.[0]?.function?.arguments ?? '';
    finish = choices[0]?.finish_reason ?? finish;
  }
  expect({ text: text.trim(), name, arguments: JSON.parse(args), finish }).toEqual({
    text: 'Let me see.',
    name: 'weather',
    arguments: { city: 'Bern' },
    finish: 'tool_calls',
  });
  const { body } = upstream.calls[0]!;
  expect(body).not.toHaveProperty('tools');
  expect(JSON.stringify(body.messages)).toContain('Tells the weather.');
});

describe('endpoints', () => {
  test('/v1/chat/complete streams deltas, calls, usage and the finish', async () => {
    await addProvider('up', 'openai', { base_url: upstream.baseUrl });
    const reply = await post('/v1/chat/complete', { model: 'up/m', messages: HELLO, stream: true });
    const events = (await reply.text()).split('\n\n').flatMap((event) => /data: (.*)/.exec(event)?.[1] ?? []);
    const types = events.filter((data) => data !== '[DONE]').map((data) => JSON.parse(data).type);
    expect(new Set(types)).toEqual(new Set(['delta', 'usage', 'finish']));
  });

  test('/v1/embeddings answers vectors and books the input', async () => {
    upstream.script = json(200, {
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.1, 0.2] }],
      model: 'e-1',
      usage: { prompt_tokens: 7, total_tokens: 7 },
    });
    const { data, usage } = await tenant.openai.embeddings.create({ model: 'up/e', input: 'Hello', encoding_format: 'float' });
    expect([data[0]!.embedding, usage]).toEqual([[0.1, 0.2], { prompt_tokens: 7, total_tokens: 7 }]);
    expect(upstream.calls[0]!.path).toBe('/v1/embeddings');
    expect((await booked(weir, tenant)).at(-1)).toMatchObject({ status: 'completed', amount: 7_000n, input: 7, output: 0 });
  });

  test('/v1/embeddings says plainly that a provider has none', async () => {
    const reply = await post('/v1/embeddings', { model: 'claude/m', input: 'Hello' });
    expect([reply.status, await reply.json()]).toMatchObject([400, { error: { param: 'model' } }]);
  });

  test('/v1/messages/count_tokens asks a provider that counts, at no cost, and estimates for one that does not', async () => {
    const client = new Anthropic({ apiKey: tenant.apiKey, baseURL: weir.publicUrl, maxRetries: 0 });
    upstream.script = json(200, { input_tokens: 42 });
    const request = { messages: HELLO as never };
    expect(await client.messages.countTokens({ ...request, model: 'claude/m' })).toEqual({ input_tokens: 42 });
    expect(upstream.calls[0]!.path).toBe('/v1/messages/count_tokens');
    expect((await booked(weir, tenant)).at(-1)).toMatchObject({ status: 'completed', amount: 0n });

    const { input_tokens } = await client.messages.countTokens({ ...request, model: 'up/m' });
    expect(input_tokens).toBeGreaterThan(0);
    expect(input_tokens).toBeLessThan(60);
    expect(upstream.calls).toHaveLength(1);
  });

  test('each fails in its own shape', async () => {
    const shapes: Record<string, object> = {
      '/v1/chat/completions': { error: { code: 'model_not_found' } },
      '/v1/responses': { error: { code: 'model_not_found' } },
      '/v1/messages': { type: 'error', error: { type: 'not_found_error', code: 'model_not_found' } },
      '/v1/completions': { error: { code: 'model_not_found' } },
      '/v1/embeddings': { error: { code: 'model_not_found' } },
    };
    for (const [path, shape] of Object.entries(shapes)) {
      const reply = await post(path, { model: 'nobody/m', messages: HELLO, input: 'Hello', prompt: 'Hello', max_tokens: 5 });
      expect([path, reply.status, await reply.json()]).toMatchObject([path, 404, shape]);
    }
  });
});

describe('a stream that goes wrong after it began', () => {
  const opening = [
    { type: 'message_start', message: { ...MESSAGE, content: [], stop_reason: null, usage: { input_tokens: 9, output_tokens: 1 } } },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Hel' } },
  ];
  const sse = (events: { type: string }[]) => events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`);
  const overloaded = { type: 'error', error: { type: 'overloaded_error', message: 'Overloaded' } };

  test.each([
    ['/v1/chat/completions', { messages: HELLO }, '"error"', '[DONE]'],
    ['/v1/responses', { input: 'Hello' }, 'response.failed', 'response.completed'],
    ['/v1/messages', { messages: HELLO, max_tokens: 50 }, 'event: error', 'message_stop'],
  ])('%s ends in its own error event, and what was used is booked', async (path, fields, expected, never) => {
    for (const events of [opening, [...opening, overloaded]]) {
      upstream.script = stream(sse(events));
      const body = await (await post(path, { model: 'claude/claude-sonnet-4-5', stream: true, ...fields })).text();
      expect(body).toContain('Hel');
      expect(body).toContain(expected);
      expect(body).not.toContain(never);
      const [call] = (await booked(weir, tenant)).slice(-1);
      // The provider's last word is missing: its count of the prompt is the least that is booked.
      expect(call).toMatchObject({ status: 'cut', estimated: true });
      expect(call!.input).toBeGreaterThanOrEqual(9);
    }
  });

  test('an error before any content is an ordinary error reply', async () => {
    upstream.script = stream(sse([opening[0]!, overloaded]));
    const reply = await post('/v1/chat/completions', { model: 'claude/claude-sonnet-4-5', stream: true, messages: HELLO });
    expect(reply.status).toBeGreaterThanOrEqual(500);
    expect(reply.headers.get('content-type')).toContain('application/json');
  });
});

test('what a provider puts before the tools of a request is in the hold', async () => {
  upstream.script = json(200, { ...MESSAGE, usage: { input_tokens: 9 + 346, output_tokens: 12 } });
  const tools = [{ name: 'f', input_schema: { type: 'object' } }];
  const ask = (fields: object) => post('/v1/messages', { model: 'claude/claude-opus-5', max_tokens: 12, messages: HELLO, ...fields });
  expect((await ask({ tools })).status).toBe(200);
  const entries = await weir.db.query(
    'SELECT kind FROM ledger_entries WHERE call_id = (SELECT id FROM calls ORDER BY admitted_at DESC LIMIT 1)',
  );
  expect(entries.rows).toEqual([{ kind: 'usage' }]);
});
