import type { AssistantTurn, CacheMark, FilePart, ImagePart, SystemTurn, TextPart, ToolTurn, Turn, UserTurn } from '../../canonical.js';
import { Fields } from '../../kit/fields.js';
import { writeJson } from '../../kit/json.js';
import { isSealed, openState } from '../../kit/sealed-state.js';
import { decodeDocument, decodeImage, decodeSearchResult } from './sources.js';

/** Claude Code's note to Anthropic's billing: different in each request, so it would spoil every other prompt cache. */
const BILLING_NOTE = /^x-anthropic-billing-header:/;

/** What an answer holds of tools that Anthropic ran itself; the text beside it says what came of them. */
const SERVER_BLOCKS = /^(?:server_tool_use|mcp_tool_use|\w+_tool_result)$/;

/** The instruction and the messages, in the client's order but for tool results, which come first in their message. */
export function decodeTurns(fields: Fields, leftOut: string[]): Turn[] {
  const system = decodeTexts(fields, 'system').filter(({ text }) => !BILLING_NOTE.test(text));
  const instruction: SystemTurn[] = system.length > 0 ? [{ role: 'system', developer: false, parts: system }] : [];
  return [...instruction, ...fields.entries('messages').flatMap((message) => decodeMessage(message, leftOut))];
}

export function decodeMark(block: Fields): { cache?: CacheMark } {
  const mark = block.objectOrNull('cache_control');
  return mark ? { cache: { ttl: mark.oneOf('ttl', ['5m', '1h']) ?? '5m' } } : {};
}

function decodeMessage(message: Fields, leftOut: string[]): Turn[] {
  switch (message.text('role')) {
    case 'assistant':
      return [decodeAnswer(message, leftOut)];
    case 'system':
      return [{ role: 'system', developer: false, parts: decodeTexts(message, 'content') }];
    default:
      return decodeUser(message, leftOut);
  }
}

function decodeTexts(fields: Fields, name: string): TextPart[] {
  if (!fields.has(name)) return [];
  return blocksOf(fields, name).map((block) => {
    if (block.text('type') !== 'text') throw unknownType(block);
    return decodeText(block);
  });
}

/** A text is one block of it. */
function blocksOf(fields: Fields, name: string): Fields[] {
  const content = fields.values[name];
  if (typeof content === 'string') return [Fields.of({ type: 'text', text: content }, fields.param(name))];
  if (!Array.isArray(content)) throw fields.refuse(name, 'must be a string or a list of blocks');
  return fields.entries(name);
}

const decodeText = (block: Fields): TextPart => ({ type: 'text', text: block.text('text'), ...decodeMark(block) });

function decodeUser(message: Fields, leftOut: string[]): Turn[] {
  const results: ToolTurn[] = [];
  const parts: UserTurn['parts'] = [];
  for (const block of blocksOf(message, 'content')) {
    if (block.text('type') === 'tool_result') results.push(decodeResult(block, leftOut));
    else parts.push(...decodeContent(block, leftOut));
  }
  const user: UserTurn[] = parts.length > 0 || results.length === 0 ? [{ role: 'user', parts }] : [];
  return [...results, ...user];
}

function decodeResult(block: Fields, leftOut: string[]): ToolTurn {
  return {
    role: 'tool',
    callId: block.text('tool_use_id'),
    name: null,
    parts: block.has('content') ? blocksOf(block, 'content').flatMap((inner) => decodeContent(inner, leftOut)) : [],
    isError: block.booleanOrNull('is_error') ?? false,
    ...decodeMark(block),
  };
}

function decodeContent(block: Fields, leftOut: string[]): (TextPart | ImagePart | FilePart)[] {
  const type = block.text('type');
  switch (type) {
    case 'text':
      return [decodeText(block)];
    case 'image':
      return [{ ...decodeImage(block), ...decodeMark(block) }];
    case 'document':
      return decodeDocument(block, leftOut).map((part, at, all) => (at === all.length - 1 ? { ...part, ...decodeMark(block) } : part));
    case 'search_result':
      return [{ ...decodeSearchResult(block, leftOut), ...decodeMark(block) }];
    default:
      throw unknownType(block);
  }
}

function decodeAnswer(message: Fields, leftOut: string[]): AssistantTurn {
  const parts: AssistantTurn['parts'] = [];
  /** State of the call to come. */
  let signature: string | null = null;
  for (const block of blocksOf(message, 'content')) {
    const type = block.text('type');
    const sealed = type === 'thinking' ? openState(block.textOrNull('signature') ?? '') : null;
    if (sealed?.call) {
      signature = sealed.signature;
      continue;
    }
    if (SERVER_BLOCKS.test(type)) leftOut.push(`messages: ${type}`);
    else parts.push(decodeAnswerBlock(block, type, signature));
    if (block.listOrNull('citations')?.length) leftOut.push('messages: citations');
    if (type === 'tool_use') signature = null;
  }
  return { role: 'assistant', parts };
}

function decodeAnswerBlock(block: Fields, type: string, signature: string | null): AssistantTurn['parts'][number] {
  switch (type) {
    case 'text':
      return decodeText(block);
    case 'thinking':
      return { type: 'reasoning', text: block.text('thinking'), ...decodeState(block.written('signature')) };
    case 'redacted_thinking':
      return { type: 'reasoning', text: '', origin: 'anthropic', signature: null, redacted: block.text('data'), id: null };
    case 'tool_use':
      return {
        type: 'tool_call',
        id: block.text('id'),
        name: block.text('name'),
        arguments: writeJson(block.object('input').values),
        ...(signature !== null && { signature }),
        ...decodeMark(block),
      };
    default:
      throw unknownType(block);
  }
}

/** Thinking without a signature is plain text: other vendors' models write it. */
function decodeState(signature: string | null) {
  const sealed = signature === null ? null : openState(signature);
  if (sealed) return { origin: sealed.origin, signature: sealed.signature, redacted: sealed.redacted, id: sealed.id };
  const anthropic = signature !== null && !isSealed(signature);
  return { origin: anthropic ? ('anthropic' as const) : null, signature: anthropic ? signature : null, redacted: null, id: null };
}

const unknownType = (block: Fields) =>
  block.refuse(
    'type',
    `is "${block.text('type')}", which cannot be sent to this provider. Leave the block out, or use a model of Anthropic's`,
  );
