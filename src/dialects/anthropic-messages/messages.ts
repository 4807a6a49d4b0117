import type { ClaudeRules } from '../../model-rules/index.js';
import type { AssistantTurn, SystemTurn, ToolCallPart, ToolTurn, Turn, UserTurn } from '../canonical.js';
import { argumentsObject } from '../kit/call-arguments.js';
import { plainCallId } from '../kit/call-ids.js';
import { invalidMessages } from '../kit/fields.js';
import type { ToolNames } from '../kit/tool-names.js';
import { resultsOf } from '../kit/tool-results.js';
import { hearsAudio, Unsupported } from '../kit/unsupported.js';
import { type Block, encodeFile, encodeImage, encodeMark, encodeText } from './blocks.js';

export interface Message {
  role: 'user' | 'assistant' | 'system';
  content: Block[];
}

export interface Messages {
  system: Block[];
  messages: Message[];
  warnings: string[];
}

/**
 * A conversation as Anthropic takes it: the leading instruction apart, then turns by user and assistant in alternation. What comes between
 * two answers becomes one user message, tool results first.
 */
export function encodeMessages(turns: readonly Turn[], family: ClaudeRules, names: ToolNames): Messages {
  const encoder = new MessagesEncoder(turns, family, names);
  return encoder.encode();
}

class MessagesEncoder {
  private readonly messages: Message[] = [];
  private readonly warnings: string[] = [];

  constructor(
    private readonly turns: readonly Turn[],
    private readonly family: ClaudeRules,
    private readonly names: ToolNames,
  ) {}

  encode(): Messages {
    const { turns } = this;
    const leading = turns.findIndex(({ role }) => role !== 'system');
    const from = leading === -1 ? turns.length : leading;
    const system = turns.slice(0, from).flatMap((turn) => (turn.role === 'system' ? turn.parts.flatMap(encodeText) : []));
    for (let at = from; at < turns.length; ) at = this.encodeFrom(at);
    // Someone has to speak: an instruction alone is said by the user.
    if (this.messages.length === 0) return { system: [], messages: [{ role: 'user', content: system }], warnings: this.warnings };
    this.trimEnd();
    return { system, messages: this.messages, warnings: this.warnings };
  }

  /** Encodes an answer and all that follows up to the next one. Gives back where that is. */
  private encodeFrom(at: number): number {
    const turn = this.turns[at]!;
    const answer = turn.role === 'assistant' ? turn : null;
    const start = answer ? at + 1 : at;
    const next = this.turns.findIndex(({ role }, index) => index >= start && role === 'assistant');
    const end = next === -1 ? this.turns.length : next;
    if (answer) this.add('assistant', this.encodeAnswer(answer));
    this.encodeBetween(answer ? resultsOf(this.turns, at).map(({ result }) => result) : [], this.turns.slice(start, end));
    return end;
  }

  private encodeBetween(results: readonly ToolTurn[], turns: readonly Turn[]): void {
    const orphan = turns.find((turn): turn is ToolTurn => turn.role === 'tool' && !results.includes(turn));
    if (orphan) {
      const reason = `The tool result for "${orphan.callId}" answers no call of the assistant message before it, or answers it again.`;
      throw invalidMessages(`${reason} Send each result once, right after its call.`);
    }
    const rest = turns.filter((turn): turn is UserTurn | SystemTurn => turn.role === 'user' || turn.role === 'system');
    const lastUser = rest.findLastIndex(({ role }) => role === 'user');
    const content = [...results.map(encodeResult), ...rest.slice(0, lastUser + 1).flatMap(encodeUser)];
    const systems = rest.slice(lastUser + 1);
    // Where a model obeys them there: after a user turn, before an answer or the end.
    const inline = this.family.inlineSystem && content.length > 0;
    this.add('user', inline ? content : [...content, ...systems.flatMap(encodeUser)]);
    if (inline) for (const { parts } of systems as SystemTurn[]) this.add('system', parts.flatMap(encodeText));
  }

  /** Reasoning goes back to Claude only with its state, and before the calls it led to. */
  private encodeAnswer({ parts }: AssistantTurn): Block[] {
    const out: Block[] = [];
    const calls: Block[] = [];
    for (const part of parts) {
      switch (part.type) {
        case 'text':
          (calls.length > 0 ? calls : out).push(...encodeText(part));
          break;
        case 'refusal':
          out.push(...encodeText({ type: 'text', text: part.text }));
          break;
        case 'tool_call':
          calls.push(this.encodeCall(part));
          break;
        case 'reasoning':
          if (part.origin !== 'anthropic' || this.family.thinking === 'none') break;
          if (part.redacted !== null) out.push({ type: 'redacted_thinking', data: part.redacted });
          else if (part.signature) out.push({ type: 'thinking', thinking: part.text, signature: part.signature });
      }
    }
    return [...out, ...calls];
  }

  private encodeCall({ id, name, arguments: json, cache }: ToolCallPart): Block {
    const { value, repaired } = argumentsObject(json);
    if (repaired) this.warnings.push(`The arguments of the tool call "${id}" are no JSON object and were sent as text inside one.`);
    return { type: 'tool_use', id: plainCallId(id), name: this.names.sent(name), input: value, ...encodeMark(cache) };
  }

  /** Neighbors of a role are one message, and a message must not be empty. */
  private add(role: Message['role'], content: Block[]): void {
    if (content.length === 0) return;
    const last = this.messages.at(-1);
    if (last?.role === role) last.content.push(...content);
    else this.messages.push({ role, content });
  }

  /** An answer that was begun must not end in white space. */
  private trimEnd(): void {
    const last = this.messages.at(-1);
    const block = last?.role === 'assistant' ? last.content.at(-1) : undefined;
    if (block && typeof block['text'] === 'string') block['text'] = block['text'].trimEnd();
  }
}

function encodeUser(turn: UserTurn | SystemTurn): Block[] {
  // Moving an instruction to the top would change what it comes after, and miss the prompt cache on every turn.
  if (turn.role === 'system')
    return turn.parts.flatMap((part) => encodeText({ ...part, text: part.text.trim() === '' ? '' : `<system>${part.text}</system>` }));
  return turn.parts.flatMap(encodePart);
}

function encodePart(part: UserTurn['parts'][number]): Block[] {
  switch (part.type) {
    case 'text':
      return encodeText(part);
    case 'image':
      return encodeImage(part);
    case 'file':
      return encodeFile(part);
    case 'audio':
      throw new Unsupported('messages', 'Audio is not supported by this provider. Send its text instead.', hearsAudio);
  }
}

function encodeResult({ callId, parts, isError, cache }: ToolTurn): Block {
  const content = parts.flatMap(encodePart);
  const [first] = content;
  const plain = content.length === 1 && first?.['type'] === 'text' && !('cache_control' in first);
  return {
    type: 'tool_result',
    tool_use_id: plainCallId(callId),
    // A result without content is legal, one with blank content is not.
    ...(content.length > 0 && { content: plain ? first['text'] : content }),
    ...(isError && { is_error: true }),
    ...encodeMark(cache),
  };
}
