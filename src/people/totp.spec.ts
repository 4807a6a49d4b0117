import { base32, codeOf, keyUri, stepAt, stepOf } from './totp.js';

/** Of RFC 6238, appendix B, for SHA-1. */
const SECRET = Buffer.from('12345678901234567890');
const VECTORS = [
  [59, '94287082'],
  [1_111_111_109, '07081804'],
  [1_111_111_111, '14050471'],
  [1_234_567_890, '89005924'],
  [2_000_000_000, '69279037'],
  [20_000_000_000, '65353130'],
] as const;

test.each(VECTORS)('the code at %d s is %s, as in RFC 6238', (seconds, code) => {
  expect(codeOf(SECRET, stepAt(seconds * 1000), 8)).toBe(code);
  expect(stepOf(SECRET, code.slice(2), seconds * 1000)).toBe(stepAt(seconds * 1000));
});

test('a code is taken one step early and one step late, and no further off', () => {
  const step = stepAt(1_234_567_890_000);
  const taken = [-2, -1, 0, 1, 2].map((off) => stepOf(SECRET, codeOf(SECRET, step + off), 1_234_567_890_000));
  expect(taken).toEqual([null, step - 1, step, step + 1, null]);
});

test.each(['', '12345', '1234567', '0059240', '５９００２４', 'abcdef'])('%j is no code', (code) => {
  expect(stepOf(SECRET, code, 1_234_567_890_000)).toBeNull();
});

test('the secret is written as authenticator apps read it', () => {
  expect(base32(SECRET)).toBe('GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ');
  expect(keyUri(SECRET, 'a b@example.com')).toBe(
    'otpauth://totp/Weir:a%20b%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Weir&algorithm=SHA1&digits=6&period=30',
  );
});
