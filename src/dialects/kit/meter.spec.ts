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
