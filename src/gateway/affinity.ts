import type { CallRequest } from '../dialects/index.js';

/** Of a text, what goes into a fingerprint. */
const MAX_CHARACTERS = 1_000;

/** Fields by which a client asks for what only the account that made it can read again. */
const BOUND_STATE = ['thinking', 'reasoning', 'reasoning_effort', 'include', 'previous_response_id'] as const;

/**
 * What calls of one conversation have in common, so that they go to the same key: prompt caches, signatures and sealed reasoning belong to an
 * account. The client's own word for it, `prompt_cache_key`, goes first; else the beginning of the conversation. Null: the call begins nothing
 * that another account could not go on with.
 */
export function affinityOf({ body }: Pick<CallRequest, 'body'>): string | null {
  const { prompt_cache_key: key } = body;
  if (typeof key === 'string' && key !== '') return key;
  const turns = [body['messages'], body['input']].find(Array.isArray) as unknown[] | undefined;
  const isBound = BOUND_STATE.some((field) => body[field] !== undefined && body[field] !== null);
  if (!isBound && !turns?.some(isAnswer)) return null;
  const first = turns ? turns.find((turn) => roleOf(turn) === 'user') : { content: body['input'] };
  const begins = [body['system'], body['instructions'], (first as { content?: unknown } | undefined)?.content].map(textOf).join('\n');
  return begins.trim() === '' ? null : begins;
}

const roleOf = (turn: unknown): unknown => (turn as { role?: unknown } | null)?.role;

const isAnswer = (turn: unknown): boolean => roleOf(turn) === 'assistant' || (turn as { type?: unknown } | null)?.type === 'reasoning';

/** The beginning of a text, or of the first part that has one. */
function textOf(content: unknown): string {
  if (typeof content === 'string') return content.slice(0, MAX_CHARACTERS);
  if (!Array.isArray(content)) return '';
  const part = content.find((one) => typeof (one as { text?: unknown } | null)?.text === 'string') as { text: string } | undefined;
  return part ? part.text.slice(0, MAX_CHARACTERS) : '';
}
