import fc from 'fast-check';
import type { Conversation, ReplyEvent, Turn } from '../canonical.js';
import { fold } from './fold.js';
import { PromptedToolParser } from './prompted-tool-parser.js';
import { promptTools, renderCall } from './prompted-tools.js';

const FINISH: ReplyEvent = { type: 'finish', choice: 0, reason: 'stop', native: 'stop' };

/** What is read of a text that comes in pieces. */
function read(pieces: string[]) {
  const parser = new PromptedToolParser();
  const events = pieces.flatMap((text) => parser.push({ type: 'text', choice: 0, text }));
  return fold([...events, ...parser.push(FINISH)]).choices[0]!.parts.map((part) =>
    part.type === 'tool_call' ? { name: part.name, arguments: part.arguments } : part.type === 'text' ? part.text : part,
  );
}

const CALL = '<tool_call>{"name":"f","arguments":{"a":"<b>"}}</tool_call>';
const F = { name: 'f', arguments: '{"a":"<b>"}' };

describe('reading', () => {
  test.each([
    ['a call alone', CALL, [F]],
    ['text before it, without the blanks between', `Let me see.\n\n${CALL}`, ['Let me see.', F]],
    ['two calls, without the blanks between', `${CALL}\n${CALL}\n`, [F, F]],
    ['text after it', `${CALL}\nDone.`, [F, '\nDone.']],
    ['blanks inside the tags', `<tool_call>\n{"name":"f","arguments":{"a":"<b>"}}\n</tool_call>`, [F]],
    ['no arguments', '<tool_call>{"name":"f"}</tool_call>', [{ name: 'f', arguments: '{}' }]],
    ['arguments written as a text', '<tool_call>{"name":"f","arguments":"{\\"a\\":1}"}</tool_call>', [{ name: 'f', arguments: '{"a":1}' }]],
    [
      'the closing tag as a word in an argument',
      '<tool_call>{"name":"f","arguments":{"a":"</tool_call>"}}</tool_call>',
      [{ name: 'f', arguments: '{"a":"</tool_call>"}' }],
    ],
    ['bare JSON stays text', '{"name":"f","arguments":{}}', ['{"name":"f","arguments":{}}']],
    ['an unclosed tag stays text', 'a <tool_call>{"name":"f"', ['a <tool_call>{"name":"f"']],
    ['a tag without a call stays text', 'a <tool_call>no</tool_call> b', ['a <tool_call>no</tool_call> b']],
    ['a call without a name stays text', '<tool_call>{"arguments":{}}</tool_call>', ['<tool_call>{"arguments":{}}</tool_call>']],
    ['what only begins like a tag stays text', 'a <tool', ['a <tool']],
    ['blanks at the end stay', 'a \n', ['a \n']],
  ])('%s', (_name, text, parts) => {
    expect(read([text])).toEqual(parts);
    expect(read([...text])).toEqual(parts);
  });

  test('any chunking gives the same', () => {
    const text = `One.\n${CALL}\n${CALL} <tool_call>x</tool_call> <tool_call>{"name":`;
    const whole = read([text]);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 12 }), (points) => {
        const at = [0, ...points.sort((a, b) => a - b), text.length];
        expect(read(at.slice(1).map((end, index) => text.slice(at[index], end)))).toEqual(whole);
      }),
    );
  });

  test('a call that is rendered is read again, whatever its arguments', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.dictionary(fc.string(), fc.jsonValue()), (name, args) => {
        const json = JSON.stringify(args);
        expect(read([renderCall({ name, arguments: json })])).toEqual([{ name, arguments: json }]);
      }),
    );
  });

  test('text is given out as soon as it cannot become a call', () => {
    const parser = new PromptedToolParser();
    expect(parser.push({ type: 'text', choice: 0, text: 'a <tool' })).toEqual([{ type: 'text', choice: 0, text: 'a' }]);
    expect(parser.push({ type: 'text', choice: 0, text: 'box' })).toEqual([{ type: 'text', choice: 0, text: ' <toolbox' }]);
  });

  test('a call begins once it is whole, without an id', () => {
    const parser = new PromptedToolParser();
    expect(parser.push({ type: 'text', choice: 1, text: CALL })).toEqual([
      { type: 'tool_call', choice: 1, call: 0, id: null, name: 'f' },
      { type: 'arguments', choice: 1, call: 0, text: '{"a":"<b>"}' },
    ]);
  });
});

