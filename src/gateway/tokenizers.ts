import type { TokensOf } from '../dialects/index.js';

/** OpenAI's encodings: the tokenizers that are at hand. */
export type Encoding = 'o200k_harmony' | 'o200k_base' | 'cl100k_base';

/**
 * Models whose own tokenizer is at hand, by how OpenAI names them; what others make of a text, nobody can count here. Facts as of 2026-11, from
 * the vendor's table of encodings (github.com/openai/tiktoken, model.py). Of newer models it is not known.
 */
const ENCODINGS: readonly [RegExp, Encoding][] = [
  [/^gpt-oss/, 'o200k_harmony'],
  [/^(?:chatgpt-4o|gpt-4o|gpt-4\.1|gpt-4\.5|gpt-5(?![.\d])|gpt-5\.[12](?!\d)|o[134](?!\d))/, 'o200k_base'],
  [/^(?:gpt-4(?![.\do])|gpt-3\.5|gpt-35|text-embedding-(?:3|ada-002))/, 'cl100k_base'],
];

/** Before the name, where other clouds and a fine-tuning put something. */
const PREFIX = /^(?:ft:|openai\/|(?:[a-z]+\.)?openai\.)/;

/** The encoding that a model reads text with. Null: not known. */
export function encodingOf(model: string): Encoding | null {
  const name = model.toLowerCase().replace(PREFIX, '');
  return ENCODINGS.find(([pattern]) => pattern.test(name))?.[1] ?? null;
}

/** The tokenizer of a model's family; undefined: it is not at hand. */
export function tokenizerOf({ model, treatedAs }: { model: string; treatedAs: string | undefined }): TokensOf | undefined {
  const encoding = encodingOf(treatedAs ?? model);
  return encoding === null ? undefined : (text) => tokensOf(text, encoding);
}

/** Text that spells a control token is text. */
const ALLOW_ALL = { disallowedSpecial: new Set<string>() };

/** Of a short text only: it may take quadratic time. */
export const tokensOf = (text: string, encoding: Encoding): number => TOKENIZERS[encoding]().countTokens(text, ALLOW_ALL);

type Tokenizer = Pick<typeof import('gpt-tokenizer/encoding/o200k_base'), 'countTokens'>;

/** Loaded when first needed: their tables take memory and a moment. */
const TOKENIZERS: Readonly<Record<Encoding, () => Tokenizer>> = {
  o200k_harmony: () => require('gpt-tokenizer/encoding/o200k_harmony'),
  o200k_base: () => require('gpt-tokenizer/encoding/o200k_base'),
  cl100k_base: () => require('gpt-tokenizer/encoding/cl100k_base'),
};
