import Anthropic from '@anthropic-ai/sdk';
import { REPLY_FORMATS } from '../support/tool-replies.js';
import { answer, json, type Script } from '../support/upstream.js';
import { caseRig } from './support/case-rig.js';

const rig = caseRig();
const USAGE = { input: 9, cacheRead: 0, output: 3 };
const BODY = { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 99 };
const { messages: claude, ...others } = REPLY_FORMATS;
const THREADS = { create: { type: 'create' }, continue: { type: 'continue', previous_message_id: 'msg_1' } };

describe('a message thread', () => {
  test.each(
    Object.entries(others).flatMap(([name, format]) =>
      Object.entries(THREADS).flatMap(([kind, thread]) => [true, false].map((stream) => [name, kind, stream, format, thread] as const)),
    ),
  )('to a provider of %s is refused so that the client sends all (%s, streamed: %s)', async (_name, _kind, stream, format, thread) => {
    const type = `${format.type} (dialect: ${format.dialect})`;
    const seen = await rig.send('/v1/messages', type, format.model, { ...BODY, thread, stream }, answer());
    expect([seen.status, seen.sent]).toEqual([400, undefined]);
    expect(seen.body.error).toMatchObject({ type: 'invalid_request_error', details: { error_code: 'thread_unsupported_request' } });
  });

  test.each([
    [404, 'not_found_error', 'thread_not_found'],
    [409, 'invalid_request_error', 'thread_already_continued'],
    [400, 'invalid_request_error', 'thread_continue_in_flight'],
    [400, 'invalid_request_error', 'thread_unsupported_request'],
  ])('that Anthropic refuses with %s %s keeps its code %s', async (status, type, error_code) => {
    const refusal = json(status, { type: 'error', error: { type, message: 'no', details: { error_code, secret: 'words' } } });
    const seen = await rig.send('/v1/messages', 'anthropic', claude.model, { ...BODY, thread: THREADS.continue }, refusal);
    expect([seen.status, seen.body.error.type]).toEqual([status === 404 ? 404 : 400, status === 404 ? type : 'invalid_request_error']);
    expect(seen.body.error.details).toEqual({ error_code });
  });

  /** The tool runner of the official SDK, which sends threads by default. */
  async function run(model: string): Promise<string> {
    const client = new Anthropic({ apiKey: rig.tenant.apiKey, baseURL: rig.weir.publicUrl, maxRetries: 0 });
    const tool = {
      name: 'w',
      input_schema: { type: 'object' as const },
      run: () => 'sunny',
      parse: (input: unknown) => input,
    };
    const runner = client.beta.messages.toolRunner({
      model: model as 'claude-opus-5',
      max_tokens: 99,
      messages: [{ role: 'user', content: 'Hi' }],
      tools: [tool] as never,
    });
    const message = await runner;
    return message.content.map((block) => (block.type === 'text' ? block.text : '')).join('');
  }
  const calls = [{ id: 'c1', name: 'w', arguments: {} }];

  test.each(Object.entries(REPLY_FORMATS))('the official tool runner gets through to a provider of %s', async (name, format) => {
    const model = `${await rig.provider(`${format.type} (dialect: ${format.dialect})`)}/${format.model}`;
    let said = 0;
    rig.upstream.script = (call, response) => {
      // Anthropic's own API, without the thread that is to go on.
      const thread = call.body['thread'] as { type: string } | undefined;
      const gone: Script = json(404, {
        type: 'error',
        error: { type: 'not_found_error', message: 'no', details: { error_code: 'thread_not_found' } },
      });
      if (thread?.type === 'continue') return gone(call, response);
      return format.says(said++ === 0 ? { calls, usage: USAGE } : { text: 'It is sunny.', usage: USAGE })(call, response);
    };
    expect(await run(model)).toBe('It is sunny.');
    expect(rig.upstream.calls.at(-1)!.text).toContain('sunny');
    if (name !== 'messages') expect(rig.upstream.calls.at(-1)!.body['thread']).toBeUndefined();
  });

  test('that goes on is held for as much as its model reads', async () => {
    const held = async (thread: object): Promise<number> => {
      let amount = 0;
      await rig.send('/v1/messages', 'anthropic', claude.model, { ...BODY, thread }, async (call, response) => {
        const { rows } = await rig.weir.db.query<{ amount: string }>("SELECT amount::text FROM holds WHERE state = 'open'");
        amount = Number(rows[0]!.amount);
        await claude.says({ text: 'ok', usage: USAGE })(call, response);
      });
      return amount;
    };
    expect(await held(THREADS.continue)).toBeGreaterThan(100 * (await held(THREADS.create)));
  });
});

describe('tools of two kinds and one name', () => {
  const fn = { type: 'function', name: 'w', parameters: { type: 'object' } };
  const custom = { type: 'custom', name: 'w' };
  const inChat = ({ type, ...tool }: { type: string }) => ({ type, [type]: tool });
  test.each([
    ['/v1/chat/completions', [inChat(fn), inChat(custom)]],
    ['/v1/chat/completions', [inChat(custom), inChat(fn)]],
    ['/v1/responses', [fn, custom]],
    ['/v1/responses', [custom, fn]],
  ])('%s: are refused by their name', async (path, tools) => {
    const seen = await rig.send(
      path,
      'anthropic',
      claude.model,
      { ...(path === '/v1/responses' ? { input: 'Hi' } : BODY), tools },
      answer(),
    );
    expect([seen.status, seen.sent, seen.body.error.message.includes('"w"')]).toEqual([400, undefined, true]);
  });
});
