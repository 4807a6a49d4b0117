import { ProviderRefusal } from '../../dialect.js';
import { fold } from '../../kit/fold.js';
import { openaiChat } from '../index.js';

type Delta = Record<string, unknown>;

const chunk = (delta: Delta, finish: string | null = null, rest: object = {}) => ({
  id: 'c1',
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: finish }],
  ...rest,
});

/** The events of chunks, to their end. */
function decode(...chunks: unknown[]) {
  const decoder = openaiChat.streamDecoder();
  const events = chunks.flatMap((data) => decoder.push({ event: null, data: typeof data === 'string' ? data : JSON.stringify(data) }));
  return { events: [...events, ...decoder.end()], complete: decoder.complete };
}
const answer = (...chunks: unknown[]) => fold(decode(...chunks).events).choices[0]!;
const calls = (...items: Delta[][]) =>
  answer(...items.map((tool_calls) => chunk({ tool_calls })), chunk({}, 'tool_calls')).parts.map((part) =>
    part.type === 'tool_call' ? [part.id, part.name, part.arguments] : part,
  );
const piece = (index: unknown, id: unknown, name: unknown, args: unknown): Delta => ({ index, id, function: { name, arguments: args } });

describe('tool calls', () => {
  test.each([
    [
      'pieces by index, interleaved',
      [
        [piece(0, 'a', 'f', ''), piece(1, 'b', 'g', '')],
        [piece(1, undefined, undefined, '{}')],
        [piece(0, undefined, undefined, '{"x":1}')],
      ],
      [
        ['a', 'f', '{"x":1}'],
        ['b', 'g', '{}'],
      ],
    ],
    ['an index that begins at one', [[piece(1, 'a', 'f', '{}')]], [['a', 'f', '{}']]],
    [
      'no index: the id tells',
      [[piece(undefined, 'a', 'f', '{"x"')], [piece(undefined, 'a', null, ':1}')], [piece(undefined, 'b', 'g', '{}')]],
      [
        ['a', 'f', '{"x":1}'],
        ['b', 'g', '{}'],
      ],
    ],
    [
      'neither index nor id: it is the last',
      [[piece(undefined, 'a', 'f', '{"x"')], [piece(undefined, null, null, ':1}')]],
      [['a', 'f', '{"x":1}']],
    ],
    [
      'an index used again with a new id',
      [[piece(0, 'a', 'f', '{}')], [piece(0, 'b', 'g', '{}')]],
      [
        ['a', 'f', '{}'],
        ['b', 'g', '{}'],
      ],
    ],
    [
      'an index used again without ids',
      [[piece(0, '', 'f', '{}')], [piece(0, '', 'f', '{"x":1}')]],
      [
        ['', 'f', '{}'],
        ['', 'f', '{"x":1}'],
      ],
    ],
    ['ids and names empty in later pieces', [[piece(0, 'a', 'f', '')], [piece(0, '', '', '{}')]], [['a', 'f', '{}']]],
    ['a name in every piece', [[piece(0, 'a', 'f', '{"x"')], [piece(0, 'a', 'f', ':1}')]], [['a', 'f', '{"x":1}']]],
    ['arguments before the name', [[piece(0, 'a', null, '{"x"')], [piece(0, null, 'f', ':1}')]], [['a', 'f', '{"x":1}']]],
    ['arguments as an object', [[piece(0, 'a', 'f', { x: 1 })]], [['a', 'f', '{"x":1}']]],
    ['no arguments at first', [[piece(0, 'a', 'f', undefined)], [piece(0, null, null, '{}')]], [['a', 'f', '{}']]],
  ])('%s', (_name, items, expected) => expect(calls(...(items as Delta[][]))).toEqual(expected));

  test('an empty list of calls is none', () =>
    expect(answer(chunk({ tool_calls: [], content: 'x' }), chunk({}, 'stop')).parts).toEqual([{ type: 'text', text: 'x' }]));

  test('in a whole answer each item is a call', () => {
    const items = [
      { id: '', function: { name: 'f', arguments: '' } },
      { id: '', function: { name: 'f', arguments: '' } },
    ];
    const reply = { choices: [{ message: { content: null, tool_calls: items }, finish_reason: 'tool_calls' }] };
    expect(fold(openaiChat.decodeAnswer(Buffer.from(JSON.stringify(reply)), {})).choices[0]!.parts).toHaveLength(2);
  });

  test("Gemini's signature is kept with its call", () =>
    expect(
      answer(
        chunk({ tool_calls: [{ ...piece(0, 'a', 'f', '{}'), extra_content: { google: { thought_signature: 'S' } } }] }),
        chunk({}, 'stop'),
      ).parts,
    ).toMatchObject([{ signature: 'S' }]));
});

