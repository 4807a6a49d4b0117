import { createHmac, type Hmac, type KeyObject } from 'node:crypto';
import { ownTurn } from '../../kernel/slices.js';

/** How much of a text is hashed in a turn. */
const HASHED_AT_ONCE = 1024 * 1024;

/** An HMAC of parts that may hold anything: each comes with its length. */
export function digest(pepper: KeyObject, purpose: string, ...parts: string[]): Hmac {
  const hmac = createHmac('sha256', pepper).update(`v1|${purpose}`);
  for (const part of parts) hmac.update(`|${part.length}|${part}`);
  return hmac;
}

/** Of a request: its body as it was sent, which may be long, and parts that come with it. */
export async function requestDigest(pepper: KeyObject, purpose: string, body: string, ...parts: string[]): Promise<Buffer> {
  const hmac = digest(pepper, purpose, ...parts);
  if (body.length <= HASHED_AT_ONCE) return hmac.update(body).digest();
  const bytes = Buffer.from(body);
  for (let at = 0; at < bytes.length; at += HASHED_AT_ONCE) {
    await ownTurn();
    hmac.update(bytes.subarray(at, at + HASHED_AT_ONCE));
  }
  return hmac.digest();
}
