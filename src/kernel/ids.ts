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
  budget: 'bud',
  period: 'per',
  limit: 'lim',
  grant: 'grant',
  call: 'call',
} as const;
export type IdKind = keyof typeof PREFIXES;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));
const POOL_BYTES = 4096;
const pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/** A new uuid, version 7: its first 48 bits are the time in ms, so ids made later sort later and land on warm index pages. */
export function newId(): Id {
  if (used + 10 > POOL_BYTES) {
    randomFillSync(pool);
    used = 0;
  }
  const time = Date.now().toString(16).padStart(12, '0');
  const at = used;
  used += 10;
  const h = (offset: number) => HEX[pool[at + offset]!]!;
  const version = HEX[(pool[at]! & 0x0f) | 0x70]!;
  const variant = HEX[(pool[at + 2]! & 0x3f) | 0x80]!;
  return `${time.slice(0, 8)}-${time.slice(8)}-${version}${h(1)}-${variant}${h(3)}-${h(4)}${h(5)}${h(6)}${h(7)}${h(8)}${h(9)}`;
}

/** The id as clients see it: `ten_0199…`, a prefix and 32 hex digits. */
export const publicId = (kind: IdKind, id: Id): string => `${PREFIXES[kind]}_${id.replaceAll('-', '')}`;

/** Reads a public id of one kind. Null when it is malformed or of another kind. */
export function parsePublicId(kind: IdKind, text: string): Id | null {
  const prefix = `${PREFIXES[kind]}_`;
  const hex = text.slice(prefix.length);
  if (!text.startsWith(prefix) || !/^[0-9a-f]{32}$/.test(hex)) return null;
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
