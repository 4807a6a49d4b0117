import { conversation as conversationOf } from '../../../test/support/conversations.js';
import {
  type AssistantTurn,
  type Conversation,
  NO_SETTINGS,
  type ReasoningPart,
  type Source,
  type ToolCallPart,
  type ToolTurn,
  type Turn,
} from '../canonical.js';
import type { UpstreamParams } from '../dialect.js';
import { gemini } from './index.js';

const conversation = (turns: Turn[], more: Partial<Conversation> = {}): Conversation => conversationOf({ turns, ...more });

const encoded = (one: Conversation, model = 'gemini-3.7-flash', more: Partial<UpstreamParams> = {}) => {
  const request = gemini.encodeRequest(one, { model, maxOutputTokens: 100, thinkingLevel: null, quirks: {}, ...more });
  return { ...request, body: JSON.parse(request.body) };
};

const system = (text: string): Turn => ({ role: 'system', developer: false, parts: [{ type: 'text', text }] });
const user = (text: string): Turn => ({ role: 'user', parts: [{ type: 'text', text }] });
const assistant = (...parts: AssistantTurn['parts']): AssistantTurn => ({ role: 'assistant', parts });
const call = (id: string, more: Partial<ToolCallPart> = {}): ToolCallPart => ({
  type: 'tool_call',
  id,
  name: 'f',
  arguments: '{}',
  ...more,
});
const result = (callId: string, text: string, more: Partial<ToolTurn> = {}): ToolTurn => ({
  role: 'tool',
  callId,
  name: null,
  parts: [{ type: 'text', text }],
  isError: false,
  ...more,
});
const state = (signature: string, more: Partial<ReasoningPart> = {}): ReasoningPart => ({
  type: 'reasoning',
  text: '',
  origin: 'gemini',
  signature,
  redacted: null,
  id: null,
  ...more,
});

const contentsOf = (turns: Turn[], model?: string) => encoded(conversation(turns), model).body.contents;
const HELLO = { role: 'user', parts: [{ text: 'hello' }] };

describe('a request to Gemini', () => {
  test('names the model and the way of answering in its path, the same on Google AI Studio and Vertex', () => {
    expect(encoded(conversation([user('hello')]), 'gemini-2.5-pro').path).toBe('/models/gemini-2.5-pro:generateContent');
    expect(encoded(conversation([user('hello')], { stream: true }), 'models/gemini-2.5-pro').path).toBe(
      '/models/gemini-2.5-pro:streamGenerateContent?alt=sse',
    );
    expect(() => encoded(conversation([user('hello')]), '..')).toThrow('no model id');
  });

  test('is the same, byte for byte, for the same conversation', () => {
    const one = conversation([system('s'), user('hello'), assistant(call('1')), result('1', 'x')]);
    const rewrite: UpstreamParams = { model: 'm', maxOutputTokens: 1, thinkingLevel: 'low', quirks: {} };
    expect(gemini.encodeRequest(one, rewrite).body).toBe(gemini.encodeRequest(structuredClone(one), rewrite).body);
  });

  test('has no more than was asked for', () => {
    expect(encoded(conversation([user('hello')])).body).toEqual({ contents: [HELLO], generationConfig: { maxOutputTokens: 100 } });
  });

  test('carries settings by their names here, and tells what it has no name for', () => {
    const settings = {
      ...NO_SETTINGS,
      temperature: 0.5,
      topP: 0.9,
      topK: 4,
      seed: 7,
      stop: ['x'],
      logprobs: true,
      topLogprobs: 3,
      minP: 0.1,
    };
    const { body, warnings } = encoded(conversation([user('hello')], { settings, choices: 2, parallelToolCalls: false }));
    expect(body.generationConfig).toEqual({
      maxOutputTokens: 100,
      temperature: 0.5,
      topP: 0.9,
      topK: 4,
      seed: 7,
      stopSequences: ['x'],
      responseLogprobs: true,
      logprobs: 3,
      candidateCount: 2,
    });
    expect(warnings).toEqual([expect.stringContaining('"min_p"'), expect.stringContaining('"parallel_tool_calls"')]);
  });

  test('with more stop sequences than Gemini takes is refused, not cut', () => {
    const settings = { ...NO_SETTINGS, stop: ['1', '2', '3', '4', '5', '6'] };
    expect(() => encoded(conversation([user('hello')], { settings }))).toThrow('at most 5 stop sequences');
  });

  test('asks for thinking as the client says, else as its key does', () => {
    const thinking = { level: 'high', budgetTokens: null, show: false } as const;
    const { body, thinkingLevel } = encoded(conversation([user('hello')], { thinking }), undefined, { thinkingLevel: 'low' });
    expect([body.generationConfig.thinkingConfig, thinkingLevel]).toEqual([{ thinkingLevel: 'HIGH' }, 'high']);
    const byKey = encoded(conversation([user('hello')]), undefined, { thinkingLevel: 'low' });
    expect(byKey.body.generationConfig.thinkingConfig).toEqual({ thinkingLevel: 'LOW', includeThoughts: true });
  });
});

