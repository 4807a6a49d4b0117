import { LLMock } from '@copilotkit/aimock';
import { answer, delta, ScriptedUpstream, stream, USAGE } from '../../support/upstream.js';
import { addUpstream, booked, createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';

// A peer that others wrote: what its wire looks like is not ours to choose.
const peer = new LLMock({ chunkSize: 5 });
let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  peer.onMessage('hello', { content: 'Hello from an independent mock', usage: { prompt_tokens: 11, completion_tokens: 7 } });
  peer.onMessage('weather', {
    toolCalls: [{ name: 'get_weather', arguments: '{"city":"Oslo"}' }],
    usage: { prompt_tokens: 20, completion_tokens: 9 },
  });
  peer.onMessage('boom', { error: { message: 'no', type: 'server_error' }, status: 500 });
  await peer.start();
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: `127.0.0.1:${peer.port}` });
  tenant = await createTenant(weir);
  await addUpstream(tenant, `http://127.0.0.1:${peer.port}/v1`);
});

beforeEach(() => weir.db.query('TRUNCATE calls, ledger_entries'));

afterAll(async () => {
  await weir.stop();
  await peer.stop();
});

const ask = (content: string, changes: object = {}) => ({
  model: 'up/test-model',
  messages: [{ role: 'user' as const, content }],
  max_tokens: 50,
  ...changes,
});

test('text', async () => {
  const reply = await tenant.openai.chat.completions.create(ask('hello'));
  expect(reply.choices[0]!.message.content).toBe('Hello from an independent mock');
  expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', input: 11, output: 7, amount: 25_000n, estimated: false }]);
});

test.each([false, true])('streamed text, usage asked for: %s', async (includeUsage) => {
  let text = '';
  let usage: unknown = null;
  for await (const part of await tenant.openai.chat.completions.create({
    ...ask('hello'),
    stream: true,
    stream_options: { include_usage: includeUsage },
  })) {
    text += part.choices[0]?.delta.content ?? '';
    usage = part.usage ?? usage;
  }
  expect(text).toBe('Hello from an independent mock');
  if (includeUsage) expect(usage).toMatchObject({ prompt_tokens: 11, completion_tokens: 7, cost: 0.000025 });
  else expect(usage).toBeNull();
  expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', input: 11, output: 7, amount: 25_000n, estimated: false }]);
});

test('streamed tool calls', async () => {
  const tools = [{ type: 'function' as const, function: { name: 'get_weather', parameters: { type: 'object', properties: {} } } }];
  const { choices } = await tenant.openai.chat.completions.stream({ ...ask('weather'), tools }).finalChatCompletion();
  expect(choices[0]).toMatchObject({
    finish_reason: 'tool_calls',
    message: { tool_calls: [{ function: { name: 'get_weather', arguments: '{"city":"Oslo"}' } }] },
  });
  expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', input: 20, output: 9 }]);
});

test('an error', async () => {
  await expect(tenant.openai.chat.completions.create(ask('boom'))).rejects.toMatchObject({ status: 502, code: 'upstream_error' });
  expect(await booked(weir, tenant)).toMatchObject([{ status: 'failed', kind: null }]);
});

test('the SDK with its own retries gets through once a provider that failed answers', async () => {
  const upstream = await ScriptedUpstream.start();
  const other = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort });
  try {
    const retrying = await createTenant(other);
    await addUpstream(retrying, upstream.baseUrl);
    upstream.script = (call, response) =>
      upstream.calls.length < 2 ? stream([delta({})], 'reset')(call, response) : answer()(call, response);
    const reply = await retrying.openai.chat.completions.create(ask('hi'), { maxRetries: 2 });
    expect(reply.usage).toEqual(USAGE);
    expect((await booked(other, retrying)).map((call) => call.status)).toEqual(['cut', 'completed']);
  } finally {
    await other.stop();
    await upstream.stop();
  }
});
