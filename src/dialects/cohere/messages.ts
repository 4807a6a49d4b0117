import type { AssistantTurn, ImagePart, SystemTurn, TextPart, ToolTurn, Turn, UserTurn } from '../canonical.js';
import { isNothing } from '../kit/call-arguments.js';
import { invalidMessages } from '../kit/fields.js';
import type { JsonObject } from '../kit/json.js';
import { mediaTypeOf } from '../kit/media-type.js';
import type { ToolNames } from '../kit/tool-names.js';
import { resultsOf } from '../kit/tool-results.js';
import { hearsAudio, readsFiles, Unsupported } from '../kit/unsupported.js';

/** Writes the turns as Cohere's messages. @param thinks the model takes thoughts back. @throws WeirError invalid_request when one cannot be said. */
export function encodeMessages(turns: readonly Turn[], thinks: boolean, names: ToolNames): JsonObject[] {
  const firstOther = turns.findIndex(({ role }) => role !== 'system');
  const leading = (firstOther === -1 ? turns : turns.slice(0, firstOther)) as SystemTurn[];
  const instruction = leading
    .map(textOf)
    .filter((text) => text !== '')
    .join('\n\n');
  const writer = new MessageWriter(thinks, names);
  // There must be a message to answer.
  if (instruction !== '') writer.messages.push({ role: leading.length === turns.length ? 'user' : 'system', content: instruction });
  for (let at = leading.length; at < turns.length; at++) writer.write(turns, at);
  return writer.messages;
}

class MessageWriter {
  readonly messages: JsonObject[] = [];
  private readonly answered = new Set<ToolTurn>();

  constructor(
    private readonly thinks: boolean,
    private readonly names: ToolNames,
  ) {}

  write(turns: readonly Turn[], at: number): void {
    const turn = turns[at]!;
    switch (turn.role) {
      case 'system': {
        // Only the first turns instruct; later ones stay where they are, so that the prefix stays the same.
        const text = textOf(turn);
        if (text !== '') this.messages.push({ role: 'user', content: `<system>\n${text}\n</system>` });
        return;
      }
      case 'user':
        this.messages.push({ role: 'user', content: userContent(turn.parts) });
        return;
      case 'assistant':
        this.assistant(turn);
        return this.results(resultsOf(turns, at).map(({ result }) => result));
      case 'tool':
        if (!this.answered.has(turn))
          throw invalidMessages(`The tool result for "${turn.callId}" answers no call. Send the call before it, or drop it.`);
    }
  }

  private assistant({ parts }: AssistantTurn): void {
    const calls = parts.filter((part) => part.type === 'tool_call');
    // Thoughts with a state belong to another family.
    const thoughts = parts.flatMap((part) => (part.type === 'reasoning' && part.origin === null && part.text !== '' ? part.text : []));
    const ownPlan = parts.map((part) => (part.type === 'reasoning' && part.origin === 'cohere' ? (part.signature ?? '') : '')).join('');
    const plan = ownPlan || (this.thinks ? '' : thoughts.join(''));
    const text = parts.map((part) => (part.type === 'text' || part.type === 'refusal' ? part.text : '')).join('');
    const blocks = [
      ...(this.thinks ? thoughts.map((thinking) => ({ type: 'thinking', thinking })) : []),
      ...(text === '' ? [] : [{ type: 'text', text }]),
    ];
    const content = blocks.length === 1 && text !== '' ? text : blocks;
    if (content.length === 0 && calls.length === 0) return;
    this.messages.push({
      role: 'assistant',
      ...(content.length > 0 && { content }),
      ...(calls.length > 0 && plan !== '' && { tool_plan: plan }),
      ...(calls.length > 0 && {
        tool_calls: calls.map(({ id, name, arguments: json }) => ({
          id,
          type: 'function',
          function: { name: this.names.sent(name), arguments: isNothing(json) ? '{}' : json },
        })),
      }),
    });
  }

  /** Only text goes into a result; images follow all of them, from the user. */
  private results(results: ToolTurn[]): void {
    for (const result of results) {
      this.answered.add(result);
      this.messages.push({ role: 'tool', tool_call_id: result.callId, content: textOf(result) });
    }
    const images = results.flatMap(({ parts }) => parts.filter((part) => part.type !== 'text'));
    if (images.length > 0) this.messages.push({ role: 'user', content: userContent(images) });
  }
}

const textOf = ({ parts }: SystemTurn | ToolTurn): string => parts.map((part) => (part.type === 'text' ? part.text : '')).join('');

function userContent(parts: UserTurn['parts']): string | JsonObject[] {
  const written = parts.map(userPart);
  return written.every(isText) ? written.map(({ text }) => text).join('') : written.filter((part) => !isText(part) || part.text !== '');
}

const isText = (part: JsonObject): part is { type: 'text'; text: string } => part['type'] === 'text';

function userPart(part: UserTurn['parts'][number]): JsonObject {
  switch (part.type) {
    case 'text':
      return text(part);
    case 'image':
      return { type: 'image_url', image_url: { url: imageUrl(part), ...(part.detail !== undefined && { detail: part.detail }) } };
    case 'file':
      if (part.source.kind === 'text') return text(part.source);
      throw new Unsupported('messages', 'This provider reads no files. Send the content as text.', readsFiles);
    case 'audio':
      throw new Unsupported('messages', 'This provider hears no audio. Send the words as text.', hearsAudio);
  }
}

const text = ({ text }: Pick<TextPart, 'text'>): JsonObject => ({ type: 'text', text });

function imageUrl({ source }: ImagePart): string {
  if (source.kind === 'url') return source.url;
  if (source.kind === 'base64') return `data:${mediaTypeOf(source.data, source.mediaType)};base64,${source.data}`;
  throw invalidMessages('This provider keeps no files. Send the image itself, as a data URL, or its address.');
}
