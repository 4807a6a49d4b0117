import fc from 'fast-check';
import { JsonCost } from './json-cost.js';

const costOf = (text: string, pieceLength = text.length): number => {
  const cost = new JsonCost();
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceLength) cost.add(bytes.subarray(at, at + pieceLength));
  return cost.total;
};

const lengthOf = (name: string): number => Buffer.byteLength(JSON.stringify(name)) - 2;

/** Values and members with their names, counted in what was parsed. */
const counted = (value: unknown): number => {
  if (typeof value !== 'object' || value === null) return 0;
  const inner = Object.values(value);
  return (
    (Array.isArray(value) ? 1 : Object.keys(value).reduce((sum, name) => sum + 9 + lengthOf(name) / 8, 1)) +
    Math.max(0, inner.length - 1) +
    inner.reduce<number>((sum, one) => sum + counted(one), 0)
  );
};

test('values and members are counted, whatever stands in texts, and however the text is cut', () => {
  fc.assert(
    fc.property(fc.json(), fc.integer({ min: 1, max: 50 }), (text, pieceLength) => {
      const escapes = (text.match(/\\./g) ?? []).length;
      expect(costOf(text, pieceLength)).toBe(counted(JSON.parse(text)) + escapes / 8);
    }),
  );
});

test('a long text costs nothing, and its escapes little', () => {
  expect(costOf(JSON.stringify({ a: '[{:,'.repeat(1_000) }))).toBe(10 + 1 / 8);
  expect(costOf(JSON.stringify(['"'.repeat(800)]))).toBe(101);
});
