import { isUtf8 } from 'node:buffer';
import { WeirError } from '../../kernel/errors.js';
import { withoutMark } from './byte-order-mark.js';

/** Of a key in a message. */
const LONGEST_KEY = 64;

/** The text of a body: UTF-8, with a byte order mark or without. @throws WeirError invalid_json */
export function textOfBody(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new WeirError('invalid_json', { message: 'The request body is not valid UTF-8.' });
  return withoutMark(bytes).toString();
}

/** @throws WeirError invalid_json */
export function jsonOfBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WeirError('invalid_json', { cause });
  }
}

/** What the client reads when an object of its body has a key twice. */
export const keyTwice = (key: string): WeirError =>
  new WeirError('invalid_json', {
    message: `The request body has the key "${key.slice(0, LONGEST_KEY)}" more than once in one object. Send it once.`,
  });
