import { valuesIn } from '../../kernel/json-scan.js';
import type { Turn } from '../canonical.js';
import { invalidMessages } from './fields.js';
import { isObject, type JsonObject, parsed } from './json.js';

/** Values in all the JSON texts within one request or reply: reading more of them would hold up other calls. */
const MAX_INNER_VALUES = 100_000;

/** Counts the values of JSON texts that will be read. */
export class InnerValues {
  private left = MAX_INNER_VALUES;

  /** False: with this text they are too many. */
  take(json: string): boolean {
    this.left -= valuesIn(json, this.left);
    return this.left > 0;
  }

  /** The object that a text is; null: it is none, or they are too many. */
  objectIn(json: string): JsonObject | null {
    const value = this.left > 0 && this.take(json) ? parsed(json) : undefined;
    return isObject(value) ? value : null;
  }
}

type Parts = readonly { type: string; arguments?: unknown }[];

/** Whether the arguments of all the calls among these parts may be read. */
export function haveReadableCalls(parts: Parts): boolean {
  const values = new InnerValues();
  return parts.every((part) => part.type !== 'tool_call' || values.take(part.arguments as string));
}

/** @throws WeirError invalid_request when the calls of a conversation have arguments of too many values. */
export function boundArguments(turns: readonly Turn[]): void {
  if (haveReadableCalls(turns.flatMap((turn): Parts => (turn.role === 'assistant' ? turn.parts : [])))) return;
  throw invalidMessages(`The arguments of the tool calls have more than ${MAX_INNER_VALUES} values in all. Send fewer, or shorter, calls.`);
}
