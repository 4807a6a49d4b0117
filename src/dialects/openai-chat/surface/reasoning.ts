import type { ReasoningPart, ToolCallPart } from '../../canonical.js';
import type { Fields } from '../../kit/fields.js';
import { readDetail } from '../reasoning-details.js';

/** The reasoning an assistant's message carries back, in the richest of the forms that clients use. Signatures of calls go to their calls. */
export function decodeReasoning(message: Fields, calls: readonly ToolCallPart[]): ReasoningPart[] {
  const details = decodeDetails(message, calls);
  if (details.length > 0) return details;
  const blocks = message.entries('thinking_blocks').map(decodeBlock);
  if (blocks.length > 0) return blocks;
  const text = message.written('reasoning_content') ?? message.written('reasoning') ?? '';
  const signature = thoughtSignature(message);
  if (signature !== null) return [{ ...PLAIN, text, origin: 'gemini', signature }];
  return text === '' ? [] : [{ ...PLAIN, text }];
}

const PLAIN: ReasoningPart = { type: 'reasoning', text: '', origin: null, signature: null, redacted: null, id: null };

/** Clients may have kept the pieces of a stream: neighbors of one block are joined. */
function decodeDetails(message: Fields, calls: readonly ToolCallPart[]): ReasoningPart[] {
  const parts: ReasoningPart[] = [];
  let lastKey: string | null = null;
  for (const { values } of message.entries('reasoning_details')) {
    const detail = readDetail(values);
    if (!detail) continue;
    const { key, part } = detail;
    const call = part.origin === 'gemini' ? calls.find(({ id }) => id === part.id) : undefined;
    const last = parts.at(-1);
    if (call) call.signature ??= part.signature!;
    else if (last && key !== '' && key === lastKey && (last.origin === null || part.origin === null || last.origin === part.origin))
      join(last, part);
    else {
      parts.push(part);
      lastKey = key;
    }
  }
  return parts;
}

function join(block: ReasoningPart, piece: ReasoningPart): void {
  block.text += piece.text;
  block.origin ??= piece.origin;
  block.signature = piece.signature ?? block.signature;
  block.id ??= piece.id;
}

/** LiteLLM's form, which is Anthropic's. */
function decodeBlock(block: Fields): ReasoningPart {
  if (block.text('type') === 'redacted_thinking') return { ...PLAIN, origin: 'anthropic', redacted: block.text('data') };
  const signature = block.written('signature');
  return { ...PLAIN, text: block.textOrNull('thinking') ?? '', origin: signature === null ? null : 'anthropic', signature };
}

/** Where Gemini's compatible endpoint keeps the signature of a call or a text. */
export function thoughtSignature(fields: Fields): string | null {
  return fields.objectOrNull('extra_content')?.objectOrNull('google')?.written('thought_signature') ?? null;
}
