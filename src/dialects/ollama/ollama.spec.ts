import * as given from '../../../test/support/conversations.js';
import type { Conversation, ReplyEvent } from '../canonical.js';
import { ProviderRefusal, type UpstreamParams } from '../dialect.js';
import { fold } from '../kit/fold.js';
import { frameReader } from '../kit/frames.js';
import { ollama } from './index.js';

const { assistant, call, image, pdf, result, system, tool, user } = given;

const encode = (fields: Partial<Conversation>, model = 'qwen3:8b', rewrite: Partial<UpstreamParams> = {}) => {
  const request = ollama.encodeRequest(given.conversation(fields), given.rewrite(model, rewrite));
  return { ...request, sent: JSON.parse(request.body) };
};

describe('request', () => {
  test('streaming is said also when it is not wanted, and the size of the context never', () => {
    expect(encode({}).sent).toEqual({
      model: 'qwen3:8b',
      messages: [{ role: 'user', content: 'Hi' }],
      options: { num_predict: 4096 },
      stream: false,
    });
    expect(encode({ stream: true }).sent.stream).toBe(true);
  });

  test('texts are joined, images are bare base64, arguments objects, results have the name of their tool', () => {
    const turns = [
      system('s'),
      user('a', 'b', image()),
      assistant('c', call('1', 'look', '{"x":1}'), call('2', 'see', '')),
      result('1', 'r'),
      result('2', image()),
    ];
    expect(encode({ turns }).sent.messages).toEqual([
      { role: 'system', content: 's' },
      { role: 'user', content: 'a\n\nb', images: [given.PNG] },
      {
        role: 'assistant',
        content: 'c',
        tool_calls: [{ function: { name: 'look', arguments: { x: 1 } } }, { function: { name: 'see', arguments: {} } }],
      },
      { role: 'tool', content: 'r', tool_name: 'look' },
      { role: 'tool', content: '', tool_name: 'see' },
      { role: 'user', content: '', images: [given.PNG] },
    ]);
  });

  test('plain reasoning goes back, signed reasoning of others does not', () => {
    const part = { type: 'reasoning' as const, text: 'hm', signature: null, redacted: null, id: null };
    expect(encode({ turns: [user('1'), assistant({ ...part, origin: null }, 'a')] }).sent.messages[1].thinking).toBe('hm');
    expect(encode({ turns: [user('1'), assistant({ ...part, origin: 'anthropic' }, 'a')] }).sent.messages[1]).not.toHaveProperty(
      'thinking',
    );
  });

  test.each([
    ['an image on the web', user({ type: 'image', source: { kind: 'url', url: 'https://x.org/a.png', mediaType: null } })],
    ['a PDF', user(pdf())],
    ['audio', user({ type: 'audio', data: '', format: 'wav' })],
    ['a result of an unknown call', result('x', '1')],
  ])('%s is refused', (_name, turn) => expect(() => encode({ turns: [user('Hi'), turn] })).toThrow(/Send|Leave/));

  test.each([
    [{ type: 'none' }, undefined, 0],
    [{ type: 'auto' }, 2, 0],
    [{ type: 'required' }, 2, 1],
    [{ type: 'tool', name: 'f' }, 1, 1],
    [{ type: 'allowed', names: ['g'], required: false }, 1, 0],
  ] as const)('tool choice %j', (toolChoice, tools, warnings) => {
    const request = encode({ tools: [tool('f'), tool('g')], toolChoice: toolChoice as Conversation['toolChoice'] });
    expect(request.sent.tools?.length).toBe(tools);
    expect(request.warnings).toHaveLength(warnings);
  });

  test.each([
    ['qwen3:8b', 'high', true, 'high'],
    ['qwen3:8b', 'off', false, 'off'],
    ['gpt-oss:20b', 'xhigh', 'high', 'high'],
    ['gpt-oss:20b', 'off', 'low', 'low'],
    ['llama3.1', 'high', undefined, null],
    ['qwen3:8b', null, undefined, null],
  ] as const)('%s asked for %s thinking', (model, thinkingLevel, think, applied) => {
    const request = encode({}, model, { thinkingLevel });
    expect(request.sent.think).toBe(think);
    expect(request.thinkingLevel).toBe(applied);
  });

  test('a schema is the format', () => {
    const schema = { type: 'object' };
    expect(encode({ format: { type: 'json_schema', name: 'x', description: null, schema, strict: null } }).sent.format).toEqual(schema);
    expect(encode({ format: { type: 'json' } }).sent.format).toBe('json');
  });

  test('what it does not have is told', () => {
    const settings = given.settings({ temperature: 0.5, seed: 7, logprobs: true, verbosity: 'low' });
    const { sent, warnings } = encode({ settings });
    expect(sent.options).toEqual({ num_predict: 4096, temperature: 0.5, seed: 7 });
    expect(warnings).toEqual([expect.stringContaining('"logprobs"'), expect.stringContaining('"verbosity"')]);
    expect(() => encode({ choices: 2 })).toThrow('one answer');
  });
});

