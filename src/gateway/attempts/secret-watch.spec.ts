import fc from 'fast-check';
import { atOnce } from '../../kernel/slices.js';
import { Secret } from '../../platform/crypto/index.js';
import { SecretWatch } from './secret-watch.js';

const KEY = 'sk-live-0123456789abcdefghijKLMNOPqrstuv';
const event = (content: string, index = 0): string =>
  `data: {"choices":[{"index":${index},"delta":{"content":${JSON.stringify(content)}}}]}\n\n`;
const found = (...pieces: string[]): boolean => {
  const watch = new SecretWatch([new Secret(KEY)]);
  return pieces.some((piece) => atOnce(watch.search(Buffer.from(piece))));
};
const everyUnit = (text: string): string => [...text].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');

test('a secret is found as it is, escaped, in base64 and in hex', () => {
  expect(found(event(`it is ${KEY}!`))).toBe(true);
  expect(found(`data: {"delta":"${everyUnit(KEY)}"}\n\n`)).toBe(true);
  expect(found(`{"a": "${everyUnit(KEY).toUpperCase().replaceAll('\\U', '\\u')}"}`)).toBe(true);
  expect(found(`{"text":"${KEY.replace('-', '\\u002d')}"}`)).toBe(true);
  expect(found(event(Buffer.from(KEY).toString('base64')))).toBe(true);
  expect(found(event(Buffer.from(KEY).toString('hex')))).toBe(true);
});

test('a secret is found in any pieces, before more than half of it is out', () => {
  const cuts = fc.uniqueArray(fc.integer({ min: 1, max: KEY.length - 1 }), { maxLength: KEY.length });
  fc.assert(
    fc.property(cuts, fc.string(), fc.boolean(), (places, before, escaped) => {
      const edges = [0, ...places.sort((a, b) => a - b), KEY.length];
      const pieces = edges.slice(1).map((end, at) => KEY.slice(edges[at], end));
      const watch = new SecretWatch([new Secret(KEY)]);
      atOnce(watch.search(Buffer.from(event(before.replaceAll(KEY, '')))));
      let out = '';
      for (const piece of pieces) {
        const bytes = escaped ? `data: {"choices":[{"index":0,"delta":{"content":"${everyUnit(piece)}"}}]}\n\n` : event(piece);
        if (atOnce(watch.search(Buffer.from(bytes)))) return out.length < Math.ceil(KEY.length / 2);
        out += piece;
      }
      return false;
    }),
  );
});

test('pieces of other answers in between hide nothing', () => {
  expect(found(event(KEY.slice(0, 15), 0), event('zzz', 1), event(KEY.slice(15, 30), 0), event(KEY.slice(30), 0))).toBe(true);
});

test('what is no secret is let through', () => {
  expect(found(event('sk-live-'), event('something else'), event('0123456789abcdefg'))).toBe(false);
  expect(atOnce(new SecretWatch([new Secret('short')]).search(Buffer.from(event('short'))))).toBe(false);
  fc.assert(fc.property(fc.string({ maxLength: 19 }), (text) => !found(event(text), `{"text":${JSON.stringify(text)}}`)));
});

test('many fields and long lines end soon', () => {
  const fields = Array.from({ length: 20_000 }, (_, n) => `"f${n}":"${n}"`).join();
  expect(found(`{${fields}}`, `{"text":"${'\\\\'.repeat(500_000)}"}`, `{"text":"${'a'.repeat(2_000_000)}`)).toBe(false);
});
