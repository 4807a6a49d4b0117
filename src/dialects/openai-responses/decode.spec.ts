import { NO_USAGE } from '../../kernel/usage.js';
import type { ReplyEvent } from '../canonical.js';
import { ProviderRefusal } from '../dialect.js';
import { fold } from '../kit/fold.js';
import { openaiResponses } from './index.js';

type Event = Record<string, unknown>;

function read(...events: Event[]): { events: ReplyEvent[]; complete: boolean } {
  const decoder = openaiResponses.streamDecoder();
  const out = events.flatMap((event) => decoder.push({ event: null, data: JSON.stringify(event) }));
  return { events: [...out, ...decoder.end()], complete: decoder.complete };
}

const created = { type: 'response.created', response: { id: 'resp_1', model: 'm', status: 'in_progress' } };
const ended = (status: string, more: Event = {}) => ({
  type: `response.${status}`,
  response: { id: 'resp_1', model: 'm', status, usage: { input_tokens: 10, output_tokens: 4, total_tokens: 14 }, ...more },
});
const added = (index: number, item: Event) => ({ type: 'response.output_item.added', output_index: index, item });
const done = (index: number, item: Event) => ({ type: 'response.output_item.done', output_index: index, item });
const delta = (type: string, index: number, text: string, more: Event = {}) => ({
  type: `response.${type}.delta`,
  output_index: index,
  delta: text,
  ...more,
});
const call = (id: string, args: string) => ({ type: 'function_call', id: `fc_${id}`, call_id: id, name: 'f', arguments: args });
const message = (text: string, more: Event = {}) => ({ type: 'message', content: [{ type: 'output_text', text }], ...more });

const answer = (events: ReplyEvent[]) => fold(events).choices[0]!;
const whole = (response: Event) => openaiResponses.decodeAnswer(Buffer.from(JSON.stringify(response)), {});

