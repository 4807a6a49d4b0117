import fc from 'fast-check';
import { anObjectText } from '../../../test/support/json-texts.js';
import { readJson, writeJson, writeMember } from './json.js';
import { withLiteralsOf } from './json-literals.js';

test('what is read is written as it came, but for white space', () => {
  fc.assert(
    fc.property(anObjectText(), ({ spaced, compact }) => {
      expect(writeJson(readJson(spaced))).toBe(compact);
    }),
    { numRuns: 2_000 },
  );
});

test.each([
  '12345678901234567890',
  '-9007199254740993',
  '1.0',
  '1e2',
  '1E+2',
  '-0',
  '-0.0',
  '0.10',
  '1e400',
  '0.0000001',
  '123456789012345.67890',
  '0.1',
  '-7',
])('the number %s stays, in a list and in an object', (number) => {
  const json = `{"a":${number},"b":[${number},{"c":${number}}]}`;
  expect(writeJson(readJson(json))).toBe(json);
});

test.each([
  '{"2":1,"1":2,"a":3}',
  '{"a":3,"1":2}',
  '{"__proto__":{"1":1.0},"b":1}',
  '{"10":{"9":[],"8":{}},"2":""}',
  '{"01":1,"1":2,"0":3}',
])('the keys of %s stay in their order', (json) => {
  expect(writeJson(readJson(json))).toBe(json);
});

test('an object with a key twice is read as JavaScript reads it', () => {
  expect(writeJson(readJson('{"a":{"x":1.0},"a":{"x":2},"b":1.0}'))).toBe('{"a":{"x":2},"b":1}');
});

test('a copy keeps the numbers that are the same, and the order of the keys', () => {
  const read = readJson('{"type":"integer","10":1.0,"9":2.0,"maximum":12345678901234567890}') as Record<string, unknown>;
  expect(writeJson({ ...read, 9: 7, more: 1 })).toBe('{"type":"integer","10":1.0,"9":7,"maximum":12345678901234567890,"more":1}');
  const { maximum: _, ...rest } = read;
  const again = withLiteralsOf(read, Object.fromEntries(Object.entries(rest)));
  for (const copy of [rest, again]) expect(writeJson(copy)).toBe('{"type":"integer","10":1.0,"9":2.0}');
  expect(writeMember(read, 'maximum')).toBe('12345678901234567890');
});
