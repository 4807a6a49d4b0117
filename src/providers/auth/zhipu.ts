import { createHmac } from 'node:crypto';
import { type Auth, bearer, type ShownHeaders } from './auth.js';
import { encodeJwt, jwtText } from './jwt.js';

const LIFE_MS = 210_000;
/** A clock that differs a little, and the time on the way. */
const EARLY_MS = 30_000;

/** Zhipu's own token of a key `id.secret`. Times are in ms, unlike any other's. */
function zhipuToken(id: string, secret: string, nowMs: number): string {
  const text = jwtText({ alg: 'HS256', sign_type: 'SIGN' }, { api_key: id, exp: nowMs + LIFE_MS, timestamp: nowMs });
  return encodeJwt(text, createHmac('sha256', secret).update(text).digest());
}

/** A key `id.secret` is shown as a token made of it, any other as it is. */
export function zhipuAuth(key: string, nowMs: () => number = Date.now): Auth {
  const [, id, secret] = /^([^.]+)\.([^.]+)$/.exec(key) ?? [];
  if (!id || !secret) return bearer(key);
  let made: { headers: ShownHeaders; atMs: number } | null = null;
  return {
    headersFor() {
      const now = nowMs();
      const age = made ? now - made.atMs : Number.NaN;
      // A clock that was set back makes the age negative.
      if (!made || !(age >= 0 && age < LIFE_MS - EARLY_MS))
        made = { headers: ['authorization', `Bearer ${zhipuToken(id, secret, now)}`], atMs: now };
      return made.headers;
    },
  };
}