describe('streams', () => {
  test('items are told apart by their index while their ids change', () => {
    const { events } = read(
      created,
      added(0, call('a', '')),
      added(1, call('b', '')),
      delta('function_call_arguments', 1, '{"b"', { item_id: 'x1' }),
      delta('function_call_arguments', 0, '{"a"', { item_id: 'x2' }),
      delta('function_call_arguments', 1, ':1}', { item_id: 'x3' }),
      delta('function_call_arguments', 0, ':2}', { item_id: 'x4' }),
      done(0, { ...call('a', '{"a":2}'), id: 'x5' }),
      done(1, { ...call('b', '{"b":1}'), id: 'x6' }),
      ended('completed'),
    );
    expect(answer(events)).toMatchObject({
      finish: 'tool_calls',
      parts: [
        { id: 'a', arguments: '{"a":2}' },
        { id: 'b', arguments: '{"b":1}' },
      ],
    });
  });

  test('a completed response without output is made of its items', () => {
    const { events, complete } = read(created, done(0, message('hello')), ended('completed'));
    expect(complete).toBe(true);
    expect(answer(events)).toMatchObject({ finish: 'stop', parts: [{ text: 'hello' }] });
  });

  test('a response without events of items is made of its output', () => {
    const { events } = read(created, ended('completed', { output: [message('hello')] }));
    expect(answer(events).parts).toEqual([{ type: 'text', text: 'hello' }]);
  });

  test('what deltas left out is given out once', () => {
    const { events } = read(
      added(0, { type: 'message', content: [] }),
      delta('output_text', 0, 'hel', { content_index: 0 }),
      { type: 'response.output_text.done', output_index: 0, content_index: 0, text: 'hello' },
      done(0, message('hello')),
      ended('completed', { output: [message('hello')] }),
    );
    expect(answer(events).parts).toEqual([{ type: 'text', text: 'hello' }]);
  });

  test('the phase of a message stays with its text', () => {
    const { events } = read(
      added(0, { type: 'message', phase: 'commentary', content: [] }),
      delta('output_text', 0, 'a'),
      added(1, { type: 'message', phase: 'final_answer', content: [] }),
      delta('output_text', 1, 'b'),
      ended('completed'),
    );
    expect(answer(events).parts).toEqual([
      { type: 'text', text: 'a', phase: 'commentary' },
      { type: 'text', text: 'b', phase: 'final_answer' },
    ]);
  });

  test('of reasoning the state at its end counts, and the parts of a summary stand apart', () => {
    const summary = [
      { type: 'summary_text', text: 'one' },
      { type: 'summary_text', text: 'two' },
    ];
    const { events } = read(
      added(0, { type: 'reasoning', id: 'rs_1', summary: [], encrypted_content: 'early' }),
      delta('reasoning_summary_text', 0, 'one', { summary_index: 0 }),
      delta('reasoning_summary_text', 0, 'two', { summary_index: 1 }),
      done(0, { type: 'reasoning', id: 'rs_1', summary, encrypted_content: 'late' }),
      ended('completed'),
    );
    expect(answer(events).parts).toEqual([
      { type: 'reasoning', text: 'one\n\ntwo', origin: 'openai', signature: 'late', redacted: null, id: 'rs_1' },
    ]);
  });

  test('a refusal is one, and citations come once', () => {
    const annotation = { type: 'url_citation', url: 'https://x.test', title: 't', start_index: 0, end_index: 2 };
    const { events } = read(
      delta('refusal', 0, 'No.', { content_index: 1 }),
      { type: 'response.output_text.annotation.added', output_index: 0, content_index: 0, annotation_index: 0, annotation },
      done(0, {
        type: 'message',
        content: [
          { type: 'output_text', text: 'hi', annotations: [annotation] },
          { type: 'refusal', refusal: 'No.' },
        ],
      }),
      ended('completed'),
    );
    expect(answer(events)).toMatchObject({ annotations: [{ url: 'https://x.test', title: 't', start: 0, end: 2 }] });
    expect(answer(events).annotations).toHaveLength(1);
    expect(answer(events).parts).toContainEqual({ type: 'refusal', text: 'No.' });
  });

  test('an image is given out once', () => {
    const made = { type: 'image_generation_call', result: 'AAAA', output_format: 'webp' };
    const { events } = read(created, done(0, made), ended('completed', { output: [made] }));
    expect(answer(events).parts).toEqual([{ type: 'image', mediaType: 'image/webp', data: 'AAAA' }]);
  });

  test('unknown events and items, and what follows the end, are ignored', () => {
    const { events } = read(
      created,
      added(0, { type: 'web_search_call' }),
      { type: 'response.web_search_call.searching', output_index: 0 },
      { type: 'response.something.new' },
      added(1, { type: 'message', content: [] }),
      delta('output_text', 1, 'x'),
      ended('completed'),
      created,
      delta('output_text', 1, 'y'),
    );
    expect(answer(events).parts).toEqual([{ type: 'text', text: 'x' }]);
    expect(events.filter(({ type }) => type === 'finish')).toHaveLength(1);
    expect(events.filter(({ type }) => type === 'start')).toHaveLength(1);
  });

  test('without its terminal event a stream is not complete, [DONE] or not', () => {
    const decoder = openaiResponses.streamDecoder();
    decoder.push({ event: 'response.output_text.delta', data: JSON.stringify({ output_index: 0, delta: 'x' }) });
    expect(decoder.push({ event: null, data: '[DONE]' })).toEqual([]);
    expect(decoder.end()).toEqual([]);
    expect(decoder.complete).toBe(false);
  });

  test('an event that cannot be read is an error, not skipped', () => {
    expect(() => openaiResponses.streamDecoder().push({ event: null, data: '{"type":' })).toThrow();
  });
});