describe('reasoning', () => {
  test.each([
    ['reasoning_content', { reasoning_content: 'r' }],
    ['reasoning', { reasoning: 'r' }],
    ["Mistral's list", { content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'r' }] }] }],
  ])('%s', (_name, delta) =>
    expect(answer(chunk(delta), chunk({}, 'stop')).parts).toMatchObject([{ type: 'reasoning', text: 'r', origin: null }]),
  );

  test('what OpenRouter says twice is read once, with its state', () => {
    const detail = (fields: object) => ({ type: 'reasoning.text', format: 'anthropic-claude-v1', index: 0, ...fields });
    expect(
      answer(
        chunk({ content: '', reasoning: 'a', reasoning_details: [detail({ text: 'a' })] }),
        chunk({ reasoning: 'b', reasoning_details: [detail({ text: 'b' })] }),
        chunk({ reasoning: null, reasoning_details: [detail({ signature: 'S' })] }),
        chunk({ content: 'x' }, 'stop'),
      ).parts,
    ).toEqual([
      { type: 'reasoning', text: 'ab', origin: 'anthropic', signature: 'S', redacted: null, id: null },
      { type: 'text', text: 'x' },
    ]);
  });

  test('what is plain at first and said again later, with the state of each block, is read once', () => {
    const detail = (index: number, text: string, signature: string) => ({
      type: 'reasoning.text',
      format: 'google-gemini-v1',
      index,
      text,
      signature,
    });
    const { parts } = answer(
      chunk({ reasoning_content: 'a' }),
      chunk({ reasoning_content: 'bc' }),
      chunk({ reasoning_details: [detail(0, 'ab', 'S'), detail(1, 'c', 'T')] }),
      chunk({ content: 'x' }, 'stop'),
    );
    expect(parts).toMatchObject([{ text: 'abc', signature: 'S' }, { text: '', signature: 'T' }, { text: 'x' }]);
  });
});

describe('the end', () => {
  test('a later chunk without a reason, or with an empty one, takes nothing back', () => {
    const { events, complete } = decode(
      chunk({ content: 'x' }),
      chunk({}, 'stop'),
      chunk({ content: '' }, null, { usage: { prompt_tokens: 1, completion_tokens: 2 } }),
      chunk({}, ''),
    );
    expect(complete).toBe(true);
    expect(events.filter(({ type }) => type === 'finish')).toEqual([{ type: 'finish', choice: 0, reason: 'stop', native: 'stop' }]);
  });

  test('[DONE] ends an answer without a reason; the end of input does not', () => {
    expect(decode(chunk({ content: 'x' }), '[DONE]')).toMatchObject({ complete: true, events: [{}, {}, { reason: 'stop', native: null }] });
    expect(decode(chunk({ content: 'x' }))).toMatchObject({ complete: false });
  });

  test('every answer has to end', () => {
    const second = { ...chunk({}), choices: [{ index: 1, delta: { content: 'y' }, finish_reason: null }] };
    expect(decode(chunk({ content: 'x' }, 'stop'), second).complete).toBe(false);
  });

  test.each([
    ['eos', 'stop'],
    ['model_length', 'length'],
    ['function_call', 'tool_calls'],
    ['insufficient_system_resource', 'error'],
    ['function_call_filter: MALFORMED_FUNCTION_CALL', 'error'],
  ])('%s is %s', (native, reason) => expect(answer(chunk({ content: 'x' }, native))).toMatchObject({ finish: reason, native }));

  test("a router's own word is told, and its provider's beside it", () => {
    const last = { choices: [{ index: 0, delta: { content: 'x' }, finish_reason: 'length', native_finish_reason: 'MAX_TOKENS' }] };
    expect(answer(last)).toMatchObject({ finish: 'length', native: 'MAX_TOKENS' });
  });
});

