import { noFacts, type Refusal, type ReplyFacts } from '../dialect.js';
import { isObject, type JsonObject, objectOf, readJson, textOf } from '../kit/json.js';
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
  if (error) return { ...noFacts(), usage: readUsage(raw), usageRaw: raw, refusal: inBandRefusal(error) };
  const { choices, model } = objectOf(reply);
  if (!Array.isArray(choices)) throw new Error('the reply has no choices');
  if (!choices.every(isChoice) || choices.some(deviates)) return null;
  const failed = choices.map(errorIn).find((failure) => failure !== null);
  return {
    usage: readUsage(raw),
    usageRaw: raw,
    finishReason: textOf(choices[0]?.finish_reason),
    servedModel: textOf(model),
    outputBytes: choices.reduce((bytes, { message, text }) => bytes + textBytes(message) + bytesOf(text), 0),
    outputPieces: choices.length,
    refusal: failed ? inBandRefusal(failed) : null,
  };
}

function deviates({ message }: Choice): boolean {
  if (!message) return false;
  const { content, tool_calls: calls } = message;
  return Array.isArray(content) || calls === null || (Array.isArray(calls) && !calls.every((call) => isObject(call) && call['id']));
}

function textBytes(message: Choice['message']): number {
  if (!message) return 0;
  const { content, reasoning_content: reasoning = message['reasoning'], refusal, tool_calls: calls } = message;
  return [content, reasoning, refusal, calls].reduce<number>((bytes, said) => bytes + bytesOf(said), 0);
}

const bytesOf = (said: unknown): number =>
  typeof said === 'string' ? Buffer.byteLength(said) : said === null || said === undefined ? 0 : Buffer.byteLength(JSON.stringify(said));