describe('ends', () => {
  test.each([
    ['max_output_tokens', 'length'],
    ['content_filter', 'content_filter'],
  ])('incomplete by %s is %s, with its usage, also behind calls', (reason, finish) => {
    const { events, complete } = read(created, done(0, call('a', '{"x"')), ended('incomplete', { incomplete_details: { reason } }));
    expect(complete).toBe(true);
    expect(answer(events)).toMatchObject({ finish, native: reason });
    expect(events.find(({ type }) => type === 'usage')).toMatchObject({ usage: { input: 10, output: 4 } });
  });

  test('a failed response tells its usage, then its refusal', () => {
    const decoder = openaiResponses.streamDecoder();
    const failed = ended('failed', { error: { code: 'rate_limit_exceeded', message: 'Slow down.' } });
    expect(decoder.push({ event: null, data: JSON.stringify(failed) })).toContainEqual(expect.objectContaining({ type: 'usage' }));
    expect(() => decoder.end()).toThrow(ProviderRefusal);
    expect(() => decoder.push({ event: null, data: '{}' })).toThrow(
      expect.objectContaining({ refusal: { class: 'rate_limit', message: 'Slow down.', code: 'rate_limit_exceeded' } }),
    );
    expect(decoder.complete).toBe(false);
  });

  test.each([
    [{ type: 'error', code: 'server_error', message: 'Oops.', param: null }, 'server'],
    [{ type: 'error', error: { type: 'invalid_request_error', message: 'Bad.' } }, 'bad_request'],
    [{ type: 'error', code: 'insufficient_quota', message: 'Pay.' }, 'billing'],
    [{ error: { code: 'context_length_exceeded', message: 'Long.' } }, 'context_length'],
  ])('%o in a stream is a refusal', (event, kind) => {
    expect(() => read(created, event)).toThrow(
      expect.objectContaining({ refusal: expect.objectContaining({ class: kind, message: expect.any(String) }) }),
    );
  });

  test('a whole reply that failed is a refusal; one that is not finished cannot be read', () => {
    const error = { code: 'server_error', message: 'Oops.' };
    expect(() => whole({ status: 'failed', output: [], error })).toThrow(ProviderRefusal);
    expect(whole({ status: 'failed', output: [], error, usage: { input_tokens: 1 } }).at(-1)).toMatchObject({
      type: 'finish',
      reason: 'error',
      message: 'Oops.',
    });
    expect(() => whole({ error })).toThrow(ProviderRefusal);
    expect(() => whole({ status: 'queued', output: [] })).toThrow(/queued/);
    expect(() => whole({ choices: [] })).toThrow();
  });
});

describe('usage', () => {
  const usage = (raw: Event) => whole({ output: [], usage: raw }).find((event) => event.type === 'usage')!.usage;

  test('is split into what was read from the cache, written to it, and neither', () => {
    const raw = {
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 60, cache_write_tokens: 30 },
      output_tokens: 20,
      output_tokens_details: { reasoning_tokens: 15 },
      total_tokens: 120,
    };
    expect(usage(raw)).toEqual({ ...NO_USAGE, input: 10, cacheRead: 60, cacheWrite5m: 30, cacheWrite1h: 0, output: 20, reasoning: 15 });
  });

  test('is never negative, and counts what only the total has', () => {
    expect(usage({ input_tokens: 10, input_tokens_details: { cached_tokens: 9, cache_write_tokens: 9 }, output_tokens: 1 })).toMatchObject({
      input: 0,
    });
    expect(usage({ input_tokens: 10, output_tokens: 5, total_tokens: 40 })).toMatchObject({ output: 30 });
  });

  test.each([-1, 1.5, 'seven', Number.MAX_VALUE])('of %p tokens is not believed', (input_tokens) => {
    expect(usage({ input_tokens, output_tokens: 1 })).toBeNull();
  });
});

describe('output of kinds to come is metered', () => {
  const bytesOf = (events: ReplyEvent[]) => events.reduce((sum, event) => sum + (event.type === 'other' ? event.bytes : 0), 0);
  const TEXT = 'Words of a new kind. '.repeat(20);
  const item = { type: 'novel_item', id: 'n_1', status: 'completed', parts: [{ type: 'novel_text', words: TEXT }] };

  test('in a whole reply', () => {
    expect(bytesOf(whole({ id: 'r', model: 'm', status: 'completed', output: [item] }))).toBe(TEXT.length);
  });

  test('in a stream, and once where it came in pieces', () => {
    expect(bytesOf(read(created, done(0, item), ended('completed')).events)).toBe(TEXT.length);
    expect(bytesOf(read(created, added(0, item), delta('novel', 0, TEXT), done(0, item), ended('completed')).events)).toBe(TEXT.length);
  });

  test('in a part of a message', () => {
    const said = { type: 'message', content: [{ type: 'novel_text', words: TEXT }] };
    expect(bytesOf(whole({ id: 'r', model: 'm', status: 'completed', output: [said] }))).toBe(TEXT.length);
  });

  test('what a tool of the provider found is not', () => {
    const search = { type: 'file_search_call', id: 'f', status: 'completed', queries: ['q'], results: [{ text: TEXT }] };
    expect(bytesOf(whole({ id: 'r', model: 'm', status: 'completed', output: [search] }))).toBe(1);
  });
});
