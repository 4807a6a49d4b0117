import { isUtf8 } from 'node:buffer';
import { WeirError } from '../kernel/errors.js';
import { ownTurn } from '../kernel/slices.js';

const MAX_DEPTH = 64;
/** Longer bodies are worked on in several turns of the event loop, so that other calls have theirs in between. */
const LONG_BYTES = 512 * 1024;

/** Whether work on so many bytes has to let other calls have their turn. */
export const isLong = (bytes: number): boolean => bytes > LONG_BYTES;

/** A body as it was sent, read. */
export interface RequestBody {
  json: unknown;
  bytes: number;
}

/**
 * Parses a JSON body: valid UTF-8, no poisoned keys (`__proto__`), at most 64 levels deep.
 * @throws WeirError invalid_json, invalid_request
 */
export function parseBody(bytes: Buffer): RequestBody {
  const json = jsonIn(textIn(bytes));
  check(json, MAX_DEPTH);
  return { json, bytes: bytes.length };
}

/** The same for a long body, a turn for each step. @throws as parseBody */
export async function parseBodyInTurns(bytes: Buffer): Promise<RequestBody> {
  await ownTurn();
  const text = textIn(bytes);
  await ownTurn();
  const json = jsonIn(text);
  await ownTurn();
  check(json, MAX_DEPTH);
  await ownTurn();
  return { json, bytes: bytes.length };
}

/** What a request said. @throws WeirError invalid_json when it said nothing. */
export function bodyOf(request: { body: unknown }): RequestBody {
  if (!request.body) throw noBody();
  return request.body as RequestBody;
}

const noBody = (): WeirError => new WeirError('invalid_json', { message: 'The request has no body. Send a JSON object.' });

function textIn(bytes: Buffer): string {
  if (bytes.length === 0) throw noBody();
  if (!isUtf8(bytes)) throw new WeirError('invalid_json', { message: 'The request body is not valid UTF-8.' });
  return bytes.toString();
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WeirError('invalid_json', { cause });
  }
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
