import { REPLY_FORMATS, type ReplyFormat } from '../support/tool-replies.js';
import { caseRig } from './support/case-rig.js';

const rig = caseRig();

const USAGE = { input: 9, cacheRead: 0, output: 12 };
const typeOf = ({ type, dialect }: ReplyFormat): string => (type === 'openai' ? `openai (dialect: ${dialect})` : type);
const formatOf = (dialect: string) => Object.values(REPLY_FORMATS).find((format) => format.dialect === dialect)!;
const SOUND = { type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } };
const HELLO = [{ role: 'user', content: 'Hi' }];

/** What is asked in a format of clients, of a provider that refuses it or leaves it out, and how the client knows the field. */
const REFUSED: [path: string, dialect: string, body: object, param: string][] = [
  ['/v1/responses', 'anthropic-messages', { input: [{ role: 'user', content: [SOUND] }] }, 'input'],
  ['/v1/responses', 'bedrock-converse', { input: [{ role: 'user', content: [SOUND] }] }, 'input'],
  ['/v1/responses', 'bedrock-converse', { input: '' }, 'input'],
  ['/v1/responses', 'anthropic-messages', { input: [{ type: 'function_call_output', call_id: 'c', output: 'x' }] }, 'input'],
  ['/v1/chat/completions', 'bedrock-converse', { messages: [{ role: 'user', content: '' }] }, 'messages'],
  ['/v1/messages', 'bedrock-converse', { max_tokens: 9, messages: HELLO, stop_sequences: [' '] }, 'stop_sequences'],
  ['/v1/completions', 'bedrock-converse', { prompt: ' ' }, 'prompt'],
];
test.each(REFUSED)('a refusal on %s of %s names the field as the client does', async (path, dialect, body, param) => {
  const format = formatOf(dialect);
  const seen = await rig.send(path, typeOf(format), format.model, body, format.says({ text: 'ok', usage: USAGE }));
  expect([seen.status, seen.body.error.param]).toEqual([400, param]);
});

test('a warning names the field as the client does', async () => {
  const format = formatOf('anthropic-messages');
  const body = { input: 'Hi', text: { verbosity: 'low' }, include: ['message.output_text.logprobs'] };
  const seen = await rig.send('/v1/responses', typeOf(format), format.model, body, format.says({ text: 'ok', usage: USAGE }));
  expect(seen.warnings).toContain('"text.verbosity" is not supported');
  expect(seen.warnings).toContain('"include" is not supported');
});

/** Requests that say nothing, in each format of clients. */
const EMPTY: [path: string, body: object][] = [
  ['/v1/responses', { input: '' }],
  ['/v1/responses', { input: [] }],
  ['/v1/responses', { input: [{ role: 'user', content: '' }] }],
  ['/v1/responses', { input: [{ role: 'user', content: [] }] }],
  ['/v1/chat/completions', { messages: [{ role: 'user', content: '' }] }],
  ['/v1/chat/completions', { messages: [{ role: 'user', content: [] }] }],
  ['/v1/messages', { max_tokens: 9, messages: [{ role: 'user', content: '' }] }],
  ['/v1/messages', { max_tokens: 9, messages: [{ role: 'user', content: [] }] }],
];
const NATIVE: Record<string, string> = {
  '/v1/responses': 'openai-responses',
  '/v1/chat/completions': 'openai-chat',
  '/v1/messages': 'anthropic-messages',
};
const CELLS = EMPTY.flatMap(([path, body]) =>
  Object.values(REPLY_FORMATS)
    .filter(({ dialect }) => dialect !== NATIVE[path])
    .map((format) => ({ path, said: JSON.stringify(body), body, format, dialect: format.dialect })),
);

test.each(CELLS)('$said on $path to $dialect is refused before it is sent', async ({ path, body, format }) => {
  const seen = await rig.send(path, typeOf(format), format.model, body, format.says({ text: 'ok', usage: USAGE }));
  expect([seen.status, seen.sent]).toEqual([400, undefined]);
  expect(seen.body.error.param).toBe(path === '/v1/responses' ? 'input' : 'messages');
});
