import { isNothing } from '../kit/call-arguments.js';
import { isObject, type JsonObject, listOf, objectOf, textOf } from '../kit/json.js';
import { finishReason } from './upstream/finish-reason.js';
import { argumentsOf, ToolCallDecoder } from './upstream/tool-calls.js';

/**
 * Many servers speak chat almost as OpenAI does, and the clients of the format are strict: what differs is written as OpenAI would have. Fields
 * that are not known here stay as they are.
 */

/** Makes the id of a call that has none. */
export type NewId = (choice: number, call: number) => string;

/** Cheap to look for in a chunk's text; what it finds may be as it should be. Quotes within a text are escaped: none of this is found in one. */
const SUSPECT = /"content"\s*:\s*\[|"tool_calls"|"role"|"message"|"finish_reason"\s*:\s*"/;

/** The chunks of one stream. */
export class StreamNormalizer {
  private readonly choices = new Map<number, ChoiceState>();

  /** @param expected how many answers were asked for. */
  constructor(
    private readonly expected: number,
    private readonly newId: NewId,
  ) {}

  /** False: the chunk need not be looked at. @param data its text. */
  mayDiffer(data: string): boolean {
    return this.choices.size < this.expected || SUSPECT.test(data);
  }

  /** The chunk as OpenAI would have written it; null: it is so already. Every chunk that may differ has to come by, in order. */
  normalize(chunk: JsonObject): JsonObject | null {
    const given = listOf(chunk['choices']);
    const choices = given.map((choice) => (isObject(choice) ? this.choice(choice) : choice));
    return choices.some((choice, at) => choice !== given[at]) ? { ...chunk, choices } : null;
  }

  /** What ends the answers that the provider did not end. Empty: there are none. */
  ends(): JsonObject[] {
    const open = [...this.choices].filter(([, { ended }]) => !ended);
    return open.map(([index, state]) => ({ index, delta: lastDelta(state), finish_reason: state.called ? 'tool_calls' : 'stop' }));
  }

  private choice(choice: JsonObject): JsonObject {
    const index = Number.isInteger(choice['index']) ? (choice['index'] as number) : 0;
    const state = this.state(index);
    const said = isObject(choice['delta']) ? choice['delta'] : objectOf(choice['message']);
    let delta = straightContent(withRole(said, state));
    const calls = straightCalls(delta, state, (call) => this.newId(index, call));
    delta = calls;
    const reason = straightReason(choice['finish_reason'], state);
    if (reason !== null && reason !== undefined) {
      state.ended = true;
      const last = lastDelta(state);
      if (Object.keys(last).length > 0) delta = { ...delta, tool_calls: [...listOf(delta['tool_calls']), ...listOf(last['tool_calls'])] };
    }
    if (index === choice['index'] && delta === choice['delta'] && reason === choice['finish_reason']) return choice;
    const { message: _, ...rest } = choice;
    return { ...rest, index, delta, ...(reason !== undefined && { finish_reason: reason }) };
  }

  private state(index: number): ChoiceState {
    let state = this.choices.get(index);
    if (!state) {
      state = { begun: false, ended: false, called: false, calls: new ToolCallDecoder(index) };
      this.choices.set(index, state);
    }
    return state;
  }
}

interface ChoiceState {
  /** Its role was given. */
  begun: boolean;
  ended: boolean;
  called: boolean;
  calls: ToolCallDecoder;
}

/** The role is said once, in the first delta: clients join what they get. */
function withRole(delta: JsonObject, state: ChoiceState): JsonObject {
  const first = !state.begun;
  state.begun = true;
  if (first) return textOf(delta['role']) ? delta : { role: 'assistant', ...delta };
  if (!('role' in delta)) return delta;
  const { role: _, ...rest } = delta;
  return rest;
}

/** Mistral writes content in parts. */
function straightContent(said: JsonObject): JsonObject {
  const { content } = said;
  if (!Array.isArray(content)) return said;
  const thoughts = content.flatMap((part) => listOf(objectOf(part)['thinking'])).map(textIn);
  return { ...said, content: content.map(textIn).join(''), ...(thoughts.length > 0 && { reasoning_content: thoughts.join('') }) };
}

const textIn = (part: unknown): string => textOf(objectOf(part)['text']) ?? '';

function straightCalls(delta: JsonObject, state: ChoiceState, newId: (call: number) => string): JsonObject {
  if (isObject(delta['function_call'])) state.called = true;
  if (!('tool_calls' in delta)) return delta;
  const { tool_calls: given, ...rest } = delta;
  if (!Array.isArray(given)) return rest;
  const calls = given.flatMap((item) => (isObject(item) ? straightPiece(item, state, newId) : []));
  if (calls.length === given.length && calls.every((call, at) => call === given[at])) return delta;
  return calls.length === 0 ? rest : { ...rest, tool_calls: calls };
}

/** A piece of a call: the first has its id, its type and its name, the others only more of its arguments. */
function straightPiece(item: JsonObject, state: ChoiceState, newId: (call: number) => string): JsonObject[] {
  state.called = true;
  // Not a function: its pieces have a form of their own.
  if (isObject(item['custom'])) return [item];
  const events = state.calls.read(item, false);
  const call = state.calls.lastRead;
  // Its name has still to come: then all of it is given.
  if (call === null) return [];
  const [first] = events;
  const begins = first?.type === 'tool_call';
  const called = objectOf(item['function']);
  const isText = typeof called['arguments'] === 'string';
  const straight = begins
    ? isText && textOf(item['id']) && item['type'] === 'function'
    : (isText || !('arguments' in called)) && !item['id'] && !called['name'];
  const text = events.map((event) => (event.type === 'arguments' ? event.text : '')).join('');
  if (straight && item['index'] === call && (!isText || called['arguments'] === text)) return [item];
  const { id: _, type: __, function: ___, ...rest } = item;
  if (!begins) return [{ ...rest, index: call, function: { arguments: text } }];
  return [{ ...rest, index: call, id: first.id || newId(call), type: 'function', function: { name: first.name, arguments: text } }];
}

/** Clients read arguments as JSON, where some servers send nothing for none. */
const lastDelta = ({ calls }: ChoiceState): JsonObject => {
  const empty = calls.withoutArguments();
  return empty.length === 0 ? {} : { tool_calls: empty.map((index) => ({ index, function: { arguments: '{}' } })) };
};

const REASONS = new Set(['stop', 'length', 'tool_calls', 'content_filter', 'function_call']);

/** A reason of OpenAI's; null while there is none. A failure keeps its word: no other says it. */
function straightReason(given: unknown, { called }: Pick<ChoiceState, 'called'>): unknown {
  if (given === '') return null;
  if (typeof given !== 'string') return given;
  const reason = finishReason(given);
  if (reason === 'error') return given;
  if (reason === 'stop' && called) return 'tool_calls';
  return REASONS.has(given) ? given : reason;
}

/** A whole reply as OpenAI would have written it; the same object when it is so already. */
export function straightReply(reply: JsonObject, newId: NewId): JsonObject {
  const given = listOf(reply['choices']);
  const choices = given.map((choice, at) => straightChoice(objectOf(choice), at, newId));
  return choices.some((choice, at) => choice !== given[at]) ? { ...reply, choices } : reply;
}

function straightChoice(choice: JsonObject, at: number, newId: NewId): JsonObject {
  const index = Number.isInteger(choice['index']) ? (choice['index'] as number) : at;
  const { message, delta, text, ...rest } = choice;
  const said = isObject(message) ? message : isObject(delta) ? delta : { content: textOf(text) ?? '' };
  const spoken = straightContent('role' in said && said['role'] ? said : { ...said, role: 'assistant' });
  const straight = wholeCalls(spoken, (call) => newId(index, call));
  const called = listOf(straight['tool_calls']).length > 0;
  const reason = straightReason(choice['finish_reason'], { called }) ?? (called ? 'tool_calls' : 'stop');
  if (straight === message && index === choice['index'] && reason === choice['finish_reason']) return choice;
  return { ...rest, index, message: straight, finish_reason: reason };
}

function wholeCalls(message: JsonObject, newId: (call: number) => string): JsonObject {
  if (!('tool_calls' in message)) return message;
  const { tool_calls: given, ...rest } = message;
  if (!Array.isArray(given)) return rest;
  const calls = given.filter(isObject).map((call, at) => wholeCall(call, at, newId));
  return calls.length === given.length && calls.every((call, at) => call === given[at]) ? message : { ...rest, tool_calls: calls };
}

function wholeCall(call: JsonObject, at: number, newId: (call: number) => string): JsonObject {
  if (isObject(call['custom'])) return call;
  const called = objectOf(call['function']);
  const text = argumentsOf(called['arguments']);
  const empty = isNothing(text);
  const straight = textOf(call['id']) && call['type'] === 'function' && called['arguments'] === text && !empty;
  if (straight) return call;
  return { ...call, id: textOf(call['id']) || newId(at), type: 'function', function: { ...called, arguments: empty ? '{}' : text } };
}
