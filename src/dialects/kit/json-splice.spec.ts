import fc from 'fast-check';
import { anObjectText, type JsonText } from '../../../test/support/json-texts.js';
import { type JsonObject, readJson } from './json.js';
import { spliceJson } from './json-splice.js';

const splice = (text: string, change: (value: JsonObject) => JsonObject): string => {
  const value = readJson(text) as JsonObject;
  return spliceJson({ text, value }, change(value));
};

const OF_BODY = `{ "model":"p/m" ,
  "big": 12345678901234567890, "2": [1.0, -0 ],"1":{ "a" : 1e2, "b":[ { "x":1.0 } , {"x":2.0}] },
  "messages": [ {"role":"user", "content":"a\\u00e9 \\"}]" } ] }`;

test('what is not changed stays byte for byte', () => {
  expect(splice(OF_BODY, (value) => value)).toBe(OF_BODY);
  expect(splice(OF_BODY, (value) => ({ ...value }))).toBe(OF_BODY);
  expect(splice(OF_BODY, (value) => ({ ...value, model: 'm' }))).toBe(OF_BODY.replace('"p/m"', '"m"'));
});

test('a member is left out, and a new one stands at the end', () => {
  const changed = splice(OF_BODY, ({ model: _, ...value }) => ({ ...value, max_tokens: 5, none: undefined }));
  expect(changed).toBe(`${OF_BODY.replace(' "model":"p/m" ,', '').replace(/\}$/, '')},"max_tokens":5}`);
  expect(splice('{ }', () => ({ a: 1 }))).toBe('{"a":1}');
  expect(splice('{"a":1}', () => ({}))).toBe('{}');
});

test('within what changed, only that is written again', () => {
  const inner = splice(OF_BODY, (value) => {
    const one = value['1'] as { a: number; b: JsonObject[] };
    return { ...value, 1: { ...one, b: one.b.map((entry, at) => (at === 1 ? { ...entry, y: 3 } : entry)) } };
  });
  expect(inner).toBe(OF_BODY.replace('{"x":2.0}', '{"x":2.0,"y":3}'));
  const fewer = splice(OF_BODY, (value) => ({
    ...value,
    1: { ...(value['1'] as object), b: (value['1'] as { b: unknown[] }).b.slice(1) },
  }));
  expect(fewer).toBe(OF_BODY.replace('[ { "x":1.0 } , {"x":2.0}]', '[ {"x":2.0}]'));
});

/** Changes as policy makes them: copies of what changed, and the same objects for the rest. */
function changedBy(value: unknown, draw: () => number): unknown {
  const kind = draw() % 6;
  if (kind < 2 || typeof value !== 'object' || value === null) return kind === 0 ? 'changed' : value;
  if (Array.isArray(value)) {
    const entries = value.map((entry) => changedBy(entry, draw));
    return kind === 2 ? entries.slice(1) : kind === 3 ? [{ first: 1 }, ...entries] : entries;
  }
  const members = Object.entries(value).filter(() => draw() % 5 > 0);
  const copy = Object.fromEntries(members.map(([key, inner]) => [key, changedBy(inner, draw)]));
  return kind === 4 ? { ...copy, added: [1] } : copy;
}

test('the text says what the changed value says, whatever was changed', () => {
  fc.assert(
    fc.property(anObjectText(), fc.array(fc.nat({ max: 59 }), { minLength: 20, maxLength: 20 }), ({ spaced }: JsonText, drawn) => {
      let at = 0;
      const value = readJson(spaced) as JsonObject;
      const changed = changedBy({ in: value }, () => drawn[at++ % drawn.length]!) as JsonObject;
      const text = spliceJson({ text: `{"in":${spaced}}`, value: { in: value } }, changed);
      // How a number is written may be lost with the object that had it.
      expect(JSON.stringify(JSON.parse(text))).toBe(JSON.stringify(changed));
    }),
    { numRuns: 2_000 },
  );
});
