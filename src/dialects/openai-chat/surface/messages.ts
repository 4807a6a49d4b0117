import type { AssistantTurn, CacheMark, TextPart, ToolCallPart, ToolTurn, Turn, UserTurn } from '../../canonical.js';
import { customArguments } from '../../kit/custom-tools.js';
import type { Fields } from '../../kit/fields.js';
import { isObject, writeJson } from '../../kit/json.js';
import { decodePart, decodeTextPart } from './parts.js';
import { decodeReasoning, thoughtSignature } from './reasoning.js';
import { cacheMark, TOOL_TYPES } from './tools.js';

/** @param leftOut takes the names of what other formats have no place for. */
export function decodeMessages(fields: Fields, leftOut: Set<string>): Turn[] {
  const legacy = new LegacyCalls();
  return fields.entries('messages').map((message) => {
    const turn = decodeMessage(message, legacy);
    for (const name of UNSAID[turn.role]) if (isSaid(message.values[name])) leftOut.add(`messages: ${name}`);
    return turn;
  });
}

/** What a message may hold beside its content. Audio of an earlier answer is kept by OpenAI; its transcript is what others can read. */
const UNSAID: Readonly<Record<Turn['role'], readonly string[]>> = {
  system: ['name'],
  user: ['name'],
  assistant: ['name', 'audio', 'annotations'],
  tool: [],
};

const isSaid = (value: unknown): boolean => (Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null);

function decodeMessage(message: Fields, legacy: LegacyCalls): Turn {
  const role = message.oneOf('role', ['system', 'developer', 'user', 'assistant', 'tool', 'function']);
  switch (role) {
    case 'user':
      return { role, parts: marked(contentOf(message, decodePart), cacheMark(message)) };
    case 'assistant':
      return decodeAssistant(message, legacy);
    case 'tool':
      return decodeResult(message, splitId(message.text('tool_call_id')).id, message.textOrNull('name'));
    case 'function':
      return decodeResult(message, legacy.answered(), message.text('name'));
    default:
      return { role: 'system', developer: role === 'developer', parts: marked(contentOf(message, decodeTextPart), cacheMark(message)) };
  }
}

function decodeAssistant(message: Fields, legacy: LegacyCalls): AssistantTurn {
  const content = message.has('content') ? contentOf(message, decodeAssistantPart) : [];
  const refusal = message.textOrNull('refusal');
  const calls = message.entries('tool_calls').map(decodeCall);
  const legacyCall = message.objectOrNull('function_call');
  if (legacyCall) calls.push(legacy.asked(legacyCall.text('name'), legacyCall.textOrNull('arguments') ?? ''));
  const parts: AssistantTurn['parts'] = [
    ...decodeReasoning(message, calls),
    ...content,
    ...(refusal ? [{ type: 'refusal' as const, text: refusal }] : []),
    ...calls,
  ];
  const mark = cacheMark(message);
  const last = parts.at(-1);
  if (mark && (last?.type === 'text' || last?.type === 'tool_call')) last.cache = mark;
  return { role: 'assistant', parts };
}

type AssistantContent = Exclude<AssistantTurn['parts'][number], ToolCallPart>;

/** Mistral's reasoning stands among the parts. */
function decodeAssistantPart(part: Fields): AssistantContent {
  const type = part.text('type');
  if (type === 'refusal') return { type, text: part.text('refusal') };
  if (type !== 'thinking') return decodeTextPart(part);
  const text = Array.isArray(part.values['thinking'])
    ? part.entries('thinking').map((piece) => piece.textOrNull('text') ?? '')
    : [part.text('thinking')];
  return { type: 'reasoning', text: text.join(''), origin: null, signature: null, redacted: null, id: null };
}

function decodeCall(call: Fields): ToolCallPart {
  const type = call.oneOf('type', TOOL_TYPES) ?? 'function';
  const called = call.object(type);
  const { id, signature: carried } = splitId(call.text('id'));
  const signature = thoughtSignature(call) ?? carried;
  const mark = cacheMark(call);
  return {
    type: 'tool_call',
    id,
    name: called.text('name'),
    arguments: type === 'custom' ? customArguments(called.text('input')) : argumentsOf(called),
    ...(signature !== null && { signature }),
    ...(mark && { cache: mark }),
  };
}

/** A text; some clients send the object itself. */
function argumentsOf(called: Fields): string {
  const given = called.values['arguments'];
  return isObject(given) ? writeJson(given) : (called.textOrNull('arguments') ?? '');
}

function decodeResult(message: Fields, callId: string, name: string | null): ToolTurn {
  const parts = message.has('content') ? contentOf(message, decodePart) : [];
  if (parts.some((part) => part.type === 'audio')) throw message.refuse('content', 'of a tool result cannot be audio');
  const mark = cacheMark(message);
  return { role: 'tool', callId, name, parts: parts as ToolTurn['parts'], isError: false, ...(mark && { cache: mark }) };
}

/** A text is one part. */
function contentOf<Part>(message: Fields, decode: (part: Fields) => Part): (Part | TextPart)[] {
  const { content } = message.values;
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  if (!Array.isArray(content)) throw message.refuse('content', 'must be a string or a list of parts');
  return message.entries('content').map(decode);
}

/** A mark on a message stands for one on its last part. */
function marked<Part extends UserTurn['parts'][number]>(parts: Part[], mark: CacheMark | null): Part[] {
  const last = parts.at(-1);
  if (mark && last && last.type !== 'audio') last.cache = mark;
  return parts;
}

const THOUGHT = '__thought__';

/** Some gateways carry Gemini's signature inside the call's id. */
function splitId(id: string): { id: string; signature: string | null } {
  const at = id.indexOf(THOUGHT);
  return at === -1 ? { id, signature: null } : { id: id.slice(0, at), signature: id.slice(at + THOUGHT.length) };
}

/** Calls of the time before tools have no ids: each is answered by the next message with the role `function`. */
class LegacyCalls {
  private count = 0;

  asked(name: string, args: string): ToolCallPart {
    this.count++;
    return { type: 'tool_call', id: this.answered(), name, arguments: args };
  }

  answered(): string {
    return `call_function${this.count}`;
  }
}
