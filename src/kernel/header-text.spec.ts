import fc from 'fast-check';
import { encodedText, headerText } from './header-text.js';

const SENDABLE = /^[\x20-\x7e]*$/;

test('any text becomes one that a header can carry', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(headerText(text)).toMatch(SENDABLE);
      expect(encodedText(text)).toMatch(SENDABLE);
    }),
  );
  expect([headerText('\ud800'), headerText('a\r\nb'), headerText('50% of it')]).toEqual(['%EF%BF%BD', 'a%0D%0Ab', '50% of it']);
});

test("a caller's text can be read back", () => {
  fc.assert(fc.property(fc.string({ unit: 'grapheme' }), (text) => expect(decodeURIComponent(encodedText(text))).toBe(text)));
  expect(encodedText('mock/日本')).toBe('mock/%E6%97%A5%E6%9C%AC');
});
