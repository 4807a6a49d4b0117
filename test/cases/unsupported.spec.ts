import { answer, json } from '../support/upstream.js';
import { caseRig } from './support/case-rig.js';

const rig = caseRig();

const HELLO = [{ role: 'user', content: 'Hi' }];
const SEARCH = { type: 'web_search' };
const CLAUDES = { type: 'web_search_20250305', name: 'web_search' };
const FUNCTION = { type: 'function', name: 'f', parameters: { type: 'object' } };

/** What only a provider of the client's own format could do, and to whom it is sent. */
const CASES: [what: string, path: string, type: string, body: object][] = [
  ['web_search_options', '/v1/chat/completions', 'anthropic', { messages: HELLO, web_search_options: {} }],
  [
    'modalities',
    '/v1/chat/completions',
    'anthropic',
    { messages: HELLO, modalities: ['text', 'audio'], audio: { voice: 'a', format: 'mp3' } },
  ],
  ['web_search', '/v1/responses', 'anthropic', { input: 'Hi', tools: [SEARCH] }],
  ['tool_choice', '/v1/responses', 'anthropic', { input: 'Hi', tools: [FUNCTION, SEARCH], tool_choice: SEARCH }],
  ['tools: web_search', '/v1/messages', 'openai (dialect: openai-chat)', { messages: HELLO, max_tokens: 50, tools: [CLAUDES] }],
  [
    'tool_choice',
    '/v1/messages',
    'openai (dialect: openai-chat)',
    { messages: HELLO, max_tokens: 50, tools: [CLAUDES], tool_choice: { type: 'tool', name: 'web_search' } },
  ],
  [
    'tool_choice',
    '/v1/messages',
    'openai (dialect: openai-chat)',
    {
      messages: HELLO,
      max_tokens: 50,
      tools: [{ name: 'f', input_schema: { type: 'object' } }, CLAUDES],
      tool_choice: { type: 'tool', name: 'web_search' },
    },
  ],
];

const message = {
  type: 'message',
  role: 'assistant',
  content: [{ type: 'text', text: 'a' }],
  stop_reason: 'end_turn',
  usage: { input_tokens: 1, output_tokens: 1 },
};
const replyOf = (type: string) => (type === 'anthropic' ? json(200, message) : answer());
const modelOf = (type: string) => (type === 'anthropic' ? 'claude-sonnet-4-5' : 'm');

test.each(CASES)('%s on %s to %s is refused, and the sentence says what would work', async (_what, path, type, body) => {
  const seen = await rig.send(path, type, modelOf(type), body, replyOf(type));
  expect([seen.status, seen.sent]).toEqual([400, undefined]);
  expect(seen.text).toMatch(/x-weir-unsupported: drop/);
  expect(seen.text).toMatch(/hoose a/);
});

test.each(CASES)('%s on %s to %s is left out with a warning where the client says so', async (what, path, type, body) => {
  const seen = await rig.send(path, type, modelOf(type), body, replyOf(type), { 'x-weir-unsupported': 'drop' });
  expect(seen.status).toBe(200);
  expect(seen.warnings).toContain(what);
  expect(JSON.stringify(seen.sent!.body)).not.toMatch(/web_search|audio|tool_choice/);
});

test.each(CASES)('%s on %s to %s is left out with a warning where the API key says so', async (what, path, type, body) => {
  const url = `/v1/organization/projects/${rig.tenant.projectId}/api_keys`;
  const key = await rig.tenant.admin<{ id: string; value: string; unsupported: string }>('POST', url, { name: 'k', unsupported: 'drop' });
  expect(key.unsupported).toBe('drop');
  expect(await rig.tenant.admin('GET', `${url}/${key.id}`)).toMatchObject({ unsupported: 'drop' });
  const seen = await rig.send(path, type, modelOf(type), body, replyOf(type), { authorization: `Bearer ${key.value}` });
  expect(seen.status).toBe(200);
  expect(seen.warnings).toContain(what);
  expect(JSON.stringify(seen.sent!.body)).not.toMatch(/web_search|audio|tool_choice/);
});

test('a key takes no other word than drop', async () => {
  const body = { name: 'k', unsupported: 'keep' };
  await expect(rig.tenant.admin('POST', `/v1/organization/projects/${rig.tenant.projectId}/api_keys`, body)).rejects.toThrow(/unsupported/);
});

test('another word than drop is refused', async () => {
  const seen = await rig.send('/v1/chat/completions', 'anthropic', 'm', { messages: HELLO }, answer(), { 'x-weir-unsupported': 'keep' });
  expect([seen.status, seen.body.error.param]).toEqual([400, 'x-weir-unsupported']);
});

describe("Anthropic's version", () => {
  const sent = async (path: string, headers: Record<string, string>, body: object = { messages: HELLO, max_tokens: 50 }) =>
    (await rig.send(path, 'anthropic', 'claude-sonnet-4-5', body, json(200, { ...message, input_tokens: 1 }), headers)).sent!.headers[
      'anthropic-version'
    ];

  test.each(['/v1/messages', '/v1/messages/count_tokens'])(
    'that a client names reaches a provider that speaks Messages, by %s',
    async (path) => {
      expect(await sent(path, { 'anthropic-version': '2024-10-22' })).toBe('2024-10-22');
    },
  );

  test.each<[string, Record<string, string>, string]>([
    ['none of a client of Messages', {}, '/v1/messages'],
    ['one of a client of another format', { 'anthropic-version': '2024-10-22' }, '/v1/chat/completions'],
  ])("for %s the provider gets Weir's own", async (_name, headers, path) => {
    expect(await sent(path, headers)).toBe('2023-06-01');
  });

  test('that is no version is refused', async () => {
    const seen = await rig.send('/v1/messages', 'anthropic', 'claude-sonnet-4-5', { messages: HELLO, max_tokens: 50 }, answer(), {
      'anthropic-version': 'a b',
    });
    expect(seen.status).toBe(400);
  });
});
