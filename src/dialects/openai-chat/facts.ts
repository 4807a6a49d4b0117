import { NoAnswer, noFacts, type Refusal, type ReplyFacts } from '../dialect.js';
import { isObject, type JsonObject, listOf, objectOf, readJson, textOf } from '../kit/json.js';
import { spliceJson } from '../kit/json-splice.js';
import { looseOutput } from '../kit/loose-output.js';
import { errorIn, failureIn, inBandRefusal } from './errors.js';
import type { NewId } from './normalize.js';
import { findUsage, readUsage } from './usage.js';

/** A reply as clients of the format can read it; the same object when it is so already. */
type Normalize = (reply: JsonObject, newId: NewId) => JsonObject;

export type WholeFacts = ReplyFacts & { refusal: Refusal | null; body: Buffer };

/**
 * What a whole reply says of itself, and the reply as clients of the format can read it: the bytes as they came where they are as OpenAI writes
 * them.
 * @throws when it is no completion.
 */
export function readWhole(body: Buffer, normalize: Normalize): WholeFacts {
  const text = body.toString();
  const reply: unknown = readJson(text);
  const error = failureIn(reply);
  const raw = isObject(reply) ? findUsage(reply) : null;
  if (error) return { ...noFacts(), usage: readUsage(raw), usageIsFinal: raw !== null, usageRaw: raw, refusal: inBandRefusal(error), body };
  const { choices: given, model } = objectOf(reply);
  if (!Array.isArray(given)) throw new NoAnswer('the reply has no choices', readUsage(raw), raw);
  const id = textOf(objectOf(reply)['id']) ?? '';
  const newId = (choice: number, call: number) => `call_${id.replace(/\W/g, '')}${choice === 0 ? '' : `c${choice}`}n${call}`;
  const straight = normalize(objectOf(reply), newId);
  const choices = listOf(straight['choices']).map(objectOf);
  const failed = choices.map(errorIn).find((failure) => failure !== null);
  const said = looseOutput(choices.map(({ message, text }) => message ?? text));
  return {
    begun: true,
    usage: readUsage(raw),
    usageIsFinal: raw !== null,
    usageRaw: raw,
    finishReason: textOf(choices[0]?.['finish_reason']),
    servedModel: textOf(model),
    outputBytes: said.bytes,
    outputPieces: choices.length,
    outputImages: said.images,
    toolRuns: new Map(),
    outputDense: 0,
    refusal: failed ? inBandRefusal(failed) : null,
    body: straight === reply ? body : Buffer.from(spliceJson({ text, value: objectOf(reply) }, straight)),
  };
}
