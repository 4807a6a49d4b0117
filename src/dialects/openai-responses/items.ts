import type { OpenAiRules } from '../../model-rules/index.js';
import type {
  AssistantTurn,
  AudioPart,
  FilePart,
  ImagePart,
  ReasoningPart,
  Source,
  SystemTurn,
  TextPart,
  ToolTurn,
  Turn,
} from '../canonical.js';
import { plainCallId } from '../kit/call-ids.js';
import { invalid } from '../kit/fields.js';
import type { JsonObject } from '../kit/json.js';
import type { ToolNames } from '../kit/tool-names.js';
import { hearsAudio, Unsupported } from '../kit/unsupported.js';
import type { Quirks } from '../quirks.js';

interface ItemOptions {
  rules: OpenAiRules;
  quirks: Quirks;
  names: ToolNames;
}

/** The turns of a conversation as input items. */
export function encodeItems(turns: Turn[], options: ItemOptions): JsonObject[] {
  const callIds = new CallIds();
  return turns.flatMap((turn) => itemsOf(turn, callIds, options));
}

function itemsOf(turn: Turn, callIds: CallIds, options: ItemOptions): JsonObject[] {
  switch (turn.role) {
    case 'system':
      return [systemItem(turn, options.rules)];
    case 'user':
      return [{ role: 'user', content: inputContent(turn.parts, options.rules) }];
    case 'assistant':
      return assistantItems(turn, callIds, options);
    case 'tool':
      return [{ type: 'function_call_output', call_id: callIds.ofResult(turn.callId), output: resultOf(turn, options.rules) }];
  }
}

const MAX_CALL_ID = 64;

/** Ids of tool calls as the format takes them: not too long, and no id twice, as some providers number the calls of each reply anew. */
class CallIds {
  private readonly sent = new Map<string, string>();
  private readonly used = new Set<string>();

  ofCall(id: string): string {
    let sent = fitting(id);
    for (let n = 2; this.used.has(sent); n++) sent = fitting(`${id}_${n}`);
    this.used.add(sent);
    this.sent.set(id, sent);
    return sent;
  }

  /** Results belong to the last call of that id. */
  ofResult(id: string): string {
    return this.sent.get(id) ?? fitting(id);
  }
}

const fitting = (id: string): string => (id.length <= MAX_CALL_ID ? id : plainCallId(id));

function systemItem({ developer, parts }: SystemTurn, rules: OpenAiRules): JsonObject {
  const role = rules.systemRole === 'user' ? 'user' : developer ? 'developer' : 'system';
  return { role, content: inputContent(parts, rules) };
}

/** Reasoning stays where it was: it is bound to the item that follows, and is refused without one. */
function assistantItems({ parts }: AssistantTurn, callIds: CallIds, { names, quirks }: ItemOptions): JsonObject[] {
  const items: JsonObject[] = [];
  const lastWord = parts.findLastIndex((part) => part.type !== 'reasoning');
  for (const part of parts.slice(0, lastWord + 1)) {
    switch (part.type) {
      case 'text':
        addToMessage(items, { type: 'output_text', text: part.text }, part.phase);
        break;
      case 'refusal':
        addToMessage(items, { type: 'refusal', refusal: part.text }, undefined);
        break;
      case 'reasoning':
        items.push(...reasoningItem(part, quirks));
        break;
      case 'tool_call': {
        const call = { call_id: callIds.ofCall(part.id), name: names.sent(part.name), arguments: part.arguments.trim() || '{}' };
        items.push({ type: 'function_call', ...call });
      }
    }
  }
  return items;
}

/** Neighboring texts of one phase are one message. */
function addToMessage(items: JsonObject[], content: JsonObject, phase: string | undefined): void {
  const last = items.at(-1);
  if (last?.['type'] === 'message' && last['phase'] === phase) (last['content'] as JsonObject[]).push(content);
  else items.push({ type: 'message', role: 'assistant', content: [content], ...(phase !== undefined && { phase }) });
}

/** Without its id: the provider keeps no item of ours that it could look up, and would refuse it. */
function reasoningItem({ text, origin, signature }: ReasoningPart, { reasoningBack }: Quirks): JsonObject[] {
  if (origin === 'openai' && signature !== null) {
    const summary = text === '' ? [] : [{ type: 'summary_text', text }];
    return [{ type: 'reasoning', summary, encrypted_content: signature }];
  }
  const wanted = reasoningBack === 'always' || reasoningBack === 'as-is';
  if (!wanted || origin !== null || text === '') return [];
  return [{ type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text }] }];
}

type InputPart = TextPart | ImagePart | FilePart | AudioPart;

function inputContent(parts: InputPart[], rules: OpenAiRules): string | JsonObject[] {
  const [first] = parts;
  if (parts.length === 1 && first?.type === 'text' && !(first.cache && rules.cacheBreakpoints)) return first.text;
  return parts.map((part) => inputPart(part, rules));
}

function inputPart(part: InputPart, { cacheBreakpoints }: OpenAiRules): JsonObject {
  const marked = part.type !== 'audio' && part.cache !== undefined && cacheBreakpoints;
  return { ...bareInputPart(part), ...(marked && { prompt_cache_breakpoint: { mode: 'explicit' } }) };
}

function bareInputPart(part: InputPart): JsonObject {
  switch (part.type) {
    case 'text':
      return { type: 'input_text', text: part.text };
    case 'image':
      return { type: 'input_image', ...imageOf(part.source), ...(part.detail !== undefined && { detail: part.detail }) };
    case 'file':
      return filePart(part);
    case 'audio':
      throw new Unsupported('messages', 'This provider takes no audio here. Send it as text, or choose another model.', hearsAudio);
  }
}

function imageOf(source: Source): JsonObject {
  switch (source.kind) {
    case 'base64':
      return { image_url: dataUrl(source) };
    case 'url':
      return { image_url: source.url };
    case 'file':
      return { file_id: source.id };
    case 'text':
      throw invalid('messages', 'An image cannot be plain text. Send it as base64 or by its URL.');
  }
}

function filePart({ source, name }: FilePart): JsonObject {
  switch (source.kind) {
    case 'base64':
      return { type: 'input_file', filename: name ?? `document.${source.mediaType.replace(/^.*[/.+]/, '')}`, file_data: dataUrl(source) };
    case 'url':
      return { type: 'input_file', file_url: source.url };
    case 'file':
      return { type: 'input_file', file_id: source.id };
    case 'text':
      return { type: 'input_text', text: source.text };
  }
}

const dataUrl = ({ mediaType, data }: { mediaType: string; data: string }): string => `data:${mediaType};base64,${data}`;

/** The format has no flag for errors: what the tool said has to tell. */
function resultOf({ parts }: ToolTurn, rules: OpenAiRules): string | JsonObject[] {
  if (parts.every((part) => part.type === 'text')) return parts.map((part) => part.text).join('\n');
  return parts.map((part) => inputPart(part, rules));
}
