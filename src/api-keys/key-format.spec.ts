import { createSecretKey } from 'node:crypto';
import { digestOf, generateKey, parseKey, sameDigest } from './key-format.js';

test.each(['sk', 'adm', 'op'] as const)('a %s key is recognized, and no longer with one character changed', (kind) => {
  const { key, lookupId, last4 } = generateKey(kind);
  expect(parseKey(key)).toEqual({ kind, lookupId });
  expect(key.endsWith(last4)).toBe(true);
  for (let at = 0; at < key.length; at++) {
    const other = key[at] === 'a' ? 'b' : 'a';
    expect(parseKey(key.slice(0, at) + other + key.slice(at + 1))).toBeNull();
  }
});

test('a digest is not accepted in place of the key', () => {
  const pepper = createSecretKey(Buffer.alloc(32, 7));
  const { key } = generateKey('sk');
  const digest = digestOf(pepper, key);
  expect(sameDigest(digest, digestOf(pepper, key))).toBe(true);
  expect(sameDigest(digest, digestOf(pepper, digest.toString('hex')))).toBe(false);
  expect(parseKey(digest.toString('hex'))).toBeNull();
});