describe('writing', () => {
  const text = (words: string) => ({ type: 'text' as const, text: words });
  const TURNS: Turn[] = [
    { role: 'system', developer: false, parts: [text('Be kind.')] },
    { role: 'user', parts: [text('Hi')] },
    { role: 'assistant', parts: [text('Wait.'), { type: 'tool_call', id: 'c1', name: 'f', arguments: '{"a":1}' }] },
    { role: 'tool', callId: 'c1', name: null, parts: [text('42 </tool_result>')], isError: false },
    { role: 'user', parts: [text('And?')] },
  ];
  const conversation = (fields: Partial<Conversation> = {}) =>
    ({
      turns: TURNS,
      tools: [{ name: 'f', description: 'Finds.', parameters: { type: 'object' }, strict: true }],
      toolChoice: null,
      parallelToolCalls: null,
      ...fields,
    }) as Conversation;
  const instruction = (fields: Partial<Conversation>) => JSON.stringify(promptTools(conversation(fields)).turns[0]);

  test('tools and protocol stand behind the instructions of the client; calls and results in the text', () => {
    const { turns, tools, toolChoice } = promptTools(conversation());
    expect([tools, toolChoice]).toEqual([[], null]);
    expect(turns[0]).toMatchObject({ role: 'system', parts: [text('Be kind.'), { text: expect.stringContaining('"name":"f"') }] });
    expect(turns[2]).toEqual({
      role: 'assistant',
      parts: [text('Wait.'), text('<tool_call>{"name":"f","arguments":{"a":1}}</tool_call>')],
    });
    expect(turns[3]).toEqual({
      role: 'user',
      parts: [text('<tool_result name="f">\n42 <\\/tool_result>\n</tool_result>'), text('And?')],
    });
    expect(turns).toHaveLength(4);
  });

  test('where there is no system role, all instructions go into the first user turn', () => {
    const { turns } = promptTools(conversation(), 'user');
    expect(turns[0]).toMatchObject({ role: 'user', parts: [text('Be kind.'), {}, text('Hi')] });
  });

  test('the choice among the tools is put into words', () => {
    expect(instruction({ toolChoice: { type: 'required' } })).toContain('must call at least one');
    expect(instruction({ toolChoice: { type: 'tool', name: 'f' } })).toContain('must call the tool');
    expect(instruction({ parallelToolCalls: false })).toContain('at most one');
    expect(instruction({ toolChoice: { type: 'none' } })).not.toContain('tool_call');
    expect(instruction({ toolChoice: { type: 'allowed', names: ['g'], required: false } })).not.toContain('tool_call');
  });

  test('the same conversation gives the same text', () =>
    expect(JSON.stringify(promptTools(conversation()))).toBe(JSON.stringify(promptTools(conversation()))));
});

test('a closing tag that is said again and again in an argument costs no more each time', () => {
  const said = '</tool_call>'.repeat(30_000);
  const parser = new PromptedToolParser();
  const parses = jest.spyOn(JSON, 'parse');
  const events = parser.push({ type: 'text', choice: 0, text: `<tool_call>{"name":"f","arguments":{"x":"${said}"}}</tool_call>` });
  expect(parses.mock.calls.length).toBeLessThan(10);
  parses.mockRestore();
  expect(events.map(({ type }) => type)).toEqual(['tool_call', 'arguments']);
});
