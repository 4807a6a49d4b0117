import { REPLY_FORMATS } from '../support/tool-replies.js';
import { answer, json, type Script } from '../support/upstream.js';
import { type BookedCall, booked, eventually } from '../support/weir.js';
import { caseRig, type Outcome } from './support/case-rig.js';

const rig = caseRig();

const MARK = '\ufeff';
const HELLO = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 99 };
const PATHS: Readonly<Record<string, object>> = {
  '/v1/chat/completions': HELLO,
  '/v1/chat/complete': HELLO,
  '/v1/messages': HELLO,
  '/v1/responses': { input: 'Hi' },
  '/v1/completions': { prompt: 'Hi', max_tokens: 99 },
};

describe('a byte order mark', () => {
  test.each(Object.entries(PATHS))('before a request to %s is none of it', async (path, body) => {
    const model = `${await rig.provider('openai (dialect: openai-chat)')}/m`;
    rig.upstream.script = answer();
    const response = await fetch(rig.weir.publicUrl + path, {
      method: 'POST',
      headers: { authorization: `Bearer ${rig.tenant.apiKey}`, 'content-type': 'application/json' },
      body: Buffer.from(MARK + JSON.stringify({ model, ...body })),
    });
    expect([response.status, rig.upstream.calls.at(-1)!.text.startsWith('{')]).toEqual([200, true]);
  });

  const marked =
    (script: Script): Script =>
    async (call, response) => {
      const end = response.end.bind(response);
      response.end = ((body: string) => end(MARK + body)) as typeof response.end;
      await script(call, response);
    };
  test.each(
    Object.entries(REPLY_FORMATS).flatMap(([name, format]) =>
      ['/v1/chat/completions', '/v1/messages', '/v1/responses'].map((path) => [name, path, format] as const),
    ),
  )('before a whole reply in %s is none of it, for a client of %s', async (_name, path, format) => {
    const script = marked(format.says({ text: 'Hello', usage: { input: 9, cacheRead: 0, output: 3 } }));
    const seen = await rig.send(path, `${format.type} (dialect: ${format.dialect})`, format.model, PATHS[path]!, script);
    expect([seen.status, seen.text.startsWith('{'), seen.text.includes('Hello')]).toEqual([200, true, true]);
  });
});

/** What the last call was booked as. */
async function lastBooked(of: () => Promise<Outcome>): Promise<[Outcome, BookedCall]> {
  const before = (await booked(rig.weir, rig.tenant)).length;
  const seen = await of();
  await eventually(async () => (await booked(rig.weir, rig.tenant)).length > before);
  return [seen, (await booked(rig.weir, rig.tenant))[before]!];
}

describe('a reply with usage and without an answer', () => {
  const chat = { usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } };
  const messages = { usage: { input_tokens: 9, output_tokens: 3 } };
  const REPLIES: [type: string, model: string, reply: object][] = [
    ['openai (dialect: openai-chat)', 'm', { id: 'c', object: 'chat.completion', ...chat }],
    ['openai (dialect: openai-chat)', 'm', { choices: null, ...chat }],
    ['openai (dialect: openai-responses)', 'm', { id: 'r', status: 'completed', ...messages }],
    ['anthropic', 'claude-sonnet-4-5', { id: 'm', type: 'message', ...messages }],
    ['anthropic', 'claude-sonnet-4-5', { content: null, ...messages }],
    ['gemini', 'gemini-3-pro', { usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 3, totalTokenCount: 12 } }],
    ['bedrock', 'anthropic.claude-sonnet-4-5-20250929-v1:0', { usage: { inputTokens: 9, outputTokens: 3, totalTokens: 12 } }],
    ['ollama', 'q', { model: 'q', prompt_eval_count: 9, eval_count: 3 }],
    ['cohere', 'command-a', { id: 'c', usage: { tokens: { input_tokens: 9, output_tokens: 3 } } }],
    ['cloudflare-workers-ai', '@cf/m', { success: true, result: chat }],
  ];
  test.each(
    REPLIES.flatMap(([type, model, reply]) =>
      ['/v1/chat/completions', '/v1/messages', '/v1/responses'].map((path) => [type, path, JSON.stringify(reply), model] as const),
    ),
  )('of %s, to %s, is booked as it counts: %s', async (type, path, reply, model) => {
    const [seen, call] = await lastBooked(() => rig.send(path, type, model, PATHS[path]!, json(200, reply)));
    expect(seen.status).toBe(502);
    expect(call).toMatchObject({ error_code: 'upstream_invalid_response', estimated: false, input: 9, output: 3 });
  });
});

describe('a key twice in one object', () => {
  const call = '"model":"m","messages":[{"role":"user","content":"Hi"}],"max_tokens":9';
  test.each([
    [`{${call},"max_tokens":8}`, 'max_tokens'],
    [`{${call},"x":{"a":[{"b":1,"c":{},"b":2}]}}`, 'b'],
    [`{${call},"x":{"\\u0061":1,"a":2}}`, 'a'],
    [`{${call},"x":{"1":1,"1":2}}`, '1'],
  ])('%s is refused by its name', async (body, key) => {
    const before = rig.upstream.calls.length;
    const response = await fetch(`${rig.weir.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${rig.tenant.apiKey}`, 'content-type': 'application/json' },
      body,
    });
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    expect([response.status, error.code, error.message.includes(`"${key}"`)]).toEqual([400, 'invalid_json', true]);
    expect(rig.upstream.calls).toHaveLength(before);
  });

  test.each(['{"a":{"x":1},"b":{"x":1}}', '[{"x":1},{"x":2}]', '{"t":"\\"x\\":1,\\"x\\":2"}'])('%s has none', async (x) => {
    const seen = await rig.send('/v1/chat/completions', 'openai (dialect: openai-chat)', 'm', `{${call.slice(12)},"x":${x}}`, answer());
    expect([seen.status, seen.sent?.text.includes(x)]).toEqual([200, true]);
  });
});
