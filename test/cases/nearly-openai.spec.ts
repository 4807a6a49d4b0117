import OpenAI from 'openai';
import { json, type Script } from '../support/upstream.js';
import { caseRig, type Outcome, readCase } from './support/case-rig.js';

const rig = caseRig();

type Json = ReturnType<typeof JSON.parse>;

/** What a client of OpenAI's SDK makes of a stream, by the SDK's own accumulation. */
async function accumulated(text: string): Promise<Json> {
  const client = new OpenAI({
    apiKey: 'x',
    maxRetries: 0,
    fetch: async () => new Response(text, { headers: { 'content-type': 'text/event-stream' } }),
  });
  const tools = [{ type: 'function' as const, function: { name: 'w', parameters: {} } }];
  const stream = client.chat.completions.stream({ model: 'm', messages: [], tools });
  return stream.finalChatCompletion();
}

const deltasOf = ({ events }: Outcome): Json[] => events.flatMap(({ choices }) => choices.map(({ delta }: Json) => delta));
const callsOf = (seen: Outcome): Json[] => deltasOf(seen).flatMap((delta) => delta.tool_calls ?? []);
const reasonsOf = ({ events }: Outcome): unknown[] => events.flatMap(({ choices }) => choices.map((choice: Json) => choice.finish_reason));

describe('reported cases', () => {
  test('a call without an id gets one', async () => {
    const [first] = callsOf(await rig.run(readCase('chat-call-without-id-stream')));
    expect(first.id).toMatch(/^call_\w+$/);
  });

  test('a call without a type is a function', async () => {
    expect(callsOf(await rig.run(readCase('chat-call-without-type')))[0].type).toBe('function');
  });

  test('a reason that is empty is none, and one that OpenAI does not have is one of its own', async () => {
    const reasons = reasonsOf(await rig.run(readCase('chat-finish-empty-and-foreign-words')));
    expect(reasons.slice(0, -1).every((reason) => reason === null)).toBe(true);
    expect(reasons.at(-1)).toBe('stop');
  });

  test('an answer with calls ends with tool_calls', async () => {
    expect(reasonsOf(await rig.run(readCase('chat-finish-stop-with-calls-stream'))).at(-1)).toBe('tool_calls');
  });

  test('the first delta says whose it is', async () => {
    expect(deltasOf(await rig.run(readCase('chat-first-delta-without-role')))[0].role).toBe('assistant');
  });

  test.each(['chat-missing-index-parallel', 'chat-reused-index-parallel'])('parallel calls are told apart: %s', async (id) => {
    const seen = await rig.run(readCase(id));
    const answer = await accumulated(seen.text);
    expect(answer.choices[0].message.tool_calls.map(({ id: call }: Json) => call)).toEqual(['a', 'b']);
  });

  test('arguments that are an object become text', async () => {
    const { body } = await rig.run(readCase('chat-object-arguments-whole'));
    expect(body.choices[0].message.tool_calls[0].function.arguments).toBe('{"city":"x"}');
  });
});

const HELLO = {
  messages: [{ role: 'user', content: 'Hi' }],
  tools: [{ type: 'function', function: { name: 'w', parameters: { type: 'object' } } }],
};
const head = { id: 'c1', object: 'chat.completion.chunk', created: 1, model: 'm' };
const chunk = (choice: object): object => ({ ...head, choices: [{ index: 0, finish_reason: null, ...choice }] });
const usage = { ...head, choices: [], usage: { prompt_tokens: 5, completion_tokens: 5, total_tokens: 10 } };
const sse = (chunks: (object | string)[]): string =>
  [...chunks, usage].map((one) => `data: ${typeof one === 'string' ? one : JSON.stringify(one)}\n\n`).join('');
const streamed =
  (text: string, type = 'text/event-stream'): Script =>
  (_call, response) => {
    response.writeHead(200, { 'content-type': type });
    response.end(text);
  };
const ask = (script: Script, stream: boolean) =>
  rig.send('/v1/chat/completions', 'custom', 'm1', { ...HELLO, stream, stream_options: { include_usage: true } }, script);

const ROLE = { role: 'assistant' };
const call = (fields: object, name = 'w', args: unknown = '{"a":1}') => ({
  index: 0,
  id: 'a',
  type: 'function',
  function: { name, arguments: args },
  ...fields,
});

