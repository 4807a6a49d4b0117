import fc from 'fast-check';
import { eachString } from './json-scan.js';

function strings(json: string, key: string): unknown[] {
  const found: unknown[] = [];
  eachString(json, `"${key}"`, (start, end) => found.push(JSON.parse(`"${json.slice(start, end)}"`)));
  return found;
}

test('whatever the strings hold, exactly the values of the key are found', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('"content":"x"', '\\', '\\"', '"content"', '{"content":"'));
  fc.assert(
    fc.property(
      fc.array(fc.record({ content: fc.oneof(text, fc.constant(null)), other: text }), { maxLength: 4 }),
      fc.constantFrom(0, 1),
      (items, indent) => {
        expect(strings(JSON.stringify(items, null, indent), 'content')).toEqual(
          items.map((item) => item.content).filter((content) => content !== null),
        );
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a text that is cut in the middle of a string is read to its end', () => {
  expect(strings('{"content":"half', 'content')).toEqual(['half']);
  expect(strings('{"content":', 'content')).toEqual([]);
});

test('what stands before the place to begin at is not looked at', () => {
  const json = '{"a":"x","b":{"a":"y"}}';
  const found: string[] = [];
  eachString(json, '"a"', (start, end) => found.push(json.slice(start, end)), json.indexOf('"b"'));
  expect(found).toEqual(['y']);
});
