import type { Turn } from '../canonical.js';
import { boundArguments, haveReadableCalls, InnerValues } from './inner-json.js';
import { parsed } from './json.js';

const list = (values: number): string => `{"a":[${'1,'.repeat(values - 1)}1]}`;
const calls = (...texts: string[]): Turn[] => [
  { role: 'assistant', parts: texts.map((text, at) => ({ type: 'tool_call', id: `c${at}`, name: 'f', arguments: text })) },
];

test('a JSON text of very many values is taken for text', () => {
  expect(parsed(list(40_000))).toMatchObject({ a: expect.any(Array) });
  expect(parsed(list(60_000))).toBeUndefined();
  // What stands in strings are no values.
  expect(parsed(JSON.stringify({ a: ',[{'.repeat(60_000) }))).toMatchObject({ a: expect.any(String) });
});

test('all the results of a conversation together have so many values, and the calls too', () => {
  const values = new InnerValues();
  expect([1, 2, 3].map(() => values.objectIn(list(40_000)) !== null)).toEqual([true, true, false]);
  expect(values.objectIn('{}')).toBeNull();
  expect(() => boundArguments(calls(list(40_000), list(40_000)))).not.toThrow();
  expect(() => boundArguments(calls(list(40_000), list(40_000), list(40_000)))).toThrow('more than 100000 values');
});

test('a call with a long text has few values, however often the text has their signs', () => {
  const text = JSON.stringify({ input: ',[{'.repeat(100_000) });
  expect(haveReadableCalls([{ type: 'tool_call', arguments: text }, { type: 'text' }])).toBe(true);
  expect(haveReadableCalls([{ type: 'tool_call', arguments: list(120_000) }])).toBe(false);
});
