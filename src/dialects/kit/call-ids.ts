import { createHash } from 'node:crypto';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const HASH_LENGTH = 24;
/** Mistral's models take ids of exactly this length. */
const NINE = 9;

/** The id of a tool call as most providers accept it. Calls and results go through the same function, so they still belong together. */
export const plainCallId = (id: string): string => (/^[\w-]{1,64}$/.test(id) ? id : `call_${alphanumerics(id, HASH_LENGTH)}`);

/** The id as Mistral's models accept it. Hashed, as ids that are cut to nine characters become the same. */
export const nineCharacterCallId = (id: string): string => (/^[A-Za-z0-9]{9}$/.test(id) ? id : alphanumerics(id, NINE));

/** Letters and digits made of a text, always the same for the same text. */
function alphanumerics(text: string, length: number): string {
  let rest = BigInt(`0x${createHash('sha256').update(text).digest('hex')}`);
  let out = '';
  for (; out.length < length; rest /= 62n) out += DIGITS[Number(rest % 62n)];
  return out;
}
