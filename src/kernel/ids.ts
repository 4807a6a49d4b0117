import { randomFillSync } from 'node:crypto';

/** A uuid in canonical text, as Postgres stores it. */
export type Id = string;

const PREFIXES = {
  tenant: 'ten',
  project: 'proj',
  apiKey: 'key',
  adminKey: 'akey',
  provider: 'prov',
  credential: 'cred',
  connection: 'conn',
  price: 'price',
  model: 'model',
  route: 'route',
  budget: 'bud',
  period: 'per',
  limit: 'lim',
  grant: 'grant',
  approval: 'apr',
  call: 'call',
  gateway: 'gw',
  binding: 'bind',
  auditLine: 'audit',
  egressRule: 'egr',
  webhook: 'wh',
  delivery: 'msg',
  person: 'user',
  invite: 'invite',
  adminSession: 'asess',
} as const;
export type IdKind = keyof typeof PREFIXES;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/** A clock that went back by less is waited for. */
const CLOCK_JITTER_MS = 1_000;
let time = 0;
let count = 0;

/**
 * A new uuid, version 7: its first 48 bits are the time in ms, the next 12 count within it, so what this process makes later sorts later and
 * lands on warm index pages. A clock that is put back takes the order with it.
 */
export function newId(): Id {
  if (used + 8 > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const now = Date.now();
  if (now > time || now < time - CLOCK_JITTER_MS) {
    time = now;
    count = 0;
  } else if (++count > 0xfff) {
    time++;
    count = 0;
  }
  const stamp = time.toString(16).padStart(12, '0');
  const at = used;
  used += 8;
  const h = (offset: number) => HEX[pool[at + offset]!]!;
  const variant = HEX[(pool[at]! & 0x3f) | 0x80]!;
  return `${stamp.slice(0, 8)}-${stamp.slice(8)}-${(0x7000 | count).toString(16)}-${variant}${h(1)}-${h(2)}${h(3)}${h(4)}${h(5)}${h(6)}${h(7)}`;
}

/** The id as 32 hex digits. Cut at the known places, as it is needed several times per call. */
export const hexOf = (id: Id): string => id.slice(0, 8) + id.slice(9, 13) + id.slice(14, 18) + id.slice(19, 23) + id.slice(24);

/** The id of 32 hex digits. */
export const idOfHex = (hex: string): Id =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;

/** The id as clients see it: `ten_0199…`, a prefix and 32 hex digits. */
export const publicId = (kind: IdKind, id: Id): string => `${PREFIXES[kind]}_${hexOf(id)}`;

/** Reads a public id of one kind. Null when it is malformed or of another kind. */
export function parsePublicId(kind: IdKind, text: string): Id | null {
  const prefix = `${PREFIXES[kind]}_`;
  const hex = text.slice(prefix.length);
  if (!text.startsWith(prefix) || !/^[0-9a-f]{32}$/.test(hex)) return null;
  return idOfHex(hex);
}