describe('turns', () => {
  test('only the first system turns instruct; a later one stays in its place', () => {
    const { body } = encoded(
      conversation([system('a'), system(''), system('b'), user('hello'), assistant({ type: 'text', text: 'hi' }), system('c')]),
    );
    expect(body.systemInstruction).toEqual({ parts: [{ text: 'a' }, { text: 'b' }] });
    expect(body.contents).toEqual([
      HELLO,
      { role: 'model', parts: [{ text: 'hi' }] },
      { role: 'user', parts: [{ text: '<system>\nc\n</system>' }] },
    ]);
  });

  test('a system text alone is what the user says', () => {
    const { body } = encoded(conversation([system('hello')]));
    expect(body).not.toHaveProperty('systemInstruction');
    expect(body.contents).toEqual([HELLO]);
  });

  test('a model without system instruction reads it first', () => {
    const { body } = encoded(conversation([system('be brief'), user('hello')]), 'gemma-3-27b-it');
    expect(body).not.toHaveProperty('systemInstruction');
    expect(body.contents).toEqual([{ role: 'user', parts: [{ text: 'be brief' }, { text: 'hello' }] }]);
  });

  test('neighbors of one role are one', () => {
    expect(contentsOf([user('a'), user('b')])).toEqual([{ role: 'user', parts: [{ text: 'a' }, { text: 'b' }] }]);
  });

  test('empty texts are left out, unless there is nothing else', () => {
    expect(contentsOf([user(''), assistant({ type: 'text', text: '' }), user('')])).toEqual([
      { role: 'user', parts: [{ text: '' }, { text: '' }] },
    ]);
  });

  test('results of parallel calls come first in one turn, in the order of the calls, before what the user says', () => {
    const contents = contentsOf([
      user('hello'),
      assistant(call('1'), call('2', { name: 'g' })),
      result('2', 'b'),
      result('1', 'a'),
      user('so?'),
    ]);
    expect(contents[2]).toEqual({
      role: 'user',
      parts: [
        { functionResponse: { id: '1', name: 'f', response: { result: 'a' } } },
        { functionResponse: { id: '2', name: 'g', response: { result: 'b' } } },
        { text: 'so?' },
      ],
    });
  });

  test('a system turn between calls and results does not part them', () => {
    const contents = contentsOf([user('hello'), assistant(call('1')), system('note'), result('1', 'a')]);
    expect(contents[2].parts).toEqual([
      { functionResponse: { id: '1', name: 'f', response: { result: 'a' } } },
      { text: '<system>\nnote\n</system>' },
    ]);
  });

  test.each([
    ['{"a":1}', false, { a: 1 }],
    ['text', false, { result: 'text' }],
    ['[1]', false, { result: '[1]' }],
    ['', false, { result: '' }],
    ['broken', true, { error: 'broken' }],
  ])('a result of %j (error: %s) is an object', (text, isError, response) => {
    const contents = contentsOf([user('hello'), assistant(call('1')), result('1', text, { isError })]);
    expect(contents[2].parts[0].functionResponse.response).toEqual(response);
  });

  test('a result without its call, and a call without its result, are refused by name', () => {
    expect(() => contentsOf([user('hello'), result('lost', 'a')])).toThrow('"lost"');
    expect(() => contentsOf([user('hello'), assistant(call('1')), result('1', 'a'), result('lost', 'a')])).toThrow('"lost"');
    expect(() => contentsOf([user('hello'), assistant(call('open'))])).toThrow('"open"');
  });

  test.each([
    ['', {}],
    [' ', {}],
    ['null', {}],
    ['{"a":1}', { a: 1 }],
    ['[1]', { raw_arguments: '[1]' }],
    ['{"a":', { raw_arguments: '{"a":' }],
  ])('arguments of %j are an object', (json, args) => {
    const { body, warnings } = encoded(conversation([user('hello'), assistant(call('1', { arguments: json })), result('1', 'a')]));
    expect(body.contents[1].parts[0].functionCall.args).toEqual(args);
    expect(warnings).toHaveLength('raw_arguments' in args ? 1 : 0);
  });
});

