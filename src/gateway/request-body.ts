import { isUtf8 } from 'node:buffer';
import { hasToKeep, keepLiterals, repeatedKey, survey } from '../dialects/index.js';
import { WeirError } from '../kernel/errors.js';
import { ownTurn } from '../kernel/slices.js';
import { withoutMark } from './byte-order-mark.js';

const MAX_DEPTH = 64;
/** Of a key in a message. */
const LONGEST_KEY = 64;
/** Longer bodies are worked on in several turns of the event loop, so that other calls have theirs in between. */
const LONG_BYTES = 512 * 1024;

/** Whether work on so many bytes has to let other calls have their turn. */
export const isLong = (bytes: number): boolean => bytes > LONG_BYTES;

/** A body as it was sent, read. */
export interface RequestBody {
  json: unknown;
  bytes: number;
  /** What `json` was read of. */
  text: string;
}

/**
 * Parses a JSON body: valid UTF-8, with a byte order mark or without, no key twice in an object, at most 64 levels deep.
 * @throws WeirError invalid_json, invalid_request
 */
export function parseBody(bytes: Buffer): RequestBody {
  const text = textIn(bytes);
  const json = jsonIn(text);
  if (hasMore(text, json)) keepLiterals(text, json);
  return { json, bytes: bytes.length, text };
}

/** The same for a long body, a turn for each step. @throws as parseBody */
export async function parseBodyInTurns(bytes: Buffer): Promise<RequestBody> {
  await ownTurn();
  const text = textIn(bytes);
  await ownTurn();
  const json = jsonIn(text);
  await ownTurn();
  const more = hasMore(text, json);
  await ownTurn();
  if (more) {
    keepLiterals(text, json);
    await ownTurn();
  }
  return { json, bytes: bytes.length, text };
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
  return withoutMark(bytes).toString();
}
function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WeirError('invalid_json', { cause });
  }
}

/** Whether the text says what the value does not tell, and has to be kept. @throws WeirError invalid_json, invalid_request where it may not stand as it is. */
function hasMore(text: string, json: unknown): boolean {
  const members = countMembers(json, MAX_DEPTH);
  const said = survey(text);
  // JavaScript keeps the last of them; a provider may read the first.
  if (said.members !== members)
    throw new WeirError('invalid_json', {
      message: `The request body has the key "${repeatedKey(text)?.slice(0, LONGEST_KEY)}" more than once in one object. Send it once.`,
    });
  return hasToKeep(said);
}

/** A key such as `__proto__` is a property like any other to JSON.parse, and to `{...object}` and `Object.fromEntries`, which copies are made by. */
function countMembers(value: unknown, levels: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (levels === 0) throw new WeirError('invalid_request', { message: `The request body is nested more than ${MAX_DEPTH} levels deep.` });
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += countMembers(item, levels - 1);
    return members;
  }
  for (const key in value) members += 1 + countMembers((value as Record<string, unknown>)[key], levels - 1);
  return members;
}
