import type { ReasoningOrigin, ReasoningPart } from '../canonical.js';
import { isObject, textOf } from '../kit/json.js';

/** How OpenRouter names the owner of a piece of reasoning. */
const FORMATS: Record<ReasoningOrigin, string> = {
  anthropic: 'anthropic-claude-v1',
  openai: 'openai-responses-v1',
  gemini: 'google-gemini-v1',
  cohere: 'cohere-v2',
};

/** One entry of `reasoning_details`, the form in which chat clients carry a model's reasoning and its state back. */
export interface ReasoningDetail {
  type: 'reasoning.text' | 'reasoning.summary' | 'reasoning.encrypted';
  text?: string;
  summary?: string;
  data?: string;
  signature?: string;
  id?: string;
  format?: string;
  index?: number;
}

/** The entries for one block of reasoning that has state. */
export function encodeDetails({ text, origin, signature, redacted, id }: ReasoningPart, index: number): ReasoningDetail[] {
  if (origin === null) return [];
  const common = { ...(id !== null && { id }), format: FORMATS[origin], index };
  const encrypted = (data: string): ReasoningDetail => ({ type: 'reasoning.encrypted', data, ...common });
  if (redacted !== null) return [encrypted(redacted)];
  if (origin === 'openai') {
    const summary: ReasoningDetail[] = text === '' ? [] : [{ type: 'reasoning.summary', summary: text, ...common }];
    return signature === null ? summary : [...summary, encrypted(signature)];
  }
  // An empty text with a signature is Anthropic's form of reasoning that is not shown.
  if (origin !== 'anthropic' && text === '' && signature !== null) return [encrypted(signature)];
  return [{ type: 'reasoning.text', text, ...(signature !== null && { signature }), ...common }];
}

/** What one entry says, whoever made it; null when it is none. */
export function readDetail(value: unknown): { key: string; part: ReasoningPart } | null {
  if (!isObject(value)) return null;
  const { type, index } = value;
  const text = written(value['text']) ?? written(value['summary']) ?? '';
  const data = type === 'reasoning.encrypted' ? written(value['data']) : null;
  const signature = written(value['signature']);
  const id = written(value['id']);
  const origin = originOf(value['format'], signature, data);
  const redacted = origin === 'anthropic' ? data : null;
  // Pieces of a block share its index. What Anthropic redacts is a block of its own.
  const key = `${redacted === null ? '' : 'redacted'}${typeof index === 'number' ? index : (id ?? '')}`;
  const state = signature ?? (redacted === null ? data : null);
  const stated = state !== null || redacted !== null || (origin === 'openai' && id !== null);
  return { key, part: { type: 'reasoning', text, origin: stated ? origin : null, signature: state, redacted, id: stated ? id : null } };
}

function originOf(format: unknown, signature: string | null, data: string | null): ReasoningOrigin | null {
  const word = typeof format === 'string' ? format : '';
  if (word.startsWith('anthropic')) return 'anthropic';
  if (word.startsWith('google')) return 'gemini';
  if (word.startsWith('cohere')) return 'cohere';
  if (word.startsWith('openai') || word.startsWith('azure')) return 'openai';
  // Without a format it is as Anthropic's compatible endpoints send it; another vendor's state cannot be handed on.
  return word === '' && (signature !== null || data !== null) ? 'anthropic' : null;
}

const written = (value: unknown): string | null => textOf(value) || null;
