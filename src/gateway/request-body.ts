import { hasToKeep, keepLiterals } from '../dialects/index.js';
import { WeirError } from '../kernel/errors.js';
import { repeatedKey, survey } from '../kernel/json-scan.js';
import { atOnce, ownTurn } from '../kernel/slices.js';
import { jsonOfBody, keyTwice, textOfBody } from '../platform/listener/index.js';

const MAX_DEPTH = 64;
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
  const json = jsonOfBody(text);
  if (hasMore(text, json)) keepLiterals(text, json);
  return { json, bytes: bytes.length, text };
}

/** The same for a long body, a turn for each step. @throws as parseBody */
export async function parseBodyInTurns(bytes: Buffer): Promise<RequestBody> {
  await ownTurn();
  const text = textIn(bytes);
  await ownTurn();
  const json = jsonOfBody(text);
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
  return textOfBody(bytes);
}

/** Whether the text says what the value does not tell, and has to be kept. @throws WeirError invalid_json, invalid_request where it may not stand as it is. */
function hasMore(text: string, json: unknown): boolean {
  const members = countMembers(json, MAX_DEPTH);
  const said = survey(text);
  // JavaScript keeps the last of them; a provider may read the first.
  if (said.members !== members) throw keyTwice(atOnce(repeatedKey(text)) ?? '');
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
