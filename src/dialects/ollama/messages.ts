import type { AssistantTurn, FilePart, ImagePart, ToolCallPart, ToolTurn, Turn, UserTurn } from '../canonical.js';
import { argumentsObject } from '../kit/call-arguments.js';
import { invalidMessages } from '../kit/fields.js';
import type { JsonObject } from '../kit/json.js';
import { hearsAudio, readsFiles, Unsupported } from '../kit/unsupported.js';

/** Writes the turns as Ollama's chat takes them: texts as one text, images as bare base64, arguments as objects. */
export function renderTurns(turns: readonly Turn[]): JsonObject[] {
  const messages: JsonObject[] = [];
  let shown: ImagePart[] = [];
  turns.forEach((turn, index) => {
    switch (turn.role) {
      case 'system':
        messages.push({ role: 'system', content: textsOf(turn.parts) });
        return;
      case 'user':
        messages.push(userMessage(turn.parts));
        return;
      case 'assistant':
        messages.push(assistantMessage(turn));
        return;
      case 'tool':
        messages.push({ role: 'tool', content: textsOf(turn.parts), tool_name: turn.name ?? nameOf(turn, turns.slice(0, index)) });
        shown.push(...turn.parts.filter((part) => part.type === 'image'));
        // Models are trained on images of users: they follow the last result.
        if (turns[index + 1]?.role === 'tool' || shown.length === 0) return;
        messages.push(userMessage(shown));
        shown = [];
    }
  });
  return messages;
}

function userMessage(parts: UserTurn['parts']): JsonObject {
  const images = parts.flatMap((part) => {
    if (part.type === 'audio')
      throw new Unsupported(
        'messages',
        'Ollama does not take audio. Leave it out, or choose a model of a provider that takes it.',
        hearsAudio,
      );
    return part.type === 'image' ? [imageData(part)] : [];
  });
  return { role: 'user', content: textsOf(parts), ...(images.length > 0 && { images }) };
}

function assistantMessage({ parts }: AssistantTurn): JsonObject {
  const thinking = parts.flatMap((part) => (part.type === 'reasoning' && part.origin === null ? [part.text] : [])).join('');
  const calls = parts.filter((part): part is ToolCallPart => part.type === 'tool_call');
  return {
    role: 'assistant',
    content: textsOf(parts),
    ...(thinking !== '' && { thinking }),
    ...(calls.length > 0 && {
      tool_calls: calls.map(({ name, arguments: json }) => ({ function: { name, arguments: argumentsObject(json).value } })),
    }),
  };
}

/** Ollama tells results apart by the name of the tool. */
function nameOf({ callId }: ToolTurn, before: readonly Turn[]): string {
  const calls = before.flatMap((turn) => (turn.role === 'assistant' ? turn.parts : [])).filter((part) => part.type === 'tool_call');
  const call = calls.findLast(({ id }) => id === callId);
  if (call) return call.name;
  throw invalidMessages(`The tool result for "${callId}" belongs to no tool call before it. Send the assistant message with the call too.`);
}

function textsOf(parts: readonly { type: string; text?: string }[]): string {
  const texts = parts.flatMap((part) => {
    if (part.type === 'text' || part.type === 'refusal') return [part.text!];
    return part.type === 'file' ? [fileText(part as FilePart)] : [];
  });
  return texts.join('\n\n');
}

function fileText({ source }: FilePart): string {
  if (source.kind === 'text') return source.text;
  if (source.kind === 'base64' && source.mediaType.startsWith('text/')) return Buffer.from(source.data, 'base64').toString();
  throw new Unsupported('messages', 'Ollama takes files of plain text only. Send the text of the document instead.', readsFiles);
}

function imageData({ source }: ImagePart): string {
  if (source.kind === 'base64') return source.data;
  throw invalidMessages('Ollama takes the bytes of an image, not where it is. Send it as a base64 data URL.');
}