describe('failures and usage', () => {
  test('usage in the chunk of an error is told before the error', () => {
    const decoder = openaiChat.streamDecoder();
    const failed = { ...chunk({}), error: { code: 400, message: 'limit' }, usage: { prompt_tokens: 3, completion_tokens: 1 } };
    expect(decoder.push({ event: null, data: JSON.stringify(failed) })).toMatchObject([{ type: 'usage', usage: { input: 3 } }]);
    expect(() => decoder.push({ event: null, data: '[DONE]' })).toThrow(ProviderRefusal);
    expect(() => decoder.end()).toThrow(ProviderRefusal);
    expect(decoder.complete).toBe(false);
  });

  test.each([
    ['an error event', { error: { message: 'x', status_code: 400 } }, 'bad_request'],
    ['an error in a choice', { choices: [{ index: 0, error: { code: 502, message: 'x' } }] }, 'server'],
    ['an error that names its kind only', { error: { message: 'x', type: 'invalid_request_error' } }, 'bad_request'],
  ])('%s is a refusal', (_name, data, expected) => {
    try {
      decode(data);
      throw new Error('read');
    } catch (error) {
      expect((error as ProviderRefusal).refusal.class).toBe(expected);
    }
  });

  test('what is no JSON is an error', () => expect(() => decode('{"choices":')).toThrow());

  test('zeros do not replace the true usage', () => {
    const used = (prompt: number) => ({ choices: [], usage: { prompt_tokens: prompt, completion_tokens: prompt } });
    for (const order of [
      [used(5), used(0)],
      [used(0), used(5)],
    ]) {
      const { events } = decode(chunk({ content: 'x' }, 'stop'), ...order);
      expect(events.findLast(({ type }) => type === 'usage')).toMatchObject({ usage: { input: 5, output: 5 } });
    }
  });

  test("Azure's first chunk tells neither id nor model", () => {
    const first = { id: '', model: '', choices: [], prompt_filter_results: [] };
    expect(decode(first, chunk({ content: 'x' }, 'stop')).events[0]).toEqual({ type: 'start', id: 'c1', model: 'm' });
  });

  test('citations and images', () => {
    const citation = { type: 'url_citation', url_citation: { url: 'https://a', title: 'A', start_index: 0, end_index: 1 } };
    const image = { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } };
    const said = answer(chunk({ content: 'x', annotations: [citation], images: [image] }, 'stop'));
    expect(said.annotations).toEqual([{ url: 'https://a', title: 'A', start: 0, end: 1 }]);
    expect(said.parts[1]).toEqual({ type: 'image', mediaType: 'image/png', data: 'AAAA' });
  });
});

test.each([-1, 0.5, 1_000_000, Number.MAX_SAFE_INTEGER, '1', null])(
  'an answer of index %p is the first: there are 128 at most',
  (index) => {
    const { events } = decode({ id: 'c1', model: 'm', choices: [{ index, delta: { content: 'Hi' }, finish_reason: 'stop' }] });
    expect(events.map((event) => ('choice' in event ? event.choice : null))).toEqual([null, 0, 0]);
    expect(fold(events).choices).toHaveLength(1);
  },
);
