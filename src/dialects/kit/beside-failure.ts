import type { Work } from '../../kernel/slices.js';
import { NoAnswer, noFacts, type ReplyFacts, type ReplyHeaders, type Translation } from '../dialect.js';
import { isObject, parsed, writeJson } from './json.js';

/**
 * What a whole reply that tells of a failure has beside it: output, or a count, that may be billed. It is read as it would be without the words
 * of the failure, which are no output.
 */
export function* besideFailure(translation: Translation, body: Buffer, headers: ReplyHeaders): Work<ReplyFacts> {
  const reply = parsed(body.toString());
  yield; // reading, writing and reading again would be too long for one turn
  if (!isObject(reply)) return noFacts();
  const { error: _error, errors: _errors, success: _success, status: _status, ...rest } = reply;
  const written = Buffer.from(writeJson(rest));
  yield;
  try {
    const { facts } = yield* translation.readWhole(written, headers);
    const { outputBytes, outputImages, outputPieces } = facts;
    return { ...facts, begun: false, finishReason: null, outputPieces: outputBytes + outputImages > 0 ? outputPieces : 0 };
  } catch (cause) {
    return (cause instanceof NoAnswer && cause.facts) || noFacts();
  }
}
