import { NO_USAGE, type Usage } from '../../kernel/usage.js';
import type { ReplyEvent } from '../canonical.js';
import { Meter, meteredTokens } from './meter.js';

const text = (said: string): ReplyEvent => ({ type: 'text', choice: 0, text: said });

function metered(events: ReplyEvent[], tokensOf?: (text: string) => number): number {
  const meter = new Meter(1_000, tokensOf);
  for (const event of events) meter.count(event);
  return meteredTokens(meter.facts);
}

test('three bytes are a token, and a piece is one at least', () => {
  expect(metered([text('abcdefg')])).toBe(3);
  expect(metered(Array.from({ length: 9 }, () => text('a')))).toBe(9);
});

test('what a model refuses with is output, what its provider explains is none', () => {
  const refusal = { type: 'refusal' as const, choice: 0, text: 'I will not.' };
  expect(metered([refusal])).toBe(4);
  expect(metered([{ ...refusal, written: false }])).toBe(0);
});

test('a script that takes more tokens than bytes make is counted by the family’s own tokenizer; plain text is not', () => {
  const asked: string[] = [];
  const tokensOf = (said: string): number => {
    asked.push(said);
    return 2 * said.length;
  };
  expect(metered([text('abc'), text('ქართული')], tokensOf)).toBe(15);
  expect(asked).toEqual(['ქართული']);
});

test('a tokenizer that finds fewer lowers nothing, and is not given what would hold up other calls', () => {
  expect(metered([text('ქართული')], () => 1)).toBe(7);
  const never = (): number => {
    throw new Error('too long');
  };
  expect(metered([text('ქ'.repeat(5_000))], never)).toBe(5_000);
});

test('an image counts as the dearest there is', () => {
  expect(metered([{ type: 'image', choice: 0, mediaType: 'image/png', data: 'aGk=' }])).toBe(6_240);
});

test('an answer that comes letter by letter is not cut before its limit, one that is too long is', () => {
  const overLimit = (pieces: string[], limit: number) => {
    const meter = new Meter(limit);
    for (const piece of pieces) meter.count(text(piece));
    return meter.overLimit;
  };
  const answer = 'The weather in Paris is sunny today, with a light wind from the west.';
  expect(overLimit([...answer], 16)).toBe(false);
  expect(overLimit([...answer.repeat(2)], 16)).toBe(true);
  expect(overLimit(answer.split(/(?= )/), 13)).toBe(true);
});

describe('of several counts', () => {
  const count = (usage: Partial<Usage>, more: object = {}): ReplyEvent => ({
    type: 'usage',
    usage: { ...NO_USAGE, ...usage },
    raw: null,
    final: true,
    ...more,
  });
  const last = (...events: ReplyEvent[]) => {
    const meter = new Meter(1_000);
    for (const event of events) meter.count(event);
    return meter.facts.usage;
  };

  test('the larger of each side is taken', () => {
    expect(last(count({ input: 20, output: 900 }), count({ input: 30, output: 3 }))).toEqual({ ...NO_USAGE, input: 30, output: 900 });
  });

  test('one that splits a side into other classes takes the place of the one before', () => {
    expect(last(count({ input: 100 }), count({ input: 20, cacheRead: 80 }))).toEqual({ ...NO_USAGE, input: 20, cacheRead: 80 });
  });

  test('one that is said to replace the ones before does', () => {
    expect(last(count({ input: 100, output: 9 }), count({ input: 20, output: 5 }, { replaces: true }))).toEqual({
      ...NO_USAGE,
      input: 20,
      output: 5,
    });
  });
});