/** Streams of two parallel calls, `a` and `b`, with the arguments `{"a":1}`, each wrong in its own way. */
const CALLS: Record<string, object[]> = {
  'index missing': [chunk({ delta: { ...ROLE, tool_calls: [call({ index: undefined }), call({ index: undefined, id: 'b' })] } })],
  'index missing, one call a chunk': [
    chunk({ delta: { ...ROLE, tool_calls: [call({ index: undefined })] } }),
    chunk({ delta: { tool_calls: [call({ index: undefined, id: 'b' })] } }),
  ],
  'index null': [chunk({ delta: { ...ROLE, tool_calls: [call({ index: null }), call({ index: null, id: 'b' })] } })],
  'index repeated': [chunk({ delta: { ...ROLE, tool_calls: [call({})] } }), chunk({ delta: { tool_calls: [call({ id: 'b' })] } })],
  'index from one': [
    chunk({ delta: { ...ROLE, tool_calls: [call({ index: 1 })] } }),
    chunk({ delta: { tool_calls: [call({ index: 2, id: 'b' })] } }),
  ],
  'index of text': [
    chunk({ delta: { ...ROLE, tool_calls: [call({ index: '0' })] } }),
    chunk({ delta: { tool_calls: [call({ index: '1', id: 'b' })] } }),
  ],
  'type missing': [chunk({ delta: { ...ROLE, tool_calls: [call({ type: undefined }), call({ index: 1, id: 'b', type: undefined })] } })],
  'type null': [chunk({ delta: { ...ROLE, tool_calls: [call({ type: null }), call({ index: 1, id: 'b', type: '' })] } })],
  'arguments an object': [chunk({ delta: { ...ROLE, tool_calls: [call({}, 'w', { a: 1 }), call({ index: 1, id: 'b' }, 'w', { a: 1 })] } })],
  'id and name in every piece': [
    chunk({ delta: { ...ROLE, tool_calls: [call({}, 'w', '{"a"')] } }),
    chunk({ delta: { tool_calls: [call({}, 'w', ':1}')] } }),
    chunk({ delta: { tool_calls: [call({ index: 1, id: 'b' })] } }),
  ],
  'name after the arguments began': [
    chunk({ delta: { ...ROLE, tool_calls: [{ index: 0, id: 'a', type: 'function', function: { arguments: '{"a"' } }] } }),
    chunk({ delta: { tool_calls: [{ index: 0, function: { name: 'w', arguments: ':1}' } }, call({ index: 1, id: 'b' })] } }),
  ],
  'role in every delta': [
    chunk({ delta: { ...ROLE, tool_calls: [call({})] } }),
    chunk({ delta: { ...ROLE, tool_calls: [call({ index: 1, id: 'b' })] } }),
  ],
  'role missing': [chunk({ delta: { tool_calls: [call({}), call({ index: 1, id: 'b' })] } })],
  'the index of the answer missing': [chunk({ index: undefined, delta: { ...ROLE, tool_calls: [call({}), call({ index: 1, id: 'b' })] } })],
  'a message instead of a delta': [chunk({ message: { ...ROLE, tool_calls: [call({}), call({ index: 1, id: 'b' })] } })],
  'calls null in another chunk': [
    chunk({ delta: { ...ROLE, tool_calls: null } }),
    chunk({ delta: { tool_calls: [call({}), call({ index: 1, id: 'b' })] } }),
  ],
};
const ENDS: Record<string, object | null> = {
  tool_calls: chunk({ delta: {}, finish_reason: 'tool_calls' }),
  stop: chunk({ delta: {}, finish_reason: 'stop' }),
  'end_turn and a role': chunk({ delta: ROLE, finish_reason: 'end_turn' }),
  'eos, then an empty one': chunk({ delta: {}, finish_reason: 'eos' }),
  nothing: null,
};

describe.each(Object.entries(CALLS))('streamed calls with %s', (_name, chunks) => {
  test.each(Object.entries(ENDS))('and an end of %s are what OpenAI’s SDK makes two calls of', async (_end, end) => {
    const seen = await ask(streamed(sse([...chunks, ...(end ? [end] : []), '[DONE]'])), true);
    const { choices } = await accumulated(seen.text);
    expect(choices).toEqual([expect.objectContaining({ index: 0, finish_reason: 'tool_calls' })]);
    expect(choices[0].message.role).toBe('assistant');
    expect(choices[0].message.tool_calls.map(({ id, type, function: called }: Json) => [id, type, called.name, called.arguments])).toEqual([
      ['a', 'function', 'w', '{"a":1}'],
      ['b', 'function', 'w', '{"a":1}'],
    ]);
  });
});

