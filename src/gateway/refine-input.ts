import type { Prompt } from '../dialects/index.js';

/** Longer texts keep their bound by bytes: counting must not hold up other calls. */
const MAX_CHARACTERS = 100_000;
/** Counted piece by piece, because a tokenizer may take quadratic time over a long run of one character. A cut only adds tokens. */
const PIECE = 2_000;
/** Other vendors' tokenizers make more tokens of the same text than the one counted with. */
const MARGIN = 1.5;

/**
 * A tighter bound on a prompt's input tokens than its bytes, for a call that would otherwise be refused: counted over the whole request, its
 * JSON included, which stands for what a provider's own format adds. Takes milliseconds.
 */
export function refinedInputTokens(prompt: Prompt): number {
  const tokens = countedTokens(prompt);
  return tokens === null ? prompt.inputTokensBound : Math.min(prompt.inputTokensBound, Math.ceil(tokens * MARGIN));
}

/** Tokens of the whole request by one tokenizer; null: it is too long to count. */
export function countedTokens({ body }: Prompt): number | null {
  const text = JSON.stringify(body);
  if (text.length > MAX_CHARACTERS) return null;
  let tokens = 0;
  for (let at = 0; at < text.length; at += PIECE) tokens += tokensOf(text.slice(at, at + PIECE));
  return tokens;
}

/** Text that spells a control token is text. */
const ALLOW_ALL = { disallowedSpecial: new Set<string>() };

/** By the tokenizer of OpenAI's later models. Of a short text only: it may take quadratic time. */
export const tokensOf = (text: string): number => tokenizer().countTokens(text, ALLOW_ALL);

/** Loaded when first needed: its tables take memory and a moment. */
const tokenizer = (): typeof import('gpt-tokenizer/encoding/o200k_base') => require('gpt-tokenizer/encoding/o200k_base');
