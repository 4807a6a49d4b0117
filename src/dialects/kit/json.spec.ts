import { parsed, readJson } from './json.js';

const lists = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels);
const objects = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

test.each([lists(128), objects(128), `[${lists(100)},${lists(100)}]`])('what is nested no deeper than 128 levels is read', (json) => {
  expect(JSON.stringify(readJson(json))).toBe(json);
});

test.each([lists(129), objects(129), lists(50_000), `[1,${objects(50_000)}]`])(
  'what is nested deeper is refused, not met later',
  (json) => {
    expect(() => readJson(json)).toThrow('nested');
    expect(parsed(json)).toBeUndefined();
  },
);

test('long and flat is not deep', () => {
  const json = JSON.stringify(Array.from({ length: 10_000 }, () => [{}]));
  expect(JSON.stringify(readJson(json))).toBe(json);
});