test.each([
  ['missing', undefined],
  ['null', null],
  ['empty', ''],
])('streamed calls whose ids are %s get ids that differ', async (_name, id) => {
  const chunks = [
    chunk({ delta: { ...ROLE, tool_calls: [call({ id }), call({ id, index: 1 })] } }),
    chunk({ delta: {}, finish_reason: 'tool_calls' }),
  ];
  const { choices } = await accumulated((await ask(streamed(sse([...chunks, '[DONE]'])), true)).text);
  const ids = choices[0].message.tool_calls.map((one: Json) => one.id);
  expect(new Set(ids).size).toBe(2);
  expect(ids.every((one: string) => /^call_\w+$/.test(one))).toBe(true);
});

test('ids that are made for two replies differ', async () => {
  const idOf = async (id: string) => {
    const first = { ...chunk({ delta: { ...ROLE, tool_calls: [call({ id: undefined })] } }), id };
    const seen = await ask(streamed(sse([first, { ...chunk({ delta: {}, finish_reason: 'tool_calls' }), id }, '[DONE]'])), true);
    return callsOf(seen)[0].id;
  };
  expect(await idOf('chatcmpl-one')).not.toBe(await idOf('chatcmpl-two'));
});

test.each([
  ['empty', ''],
  ['missing', undefined],
  ['null', null],
])('a streamed call whose arguments are %s has none', async (_name, args) => {
  const chunks = [
    chunk({ delta: { ...ROLE, tool_calls: [{ ...call({}), function: { name: 'w', arguments: args } }] } }),
    chunk({ delta: {}, finish_reason: 'tool_calls' }),
  ];
  const { choices } = await accumulated((await ask(streamed(sse([...chunks, '[DONE]'])), true)).text);
  expect(choices[0].message.tool_calls[0].function.arguments).toBe('{}');
});

const whole = (choice: object): object => ({ ...head, object: 'chat.completion', choices: [choice], usage: usage.usage });
const message = (fields: object) => ({ index: 0, finish_reason: 'tool_calls', message: { ...ROLE, content: null, ...fields } });
const WHOLES: Record<string, object> = {
  'no type': message({ tool_calls: [call({ index: undefined, type: undefined })] }),
  'arguments an object': message({ tool_calls: [call({}, 'w', { a: 1 })] }),
  'no role': { ...message({ tool_calls: [call({})] }), message: { content: null, tool_calls: [call({})] } },
  'the reason stop': { ...message({ tool_calls: [call({})] }), finish_reason: 'stop' },
  'no reason': { ...message({ tool_calls: [call({})] }), finish_reason: undefined },
  'an empty reason': { ...message({ tool_calls: [call({})] }), finish_reason: '' },
  'no index': { ...message({ tool_calls: [call({})] }), index: undefined },
  'a delta instead of a message': { index: 0, finish_reason: 'tool_calls', delta: { ...ROLE, tool_calls: [call({})] } },
};

test.each(Object.entries(WHOLES))(
  'a whole answer with a call and %s is as OpenAI writes it, with its other fields',
  async (_name, choice) => {
    const { body } = await ask(json(200, { ...whole(choice), system_fingerprint: 'fp' }), false);
    expect(body).toMatchObject({
      system_fingerprint: 'fp',
      choices: [{ index: 0, finish_reason: 'tool_calls', message: { role: 'assistant' } }],
    });
    const [called] = body.choices[0].message.tool_calls;
    expect(called).toMatchObject({ id: 'a', type: 'function', function: { name: 'w', arguments: '{"a":1}' } });
  },
);

test.each([
  ['no message', { index: 0, finish_reason: 'stop' }],
  ['a text', { index: 0, finish_reason: 'stop', text: '' }],
  ['calls that are null', { index: 0, finish_reason: 'eos', message: { role: 'assistant', content: '', tool_calls: null } }],
])('a whole answer with %s is an empty message', async (_name, choice) => {
  const { body } = await ask(json(200, whole(choice)), false);
  expect(body.choices).toEqual([{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: '' } }]);
});

