import { isUtf8 } from 'node:buffer';
import { parse } from 'secure-json-parse';
import { WeirError } from '../kernel/errors.js';

const MAX_DEPTH = 64;

/**
 * Parses a JSON body: valid UTF-8, no poisoned keys (`__proto__`), at most 64 levels deep.
 * @throws WeirError invalid_json, invalid_request
 */
export function parseBody(bytes: unknown): unknown {
  if (!Buffer.isBuffer(bytes) || bytes.length === 0)
    throw new WeirError('invalid_json', { message: 'The request has no body. Send a JSON object.' });
  if (!isUtf8(bytes)) throw new WeirError('invalid_json', { message: 'The request body is not valid UTF-8.' });
  let body: unknown;
  try {
    const text = bytes.toString();
    body = mayBePoisoned(text) ? parse(text) : JSON.parse(text);
  } catch (cause) {
    throw new WeirError('invalid_json', { cause });
  }
  if (!isShallow(body, MAX_DEPTH))
    throw new WeirError('invalid_request', { message: `The request body is nested more than ${MAX_DEPTH} levels deep.` });
  return body;
}

/** Only a text that could spell a poisoned key, perhaps in escapes, needs the careful parser. */
const mayBePoisoned = (text: string): boolean => text.includes('__proto__') || text.includes('constructor') || text.includes('\\u');

function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (levels === 0) return false;
  if (Array.isArray(value)) {
    for (const item of value) if (!isShallow(item, levels - 1)) return false;
    return true;
  }
  for (const key in value) if (!isShallow((value as Record<string, unknown>)[key], levels - 1)) return false;
  return true;
}
