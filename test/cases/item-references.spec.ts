import { createOpenAI } from '@ai-sdk/openai';
import { generateText, isStepCount, streamText, tool } from 'ai';
import { z } from 'zod';
import { REPLY_FORMATS, type ReplyFormat } from '../support/tool-replies.js';
import { answer, type Script } from '../support/upstream.js';
import { createTenant } from '../support/weir.js';
import { caseRig, type Outcome } from './support/case-rig.js';

const rig = caseRig();

type Json = ReturnType<typeof JSON.parse>;

const USAGE = { input: 9, cacheRead: 0, output: 12 };
const typeOf = ({ type, dialect }: ReplyFormat): string => (type === 'openai' ? `openai (dialect: ${dialect})` : type);
/** Where both sides speak Responses, items are the provider's own. */
const FORMATS = Object.values(REPLY_FORMATS).filter(({ dialect }) => dialect !== 'openai-responses');
const HELLO = { type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }] };
const TOOLS = [
  { type: 'function', name: 'read', parameters: { type: 'object', properties: { id: { type: 'string' } } } },
  { type: 'custom', name: 'exec' },
  { type: 'local_shell' },
];

const ask = (format: ReplyFormat, body: object, script: Script = format.says({ text: 'ok', usage: USAGE })): Promise<Outcome> =>
  rig.send('/v1/responses', typeOf(format), format.model, body, script);
const outputOf = (seen: Outcome): Json[] => (seen.body ?? seen.events.at(-1).response).output;
const reference = ({ id }: { id: string }) => ({ type: 'item_reference', id });

const CALLS = {
  'a function': { name: 'read', arguments: { id: 'x' }, output: 'function_call_output' },
  'a custom tool': { name: 'exec', arguments: { input: 'ls -l' }, output: 'custom_tool_call_output' },
  'a local shell': { name: 'local_shell', arguments: { command: ['ls'] }, output: 'local_shell_call_output' },
};

const CELLS = FORMATS.flatMap((format) =>
  Object.entries(CALLS).flatMap(([kind, called]) =>
    [false, true].map((stream) => ({ dialect: format.dialect, format, kind, called, stream })),
  ),
);

test.each(CELLS)('items of a reply with a call of $kind are put back by their ids over $dialect, streamed: $stream', async (cell) => {
  const { format, called, stream } = cell;
  const said = {
    ...(format.stateful && { reasoning: { text: 'hmm', state: 'c3RhdGU=' } }),
    text: 'Let me see.',
    calls: [{ id: 'call_1', name: called.name, arguments: called.arguments }],
    usage: USAGE,
  };
  const output = outputOf(await ask(format, { input: [HELLO], tools: TOOLS, stream }, format.says(said)));
  const result = { type: called.output, call_id: output.find((item) => item.call_id).call_id, output: 'done' };
  const whole = await ask(format, { input: [HELLO, ...output, result], tools: TOOLS, store: false });
  const seen = await ask(format, { input: [HELLO, ...output.map(reference), result], tools: TOOLS });
  expect([seen.status, seen.warnings, seen.sent!.body]).toEqual([200, '', whole.sent!.body]);
  expect(JSON.stringify(seen.sent!.body)).toContain('Let me see.');
});

describe.each(Object.values(REPLY_FORMATS).map((format) => [format.dialect, format] as const))('over %s', (_dialect, format) => {
  test.each(['msg', 'rs', 'fc', 'ctc', 'lsh'])('an item %s_… that is no longer known is left out, and its result with it', async (kind) => {
    const id = `${kind}_${'0'.repeat(32)}i1`;
    const result = { type: 'function_call_output', call_id: 'call_gone', output: 'done' };
    const seen = await ask(format, { input: [HELLO, { type: 'item_reference', id }, result], tools: TOOLS });
    expect([seen.status, seen.warnings]).toEqual([200, expect.stringContaining('no longer known')]);
    expect(JSON.stringify(seen.sent!.body)).not.toMatch(/item_reference|call_gone|0{32}/);
  });
});