test('streams and answers as OpenAI writes them stay as they are, byte for byte', async () => {
  const chunks = [
    chunk({ delta: { ...ROLE, content: '' } }),
    chunk({ delta: { content: 'On it' } }),
    chunk({ delta: { tool_calls: [call({}, 'w', '')] } }),
    chunk({ delta: { tool_calls: [{ index: 0, function: { arguments: '{"role":' } }] } }),
    chunk({ delta: { tool_calls: [{ index: 0, function: { arguments: ' 1.0}' } }] } }),
    chunk({ delta: {}, finish_reason: 'tool_calls' }),
  ];
  const sent = chunks.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('');
  const seen = await ask(streamed(`${sent}data: ${JSON.stringify(usage)}\n\ndata: [DONE]\n\n`), true);
  expect(seen.text.startsWith(sent)).toBe(true);
  const body = JSON.stringify(whole(message({ tool_calls: [call({ index: undefined })] })), null, 1);
  expect((await ask(json(200, body), false)).text).toBe(body);
});

describe('framing', () => {
  test.each(['empty-data-anthropic', 'empty-data-mid-messages', 'empty-data-mid-responses'])(
    '%s: an event without data is none',
    async (id) => {
      const seen = await rig.run(readCase(id));
      expect(seen.status).toBe(200);
      expect(seen.text).not.toMatch(/"type":"error"|response\.failed/);
      expect(seen.text).toMatch(/message_stop|response\.completed/);
    },
  );

  test('empty-data-mid-chat-passed-on: it does not reach the client', async () => {
    const seen = await rig.run(readCase('empty-data-mid-chat-passed-on'));
    expect(seen.text).not.toMatch(/^data:\s*$/m);
    expect(seen.text).toContain('[DONE]');
  });

  const ODD = [
    'data:\n\n',
    'data: \n\n',
    'data\n\n',
    'event: ping\n\n',
    'data: ping\n\n',
    'data: keep-alive\n\n',
    'event: ping\ndata:\n\n',
    'id: 1\n\n',
  ];
  const SURFACES = {
    '/v1/chat/completions': HELLO,
    '/v1/messages': { messages: HELLO.messages, max_tokens: 9 },
    '/v1/responses': { input: 'Hi' },
  };
  const content = [chunk({ delta: { ...ROLE, content: 'a' } }), chunk({ delta: { content: 'b' }, finish_reason: 'stop' })];
  const parts = content.map((one) => `data: ${JSON.stringify(one)}\n\n`);

  test.each(Object.entries(SURFACES).flatMap(([path, body]) => ODD.map((odd) => [path, odd, body] as const)))(
    '%s: %j between events is none',
    async (path, odd, body) => {
      const text = `${odd}${parts.join(odd)}${odd}data: ${JSON.stringify(usage)}\n\n${odd}data: [DONE]\n\n`;
      const seen = await rig.send(path, 'custom', 'm1', { ...body, stream: true }, streamed(text));
      expect(seen.text).not.toMatch(/^data:?\s*$|ping|keep-alive|"error":\{|^id:/m);
      expect(seen.text).toMatch(/\[DONE\]|message_stop|response\.completed/);
    },
  );

  test.each(Object.entries(SURFACES))('%s: events that follow each other without an empty line are read', async (path, body) => {
    const text = `${[...content, usage].map((one) => `data: ${JSON.stringify(one)}\n`).join('')}data: [DONE]\n`;
    const seen = await rig.send(path, 'custom', 'm1', { ...body, stream: true }, streamed(text));
    expect(seen.text).toMatch(/"b"/);
    expect(seen.text).not.toMatch(/"error":\{/);
  });

  test('responses-completed-status-failed: an error, not an empty answer', async () => {
    const seen = await rig.run(readCase('responses-completed-status-failed'));
    expect(JSON.stringify([seen.body, seen.events])).toContain('"error"');
    expect(reasonsOf({ ...seen, events: seen.events.filter(({ choices }) => choices) })).not.toContain('stop');
  });

  test('responses-done-terminal: the answer, whole', async () => {
    const seen = await rig.run(readCase('responses-done-terminal'));
    expect(JSON.stringify(seen.body ?? seen.events)).toContain('"finish_reason":"tool_calls"');
  });

  test.each(['completed', 'incomplete'])('a client of Responses gets response.%s for response.done', async (status) => {
    const response = { id: 'resp_1', object: 'response', status, output: [], usage: { input_tokens: 1, output_tokens: 1 } };
    const text = `event: response.done\ndata: ${JSON.stringify({ type: 'response.done', response })}\n\n`;
    const seen = await rig.send('/v1/responses', 'openai (dialect: openai-responses)', 'm1', { input: 'Hi', stream: true }, streamed(text));
    expect(seen.events.map(({ type }) => type)).toEqual([`response.${status}`]);
  });
});
