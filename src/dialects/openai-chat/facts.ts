import { noFacts, type Refusal, type ReplyFacts } from '../dialect.js';
import { isObject, type JsonObject, objectOf, readJson, textOf } from '../kit/json.js';
import { looseOutput } from '../kit/loose-output.js';
import { errorIn, inBandRefusal } from './errors.js';
import { findUsage, readUsage } from './usage.js';

interface Choice {
  finish_reason?: unknown;
  message?: JsonObject | null;
  /** Of a legacy completion. */
  text?: unknown;
}

const isChoice = (value: unknown): value is Choice => isObject(value) && (value['message'] == null || isObject(value['message']));

/**
 * What a whole reply says of itself; null when clients that hold it to OpenAI's format would stumble: Mistral writes content in parts and calls
 * as null, some servers give calls no id.
 * @throws when it is no completion.
 */
export function readFacts(body: Buffer): (ReplyFacts & { refusal: Refusal | null }) | null {
  const reply: unknown = readJson(body.toString());
  const error = errorIn(reply);
  const raw = isObject(reply) ? findUsage(reply) : null;
  if (error) return { ...noFacts(), usage: readUsage(raw), usageIsFinal: raw !== null, usageRaw: raw, refusal: inBandRefusal(error) };
  const { choices, model } = objectOf(reply);
  if (!Array.isArray(choices)) throw new Error('the reply has no choices');
  if (!choices.every(isChoice) || choices.some(deviates)) return null;
  const failed = choices.map(errorIn).find((failure) => failure !== null);
  const said = looseOutput(choices.map(({ message, text }) => message ?? text));
  return {
    usage: readUsage(raw),
    usageIsFinal: raw !== null,
    usageRaw: raw,
    finishReason: textOf(choices[0]?.finish_reason),
    servedModel: textOf(model),
    outputBytes: said.bytes,
    outputPieces: choices.length,
    outputImages: said.images,
    toolRuns: new Map(),
    outputDense: 0,
    refusal: failed ? inBandRefusal(failed) : null,
  };
}

function deviates({ message }: Choice): boolean {
  if (!message) return false;
  const { content, tool_calls: calls } = message;
  return Array.isArray(content) || calls === null || (Array.isArray(calls) && !calls.every((call) => isObject(call) && call['id']));
}
