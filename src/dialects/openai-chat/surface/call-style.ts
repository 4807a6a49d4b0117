import type { FinishReason, ToolCallPart } from '../../canonical.js';
import type { CallRequest } from '../../dialect.js';
import { customInput } from '../../kit/custom-tools.js';
import { listOf, objectOf } from '../../kit/json.js';

/** How a client wants to be told of calls: by what it offered the model. */
export interface CallStyle {
  /** Names of the tools that take one free text. */
  custom: ReadonlySet<unknown>;
  /** It offered `functions`, of the time before tools: an answer has one call at most, without an id. */
  legacy: boolean;
}

export function callStyleOf({ body }: CallRequest): CallStyle {
  const tools = listOf(body['tools']).map(objectOf);
  const custom = tools.filter((tool) => tool['type'] === 'custom').map((tool) => objectOf(tool['custom'])['name']);
  return { custom: new Set(custom), legacy: tools.length === 0 && listOf(body['functions']).length > 0 };
}

type Called = Pick<ToolCallPart, 'id' | 'name' | 'arguments' | 'signature'>;

/** The fields of a message that tell of its calls. */
export function encodeCalls(calls: readonly Called[], { custom, legacy }: CallStyle): object {
  const [first] = calls;
  if (!first) return {};
  if (legacy) return { function_call: { name: first.name, arguments: first.arguments } };
  return { tool_calls: calls.map((call) => encodeCall(call, custom)) };
}

function encodeCall({ id, name, arguments: args, signature }: Called, custom: CallStyle['custom']): object {
  const said = custom.has(name)
    ? { type: 'custom', custom: { name, input: customInput(args) } }
    : { type: 'function', function: { name, arguments: args } };
  return { id, ...said, ...encodeSignature(signature) };
}

/** As Gemini's compatible endpoint carries it. */
export const encodeSignature = (signature: string | undefined): object =>
  signature === undefined ? {} : { extra_content: { google: { thought_signature: signature } } };

export const finishReasonOf = (reason: FinishReason, { legacy }: CallStyle): string =>
  legacy && reason === 'tool_calls' ? 'function_call' : reason;