test('an item that another gateway gave out is left out with a warning', async () => {
  for (const id of ['rs_68af4030592c81938ec0a5fbab4a3e9f', 'msg_1']) {
    const seen = await ask(FORMATS[0]!, { input: [{ type: 'item_reference', id }, HELLO] });
    expect([seen.status, seen.warnings]).toEqual([200, expect.stringContaining('item_reference')]);
  }
});

test('what a client keeps itself is not kept, and what one tenant got no other can refer to', async () => {
  const [format] = FORMATS as [ReplyFormat];
  const said = format.says({ text: 'a secret of one tenant', usage: USAGE });
  const [kept] = outputOf(await ask(format, { input: [HELLO] }, said));
  const [notKept] = outputOf(await ask(format, { input: [HELLO], store: false }, said));
  const known = async (item: Json) =>
    JSON.stringify((await ask(format, { input: [HELLO, reference(item), HELLO] })).sent!.body).includes('secret');
  expect([await known(kept), await known(notKept)]).toEqual([true, false]);

  const other = await createTenant(rig.weir);
  await other.admin('POST', '/v1/organization/prices', { provider: 'mine', model: '*', input: '1', output: '2' });
  const base_url = `http://${rig.upstream.hostPort}`;
  await other.admin('POST', '/v1/organization/providers', { name: 'mine', type: 'openai', base_url, key: 'secret', models: ['*'] });
  const seen = await rig.send('/v1/responses', '', 'mine/m', { input: [HELLO, reference(kept), HELLO] }, answer(), {
    authorization: `Bearer ${other.apiKey}`,
  });
  expect([seen.status, JSON.stringify(seen.sent!.body).includes('secret')]).toEqual([200, false]);
});

test('what is put back is part of the hold', async () => {
  const [format] = FORMATS as [ReplyFormat];
  const [item] = outputOf(await ask(format, { input: [HELLO] }, format.says({ text: 'x'.repeat(60_000), usage: USAGE })));
  await rig.tenant.admin('POST', '/v1/organization/budgets', {
    scope: { kind: 'tag', value: 'put-back' },
    limit: '0.005',
    period: 'month',
  });
  const body = { input: [HELLO, reference(item), HELLO], max_output_tokens: 100 };
  const { status } = await rig.send('/v1/responses', typeOf(format), format.model, body, answer(), { 'x-weir-tags': 'put-back' });
  expect(status).toBe(402);
});

describe.each(FORMATS.map((format) => [format.dialect, format] as const))("the AI SDK's own provider over %s", (_dialect, format) => {
  test.each(['whole', 'streamed'])('goes through two steps with a tool, %s', async (form) => {
    const name = await rig.provider(typeOf(format));
    const before = rig.upstream.calls.length;
    const first = format.says({
      ...(format.stateful && { reasoning: { text: 'hmm', state: 'c3RhdGU=' } }),
      text: 'Let me see.',
      calls: [{ id: 'call_1', name: 'read', arguments: { id: 'x' } }],
      usage: USAGE,
    });
    const last = format.says({ text: 'It says hello.', usage: USAGE });
    rig.upstream.script = (call, response) => (rig.upstream.calls.length - before > 1 ? last : first)(call, response);
    const openai = createOpenAI({ baseURL: `${rig.weir.publicUrl}/v1`, apiKey: rig.tenant.apiKey });
    const options = {
      model: openai(`${name}/${format.model}`),
      prompt: 'Read x.',
      tools: { read: tool({ inputSchema: z.object({ id: z.string() }), execute: async () => 'hello' }) },
      stopWhen: isStepCount(3),
      maxRetries: 0,
    };
    const text = form === 'whole' ? (await generateText(options)).text : await streamText(options).text;
    expect(text).toBe('It says hello.');
    const heard = format.hears(rig.upstream.calls[before + 1]!.body);
    expect([heard.calls.length, heard.results.length, heard.states.length]).toEqual([1, 1, format.stateful ? 1 : 0]);
    expect(JSON.stringify(rig.upstream.calls[before + 1]!.body)).toContain('Let me see.');
  });
});
