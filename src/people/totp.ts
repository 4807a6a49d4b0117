import { createHmac, timingSafeEqual } from 'node:crypto';

/** RFC 6238 as authenticator apps have it: SHA-1, steps of 30 seconds, six digits. */
const STEP_SECONDS = 30;
const DIGITS = 6;
/** Clocks of phones are off, and typing takes time: one step before and after. */
const WINDOW = 1;

const CODE = /^[0-9]{6}$/;
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** The step that a moment lies in. @param ms Unix time */
export const stepAt = (ms: number): number => Math.floor(ms / 1000 / STEP_SECONDS);

/** The code of a step. */
export function codeOf(secret: Buffer, step: number, digits = DIGITS): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const number = mac.readUInt32BE(mac.at(-1)! & 0xf) & 0x7fff_ffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}

/** The step near a moment whose code this is; null: of none. */
export function stepOf(secret: Buffer, code: string, ms: number): number | null {
  if (!CODE.test(code)) return null;
  const now = stepAt(ms);
  const given = Buffer.from(code);
  let match: number | null = null;
  for (let step = now - WINDOW; step <= now + WINDOW; step++) if (timingSafeEqual(Buffer.from(codeOf(secret, step)), given)) match = step;
  return match;
}

/** As it is typed into an authenticator app. */
export function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  return (bits.match(/.{1,5}/g) ?? []).map((five) => BASE32[Number.parseInt(five.padEnd(5, '0'), 2)]).join('');
}

/** As a QR code carries it to an authenticator app. */
export const keyUri = (secret: Buffer, account: string): string =>
  `otpauth://totp/Weir:${encodeURIComponent(account)}?secret=${base32(secret)}&issuer=Weir&algorithm=SHA1&digits=${DIGITS}&period=${STEP_SECONDS}`;