describe('signatures', () => {
  const partsOf = (turn: AssistantTurn, model?: string) =>
    contentsOf([user('hello'), turn, ...turn.parts.flatMap((part) => (part.type === 'tool_call' ? result(part.id, '') : []))], model)[1]
      .parts;

  test('of calls go back on their call, and only there', () => {
    expect(partsOf(assistant(call('1', { signature: 's' }), call('2')))).toEqual([
      { functionCall: { id: '1', name: 'f', args: {} }, thoughtSignature: 's' },
      { functionCall: { id: '2', name: 'f', args: {} } },
    ]);
  });

  test('calls of another model carry the word that stands for one, where one is demanded', () => {
    expect(partsOf(assistant(call('1'), call('2'))).map((part: { thoughtSignature?: string }) => part.thoughtSignature)).toEqual([
      'skip_thought_signature_validator',
      undefined,
    ]);
    expect(partsOf(assistant(call('1')), 'gemini-2.5-flash')).toEqual([{ functionCall: { id: '1', name: 'f', args: {} } }]);
  });

  test('of a text go back on the text, whether the client tells them before or after it', () => {
    const signed = [{ text: 'hi', thoughtSignature: 's' }];
    expect(partsOf(assistant({ type: 'text', text: 'hi' }, state('s')))).toEqual(signed);
    expect(partsOf(assistant(state('s'), { type: 'text', text: 'hi' }))).toEqual(signed);
  });

  test('without a text go back on an empty one, in their place', () => {
    expect(partsOf(assistant(state('s'), call('1', { signature: 't' }), state('u')))).toEqual([
      { text: '', thoughtSignature: 's' },
      { functionCall: { id: '1', name: 'f', args: {} }, thoughtSignature: 't' },
      { text: '', thoughtSignature: 'u' },
    ]);
  });

  test('of a thought go back on the thought', () => {
    expect(partsOf(assistant(state('s', { text: 'hm' }), { type: 'text', text: 'hi' }))).toEqual([
      { text: 'hm', thought: true, thoughtSignature: 's' },
      { text: 'hi' },
    ]);
  });

  test('and thoughts of other families are left out, and never become text', () => {
    const parts = partsOf(
      assistant(state('a', { origin: 'anthropic', text: 'hm' }), state('o', { origin: null, signature: null, text: 'hm' }), {
        type: 'text',
        text: 'hi',
      }),
    );
    expect(parts).toEqual([{ text: 'hi' }]);
  });
});

describe('files', () => {
  const PNG = 'iVBORw0KGgoAAAANSUhEUg';
  const withImage = (source: Source, model?: string) => contentsOf([image(source)], model)[0].parts[0];
  const image = (source: Source): Turn => ({ role: 'user', parts: [{ type: 'image', source }] });

  test('are sent with the kind that their bytes have, not the one they claim', () => {
    expect(withImage({ kind: 'base64', mediaType: 'image/jpeg', data: PNG })).toEqual({ inlineData: { mimeType: 'image/png', data: PNG } });
  });

  test('of the web go to models that fetch them, and are refused for others', () => {
    const source = { kind: 'url', url: 'https://x.test/a.png', mediaType: null } as const;
    expect(withImage(source)).toEqual({ fileData: { mimeType: 'image/png', fileUri: source.url } });
    expect(() => withImage(source, 'gemini-2.0-flash')).toThrow('data URL');
    expect(withImage({ ...source, url: 'gs://b/a.png' }, 'gemini-2.0-flash')).toEqual({
      fileData: { mimeType: 'image/png', fileUri: 'gs://b/a.png' },
    });
  });

  test("go by id where the id is Google's", () => {
    expect(withImage({ kind: 'file', id: 'files/abc' })).toEqual({
      fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/abc' },
    });
    expect(() => withImage({ kind: 'file', id: 'file-123' })).toThrow('"file-123"');
  });

  test('that are sounds keep their format', () => {
    const turn: Turn = { role: 'user', parts: [{ type: 'audio', data: 'AAAA', format: 'wav' }] };
    expect(contentsOf([turn])[0].parts).toEqual([{ inlineData: { mimeType: 'audio/wav', data: 'AAAA' } }]);
  });

  test('in a result are inside it from Gemini 3 on, and beside it before', () => {
    const turns: Turn[] = [
      user('hello'),
      assistant(call('1')),
      result('1', '', { parts: [{ type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: PNG } }] }),
    ];
    const inline = { inlineData: { mimeType: 'image/png', data: PNG } };
    expect(contentsOf(turns)[2].parts[0].functionResponse.parts).toEqual([inline]);
    expect(contentsOf(turns, 'gemini-2.5-pro')[2].parts[1]).toEqual(inline);
  });
});
