import type { ModelFacts } from '../model-rules/index.js';

/** What a request needs of a model, as far as its body says so in whichever format of a client's. */
export interface Needs {
  images: boolean;
  tools: boolean;
  /** Characters of text. */
  text: number;
}

type Body = Readonly<Record<string, unknown>>;

export function needsOf(body: Body): Needs {
  const needs = { images: false, tools: isFilled(body['tools']) || isFilled(body['functions']), text: 0 };
  for (const part of partsOf(body)) {
    if (IMAGES.has(part['type'])) needs.images = true;
    if (typeof part['text'] === 'string') needs.text += part['text'].length;
  }
  return needs;
}

/** As the formats of clients name them. */
export const IMAGES: ReadonlySet<unknown> = new Set<unknown>(['image_url', 'input_image', 'image']);

/** Why a model cannot serve a request at all; null: nothing is known that keeps it from it. */
export const cannot = (facts: ModelFacts, needs: Needs): string | null =>
  needs.images && facts.vision === false ? 'takes no images' : null;

/** Text of any kind has fewer characters than this to a token. */
const MAX_CHARACTERS_PER_TOKEN = 6;

/** Why a model serves a request less well than one should; null: it serves it well. Where no other is left, it is taken all the same. */
export function servesWorse(facts: ModelFacts, needs: Needs, maxOutputTokens: number | null): string | null {
  const { contextWindow, maxOutputTokens: most } = facts;
  if (needs.tools && facts.tools === false) return 'cannot call tools natively';
  if (contextWindow !== null && needs.text > contextWindow * MAX_CHARACTERS_PER_TOKEN)
    return `has a context window of ${contextWindow} tokens, which is too small`;
  if (most !== null && maxOutputTokens !== null && maxOutputTokens > most) return `gives at most ${most} tokens per answer`;
  return null;
}

export type Part = Record<string, unknown>;

/** Texts, images and all else that a request's messages hold, in whichever format of a client's. */
export function* partsOf(body: Body): Iterable<Part> {
  yield* partsIn(body['system'] ?? body['instructions']);
  const messages = body['messages'] ?? body['input'] ?? body['prompt'];
  if (typeof messages === 'string') yield { type: 'text', text: messages };
  if (!Array.isArray(messages)) return;
  for (const message of messages) if (isPart(message)) yield* partsIn(message['content'] ?? message['output']);
}

/** Of a message's content. The result of a tool has content of its own. */
function* partsIn(content: unknown): Iterable<Part> {
  if (typeof content === 'string') yield { type: 'text', text: content };
  if (!Array.isArray(content)) return;
  for (const part of content) {
    if (!isPart(part)) continue;
    yield part;
    if (part['type'] !== 'tool_result') continue;
    const inner = part['content'];
    if (typeof inner === 'string') yield { type: 'text', text: inner };
    else if (Array.isArray(inner)) yield* inner.filter(isPart);
  }
}

const isFilled = (value: unknown): boolean => Array.isArray(value) && value.length > 0;
const isPart = (value: unknown): value is Part => typeof value === 'object' && value !== null;
