import Anthropic from '@anthropic-ai/sdk';
import { answer, json } from '../support/upstream.js';
import { caseRig } from './support/case-rig.js';

const rig = caseRig();

const HELLO = [{ role: 'user', content: 'Hi' }];
const SURFACES: Record<string, { path: string; body: object }> = {
  chat: { path: '/v1/chat/completions', body: { messages: HELLO } },
  Responses: { path: '/v1/responses', body: { input: 'Hi' } },
  Messages: { path: '/v1/messages', body: { messages: HELLO, max_tokens: 100 } },
  'chat/complete': { path: '/v1/chat/complete', body: { messages: HELLO } },
};

/** How each format of a provider says a refusal. */
const openai = (message: string) => ({ error: { message, type: 'invalid_request_error', param: null, code: null } });
const FORMATS: Record<string, { type: string; model: string; says: (message: string, status: number) => object }> = {
  'OpenAI chat': { type: 'openai (dialect: openai-chat)', model: 'm', says: openai },
  Responses: { type: 'openai (dialect: openai-responses)', model: 'gpt-5.4', says: openai },
  Messages: { type: 'anthropic', model: 'claude-opus-5', says: (message) => ({ type: 'error', error: { message } }) },
  Gemini: { type: 'gemini', model: 'gemini-3-flash', says: (message, code) => ({ error: { code, message } }) },
  Bedrock: { type: 'bedrock', model: 'us.anthropic.claude-opus-5', says: (message) => ({ message }) },
  Ollama: { type: 'ollama', model: 'llama3', says: (error) => ({ error }) },
  Cohere: { type: 'cohere', model: 'command-a', says: (message) => ({ message }) },
};

const KINDS = [
  { status: 413, code: 'request_too_large', seen: 413, anthropic: { seen: 413, type: 'request_too_large' }, retry: null },
  { status: 422, code: 'unprocessable_request', seen: 422, anthropic: { seen: 422, type: 'invalid_request_error' }, retry: 'false' },
  { status: 529, code: 'upstream_overloaded', seen: 503, anthropic: { seen: 529, type: 'overloaded_error' }, retry: 'true' },
];

const CELLS = Object.entries(SURFACES).flatMap(([surface, { path, body }]) =>
  Object.entries(FORMATS).flatMap(([format, { type, model, says }]) =>
    KINDS.flatMap((kind) => [false, true].map((stream) => ({ surface, path, body, format, type, model, says, stream, ...kind }))),
  ),
);

test.each(CELLS)('a $status of $format keeps its class over $surface, streamed: $stream', async (cell) => {
  const { path, body, type, model, says, status, code, stream, surface, retry, anthropic } = cell;
  const script = json(status, says('No.', status), status === 529 ? { 'retry-after': '17' } : {});
  const seen = await rig.send(path, type, model, { ...body, stream }, script);
  const expected = surface === 'Messages' ? anthropic : { seen: cell.seen };
  expect([seen.status, seen.body.error.code, seen.headers.get('x-should-retry')]).toEqual([expected.seen, code, retry]);
  if (surface === 'Messages') expect(seen.body).toMatchObject({ type: 'error', error: { type: anthropic.type } });
  if (status === 529) expect(seen.headers.get('retry-after')).toBe('17');
});

describe('of a client of Messages', () => {
  const anthropic = () => new Anthropic({ baseURL: rig.weir.publicUrl, apiKey: rig.tenant.apiKey, maxRetries: 0 });
  const get = (path: string, init: RequestInit = {}) =>
    fetch(rig.weir.publicUrl + path, {
      ...init,
      headers: { 'x-api-key': rig.tenant.apiKey, 'content-type': 'application/json', ...init.headers },
    });

  test.each([
    ['an answer', { messages: HELLO, max_tokens: 5 }, 200],
    ['a stream', { messages: HELLO, max_tokens: 5, stream: true }, 200],
    ['a refusal', { messages: HELLO }, 400],
  ])('%s has the id where its SDK looks for it', async (_what, body, status) => {
    const model = `${await rig.provider('openai')}/m`;
    rig.upstream.script = answer();
    const seen = await get('/v1/messages', { method: 'POST', body: JSON.stringify({ model, ...body }) });
    await seen.text();
    expect([seen.status, seen.headers.get('request-id')]).toEqual([status, seen.headers.get('x-request-id')]);
    expect(seen.headers.get('request-id')).toMatch(/^call_/);
  });

  test('its SDK lists and finds models', async () => {
    await rig.provider('openai');
    await rig.tenant.admin('POST', '/v1/organization/providers', {
      name: 'named',
      type: 'openai',
      base_url: `http://${rig.upstream.hostPort}`,
      key: 'secret',
      models: ['gpt-a', 'gpt-b'],
    });
    const models = [];
    for await (const model of anthropic().models.list()) models.push(model);
    const own = models.filter(({ id }) => id.startsWith('named/'));
    expect(own).toMatchObject([
      { type: 'model', id: 'named/gpt-a', display_name: 'named/gpt-a' },
      { type: 'model', id: 'named/gpt-b' },
    ]);
    expect(await anthropic().models.retrieve('named/gpt-a')).toEqual(own[0]);
    await expect(anthropic().models.retrieve('nowhere/x')).rejects.toMatchObject({ status: 404, error: { type: 'error' } });
  });

  test("without Anthropic's header the list is OpenAI's", async () => {
    expect(await (await get('/v1/models')).json()).toMatchObject({ object: 'list' });
  });

  test.each([
    ['POST', '/v1/messages/batches'],
    ['GET', '/v1/messages/batches/msgbatch_1'],
    ['GET', '/v1/messages'],
    ['DELETE', '/v1/messages/x/y'],
  ])('%s %s, which is not there, is told in its shape', async (method, path) => {
    const seen = await get(path, { method });
    expect([seen.status, await seen.json()]).toMatchObject([404, { type: 'error', error: { type: 'not_found_error' } }]);
  });
});

describe('money that is not there does not hide what the format cannot say', () => {
  test.each(['Gemini', 'Bedrock'])('a file by its id for %s is 400, with a budget that is too small', async (format) => {
    const { type, model } = FORMATS[format]!;
    await rig.tenant.admin('POST', '/v1/organization/budgets', {
      scope: { kind: 'tag', value: `tiny-${format}` },
      limit: '0.0001',
      period: 'month',
    });
    const content = [{ type: 'file', file: { file_id: 'file_1' } }];
    const body = { messages: [{ role: 'user', content }], max_completion_tokens: 100 };
    const seen = await rig.send('/v1/chat/completions', type, model, body, json(200, {}), { 'x-weir-tags': `tiny-${format}` });
    expect([seen.status, seen.body.error.code]).toEqual([400, 'invalid_request']);
  });
});

test.each(['UNEXPECTED_TOOL_CALL', 'MALFORMED_FUNCTION_CALL', 'TOO_MANY_TOOL_CALLS'])(
  'an answer that Gemini ends with %s is not tried again',
  async (finishReason) => {
    const reply = {
      candidates: [{ content: { parts: [], role: 'model' }, finishReason }],
      usageMetadata: { promptTokenCount: 5, totalTokenCount: 5 },
    };
    for (const { path, body } of Object.values(SURFACES)) {
      const seen = await rig.send(path, 'gemini', 'gemini-3-flash', body, json(200, reply));
      expect([seen.status, seen.headers.get('x-should-retry')]).toEqual([502, 'false']);
    }
  },
);
