import { WeirError } from '../../kernel/errors.js';
import { repeatedKey } from '../../kernel/json-scan.js';
import { inSlices, ownTurn } from '../../kernel/slices.js';
import { jsonOfBody, keyTwice, textOfBody } from '../../platform/listener/index.js';

/** Longer bodies are worked on in several turns of the event loop. */
const LONG_BYTES = 64 * 1024;

/** The value of a JSON body, in which no object has a key twice: JavaScript would keep the last. @throws WeirError invalid_json */
export async function parseJsonBody(bytes: Buffer): Promise<unknown> {
  if (bytes.length === 0)
    throw new WeirError('invalid_json', { message: 'The body is empty but announced as JSON. Send {} or leave Content-Type out.' });
  const text = textOfBody(bytes);
  const json = jsonOfBody(text);
  if (bytes.length > LONG_BYTES) await ownTurn();
  const repeated = await inSlices(repeatedKey(text));
  if (repeated !== null) throw keyTwice(repeated);
  return json;
}
