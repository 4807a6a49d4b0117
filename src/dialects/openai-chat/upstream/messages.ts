import type { AssistantTurn, TextPart, ToolTurn, Turn, UserTurn } from '../../canonical.js';
import type { UpstreamParams } from '../../dialect.js';
import { argumentsObject } from '../../kit/call-arguments.js';
import type { JsonObject } from '../../kit/json.js';
import type { ToolNames } from '../../kit/tool-names.js';
import { encodeSignature } from '../surface/call-style.js';
import { type Marker, partMarker } from './cache-marks.js';
import { encodePart } from './parts.js';
import { reasoningFields, stateOrigin } from './reasoning.js';

/** The turns as messages. */
export function encodeMessages(turns: readonly Turn[], rewrite: UpstreamParams, names: ToolNames): JsonObject[] {
  const encoder = new MessageEncoder(rewrite, names);
  for (const turn of turns) encoder.add(turn);
  return encoder.end();
}

class MessageEncoder {
  private readonly messages: JsonObject[] = [];
  /** Images and files of tool results: they follow the run of results, in a message of the user. */
  private shown: JsonObject[] = [];
  private readonly mark: Marker;

  constructor(
    private readonly rewrite: UpstreamParams,
    private readonly names: ToolNames,
  ) {
    this.mark = partMarker(rewrite);
  }

  add(turn: Turn): void {
    if (turn.role !== 'tool') this.showResults();
    switch (turn.role) {
      case 'system':
        // An empty instruction is refused by some and means nothing to all.
        if (turn.parts.some(({ text }) => text !== ''))
          this.messages.push({ role: turn.developer ? 'developer' : 'system', content: this.content(turn.parts) });
        return;
      case 'user':
        this.messages.push({ role: 'user', content: this.content(turn.parts) });
        return;
      case 'assistant':
        return this.addAssistant(turn);
      case 'tool':
        return this.addResult(turn);
    }
  }

  end(): JsonObject[] {
    this.showResults();
    return this.messages;
  }

  private content(parts: UserTurn['parts']): unknown {
    const [first] = parts;
    const encoded = parts.map((part) => ({ ...encodePart(part), ...(part.type !== 'audio' && this.mark(part.cache)) }));
    return parts.length === 1 && first!.type === 'text' && Object.keys(encoded[0]!).length === 2 ? first!.text : encoded;
  }

  private addAssistant({ parts }: AssistantTurn): void {
    const text = joined(parts.filter((part) => part.type === 'text'));
    const refusal = parts.flatMap((part) => (part.type === 'refusal' ? [part.text] : [])).join('');
    const calls = parts.filter((part) => part.type === 'tool_call');
    const reasoning = reasoningFields(parts, this.rewrite);
    // A turn that was only reasoning, and not for this provider.
    if (parts.length > 0 && text + refusal === '' && calls.length === 0 && Object.keys(reasoning).length === 0) return;
    // What was refused was said; not every provider knows that field.
    const content = text + refusal;
    const signed = stateOrigin(this.rewrite) === 'gemini' && this.rewrite.quirks.thinking !== 'openrouter';
    this.messages.push({
      role: 'assistant',
      content: content === '' && calls.length > 0 ? null : content,
      ...reasoning,
      ...(calls.length > 0 && {
        tool_calls: calls.map(({ id, name, arguments: args, signature }) => ({
          id,
          type: 'function',
          function: { name: this.names.sent(name), arguments: validArguments(args) },
          ...(signed && encodeSignature(signature)),
        })),
      }),
    });
  }

  /** The format knows text only in results, and no flag for errors. */
  private addResult({ callId, parts, isError, cache }: ToolTurn): void {
    const text = parts.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n');
    const others = parts.filter((part) => part.type !== 'text');
    if (others.length > 0) this.shown.push({ type: 'text', text: `Shown by the tool call ${callId}:` }, ...others.map(encodePart));
    const said = isError ? `Error: ${text}` : text === '' && others.length > 0 ? 'The result is shown below.' : text;
    const mark = this.mark(cache ?? parts.findLast((part) => part.cache)?.cache);
    const content = Object.keys(mark).length > 0 ? [{ type: 'text', text: said, ...mark }] : said;
    this.messages.push({ role: 'tool', tool_call_id: callId, content });
  }

  private showResults(): void {
    if (this.shown.length > 0) this.messages.push({ role: 'user', content: this.shown });
    this.shown = [];
  }
}

/** Commentary and the final answer were messages of their own. */
function joined(parts: readonly TextPart[]): string {
  return parts.reduce((text, part, at) => text + (at > 0 && parts[at - 1]!.phase !== part.phase ? '\n\n' : '') + part.text, '');
}

/** Providers that read the history's arguments refuse what is no JSON object. */
function validArguments(json: string): string {
  const { value, repaired } = argumentsObject(json);
  return repaired || Object.keys(value).length === 0 ? JSON.stringify(value) : json;
}
