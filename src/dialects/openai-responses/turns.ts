import type { AssistantTurn, AudioPart, FilePart, ImagePart, ReasoningPart, SystemTurn, TextPart, ToolTurn, Turn } from '../canonical.js';
import { Fields, invalid } from '../kit/fields.js';
import { objectOf, textOf } from '../kit/json.js';
import { CALL_FORMS, type CallKind, kindOfCall, kindOfResult, resultText } from './client-calls.js';
import type { ClientTools } from './client-tools.js';
import { decodeInputContent, decodeOutputContent } from './content.js';
import { stateIn } from './state.js';

/** Calls of tools that the provider itself ran, and their results: the answer that came of them is what counts for another. */
const HOSTED_ITEMS = new Set([
  'web_search_call',
  'file_search_call',
  'code_interpreter_call',
  'image_generation_call',
  'mcp_list_tools',
  'mcp_call',
  'mcp_approval_request',
  'mcp_approval_response',
  'tool_search_call',
  'tool_search_output',
]);

/** The turns that `instructions` and `input` make up, and what of them was left out. */
export function decodeTurns(request: Fields, tools: ClientTools): { turns: Turn[]; leftOut: string[] } {
  const history = new History(tools);
  const instructions = request.textOrNull('instructions');
  if (instructions) history.turns.push({ role: 'system', developer: false, parts: [{ type: 'text', text: instructions }] });
  const input = request.values['input'];
  if (typeof input === 'string') history.turns.push({ role: 'user', parts: [{ type: 'text', text: input }] });
  else for (const item of request.entries('input')) history.add(item);
  return { turns: history.turns, leftOut: [...history.leftOut] };
}

/** Items come one by one; what the model said until the next word of someone else is one turn. */
class History {
  readonly turns: Turn[] = [];
  readonly leftOut = new Set<string>();
  /** State of the tool call that follows. */
  private callSignature: string | null = null;

  constructor(private readonly tools: ClientTools) {}

  add(item: Fields): void {
    const type = item.textOrNull('type') ?? 'message';
    const called = kindOfCall(type);
    if (called && !isHosted(called, item)) return this.addCall(called, item);
    const answered = kindOfResult(type);
    if (answered && !isHosted(answered, item)) return this.addResult(answered, item);
    switch (type) {
      case 'message':
        return this.addMessage(item);
      case 'reasoning':
        return this.addReasoning(item);
      case 'additional_tools':
        return;
      case 'item_reference': // to what another provider keeps: Weir's own was put back before
        this.leftOut.add(type);
        return;
      default:
        if (!HOSTED_ITEMS.has(type)) throw invalid(item.param('type'), `An item of type "${type}" cannot be sent to this provider.`);
        this.leftOut.add(type);
    }
  }

  private addMessage(item: Fields): void {
    switch (item.oneOf('role', ['user', 'assistant', 'system', 'developer'] as const)) {
      case 'assistant':
        this.assistant.parts.push(...decodeOutputContent(item, this.leftOut));
        return;
      case 'user':
        this.turns.push({ role: 'user', parts: decodeInputContent(item, 'content') });
        return;
      case 'developer':
        this.turns.push(systemTurn(item, true));
        return;
      case 'system':
        this.turns.push(systemTurn(item, false));
        return;
      case null:
        throw item.refuse('role', 'must be given');
    }
  }

  private addReasoning(item: Fields): void {
    const encrypted = item.textOrNull('encrypted_content');
    const state = encrypted === null ? null : stateIn(encrypted);
    if (state?.call) {
      this.callSignature = state.signature;
      return;
    }
    const part: ReasoningPart = {
      type: 'reasoning',
      text: textsOf(item, 'content') || textsOf(item, 'summary'),
      origin: state?.origin ?? null,
      signature: state?.signature ?? null,
      redacted: state?.redacted ?? null,
      id: state?.origin === 'openai' ? item.textOrNull('id') : (state?.id ?? null),
    };
    // Neither words nor state: OpenAI's form of reasoning that was not asked for.
    if (part.text !== '' || state !== null) this.assistant.parts.push(part);
  }

  private addCall(kind: CallKind, item: Fields): void {
    const signature = this.callSignature;
    this.callSignature = null;
    const name = kind === 'function' || kind === 'custom' ? item.text('name') : kind;
    this.assistant.parts.push({
      type: 'tool_call',
      id: item.text('call_id'),
      name: this.tools.offeredName(name, item.textOrNull('namespace')),
      arguments: CALL_FORMS[kind].read(item),
      ...(signature !== null && { signature }),
    });
  }

  private addResult(kind: CallKind, item: Fields): void {
    const parts = kind === 'tool_search' ? this.found(item) : (resultText(kind, item) ?? resultParts(item));
    // OpenAI's own name for it in the result of a local shell.
    const callId = item.textOrNull('call_id') ?? item.text(kind === 'local_shell' ? 'id' : 'call_id');
    this.turns.push({ role: 'tool', callId, name: null, parts, isError: false });
  }

  /** What the client found for the model: the tools are offered from now on. */
  private found(item: Fields): TextPart[] {
    const names = item.entries('tools').flatMap((tool) => {
      const name = tool.textOrNull('name') ?? tool.text('type');
      return tool.textOrNull('type') === 'namespace' ? this.tools.inNamespace(name) : [this.tools.offeredName(name, null)];
    });
    return [{ type: 'text', text: names.length === 0 ? 'No tool was found.' : `These tools can be called now: ${names.join(', ')}` }];
  }

  private get assistant(): AssistantTurn {
    const last = this.turns.at(-1);
    if (last?.role === 'assistant') return last;
    const turn: AssistantTurn = { role: 'assistant', parts: [] };
    this.turns.push(turn);
    return turn;
  }
}

const isText = (part: TextPart | ImagePart | FilePart | AudioPart): part is TextPart => part.type === 'text';

function systemTurn(item: Fields, developer: boolean): SystemTurn {
  const parts = decodeInputContent(item, 'content');
  if (!parts.every(isText)) throw item.refuse('content', `must be text only in a ${developer ? 'developer' : 'system'} message`);
  return { role: 'system', developer, parts };
}

/** A search for tools that the provider of the conversation made itself. */
const isHosted = (kind: CallKind, item: Fields): boolean =>
  kind === 'tool_search' && (item.textOrNull('execution') !== 'client' || !item.has('call_id'));

function resultParts(item: Fields): ToolTurn['parts'] {
  const parts = decodeInputContent(item, 'output');
  const heard = parts.filter((part) => part.type !== 'audio');
  if (heard.length < parts.length) throw item.refuse('output', 'must not hold audio');
  return heard;
}

const textsOf = (item: Fields, name: string): string =>
  (item.listOrNull(name) ?? []).map((part) => textOf(objectOf(part)['text']) ?? '').join('\n\n');
