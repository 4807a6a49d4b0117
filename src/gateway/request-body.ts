import { isUtf8 } from 'node:buffer';
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
    body = JSON.parse(bytes.toString());
  } catch (cause) {
    throw new WeirError('invalid_json', { cause });
  }
  check(body, MAX_DEPTH);
  return body;
}

/** JSON.parse makes a poisoned key a property like any other; it is whoever copies the object later that it would harm. */
function check(value: unknown, levels: number): void {
  if (typeof value !== 'object' || value === null) return;
  if (levels === 0) throw new WeirError('invalid_request', { message: `The request body is nested more than ${MAX_DEPTH} levels deep.` });
  if (Array.isArray(value)) {
    for (const item of value) check(item, levels - 1);
    return;
  }
  for (const key in value) {
    const inner = (value as Record<string, unknown>)[key];
    if (key === '__proto__' || (key === 'constructor' && Object.hasOwn(inner ?? {}, 'prototype')))
      throw new WeirError('invalid_json', { message: `The request body has a key "${key}", which is not taken.` });
    check(inner, levels - 1);
  }
}
