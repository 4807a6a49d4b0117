import { createHmac, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** `sk`: inference. `adm`: the admin REST, one tenant. `op`: the admin REST, the platform. */
export type KeyKind = 'sk' | 'adm' | 'op';

const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
const LOOKUP_LENGTH = 16;
const SECRET_BYTES = 32;

/** `weir_<kind>_<lookup id: 16 base32>_<secret: 32 bytes base64url>_<crc32 of all before>`. The checksum tells typing errors without a look-up. */
const KEY = /^weir_(sk|adm|op)_([a-z2-7]{16})_([A-Za-z0-9_-]{43})_([0-9a-f]{8})$/;

/** What is stored of a key. */
export interface StoredDigest {
  lookupId: string;
  digest: Uint8Array<ArrayBuffer>;
  last4: string;
}

export interface ParsedKey {
  kind: KeyKind;
  lookupId: string;
}

/** Null: not a key of ours, or mistyped. */
export function parseKey(text: string): ParsedKey | null {
  const match = KEY.exec(text);
  if (!match || checksum(text.slice(0, -9)) !== match[4]) return null;
  return { kind: match[1] as KeyKind, lookupId: match[2]! };
}

/** A new key. The whole key is shown once and never stored. */
export function generateKey(kind: KeyKind): { key: string; lookupId: string; last4: string } {
  const lookupId = [...randomBytes(LOOKUP_LENGTH)].map((byte) => BASE32[byte & 31]).join('');
  const body = `weir_${kind}_${lookupId}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
  const key = `${body}_${checksum(body)}`;
  return { key, lookupId, last4: key.slice(-4) };
}

/** What is stored of a key. A 256-bit random secret needs no stretching. */
export const digestOf = (pepper: KeyObject, key: string): Buffer => createHmac('sha256', pepper).update(key).digest();

/** A new key: the value, to be shown once, and what is stored of it. */
export function newKey(kind: KeyKind, pepper: KeyObject): { value: string; stored: StoredDigest } {
  const { key, lookupId, last4 } = generateKey(kind);
  return { value: key, stored: { lookupId, last4, digest: new Uint8Array(digestOf(pepper, key)) } };
}

export const sameDigest = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && timingSafeEqual(a, b);

const checksum = (text: string): string => crc32(text).toString(16).padStart(8, '0');