function read(lines: string, size = lines.length): { events: ReplyEvent[]; complete: boolean } {
  const decoder = ollama.streamDecoder();
  const frames = frameReader('ndjson');
  const events: ReplyEvent[] = [];
  const bytes = Buffer.from(lines);
  for (let at = 0; at < bytes.length; at += size)
    frames.push(bytes.subarray(at, at + size), (frame) => events.push(...decoder.push(frame)));
  frames.finish((frame) => events.push(...decoder.push(frame)));
  return { events: [...events, ...decoder.end()], complete: decoder.complete };
}

const lines = (...values: object[]) => values.map((value) => JSON.stringify(value)).join('\n');
const END = { model: 'm', message: { content: '' }, done: true, done_reason: 'stop', prompt_eval_count: 5, eval_count: 3 };

describe('reply', () => {
  const CALL = { function: { name: 'f', arguments: { x: 'ä' } } };
  const STREAM = lines(
    { model: 'm', message: { thinking: 'h' }, done: false },
    { model: 'm', message: { thinking: 'm' }, done: false },
    { model: 'm', message: { content: 'a' }, done: false },
    { model: 'm', message: { content: '', tool_calls: [CALL] }, done: false },
    END,
  );

  test.each([1, 2, 3, 7, 16, 1000])('a stream in pieces of %d bytes says what a whole says', (size) => {
    const whole = { ...END, message: { thinking: 'hm', content: 'a', tool_calls: [CALL] } };
    const { events, complete } = read(STREAM, size);
    expect(complete).toBe(true);
    expect(fold(events)).toEqual(fold(ollama.decodeAnswer(Buffer.from(JSON.stringify(whole)), {})));
    expect(events.find(({ type }) => type === 'usage')).toMatchObject({
      usage: { input: 5, output: 3 },
      raw: { prompt_eval_count: 5, eval_count: 3 },
    });
  });

  test('a stream without its last line is not complete, and half a line is an error', () => {
    expect(read(STREAM.slice(0, STREAM.lastIndexOf('\n'))).complete).toBe(false);
    expect(() => read(STREAM.slice(0, -1))).toThrow();
  });

  test('an error line ends the stream as a refusal', () =>
    expect(() => read(lines({ message: { content: 'a' }, done: false }, { error: 'model runner stopped' }))).toThrow(ProviderRefusal));

  test('a prompt that was in memory counts nothing; a reply that only loads the model has no usage', () => {
    expect(read(lines({ ...END, prompt_eval_count: undefined })).events.find(({ type }) => type === 'usage')).toMatchObject({
      usage: { input: 0 },
    });
    const loaded = read(lines({ model: 'm', message: { content: '' }, done: true, done_reason: 'load' }));
    expect(loaded.events.map(({ type }) => type)).toEqual(['start', 'finish']);
    expect(loaded.events[1]).toMatchObject({ reason: 'stop', native: 'load' });
  });

  test.each([
    [404, "model 'x' not found", 'model_not_found'],
    [400, '"llama3" does not support thinking', 'bad_request'],
    [401, 'unauthorized', 'auth'],
    [503, 'server busy', 'server'],
  ])('%d %s is %s', (status, error, expected) =>
    expect(ollama.decodeRefusal(status, Buffer.from(JSON.stringify({ error })), {})).toEqual({ class: expected, message: error }),
  );
});
