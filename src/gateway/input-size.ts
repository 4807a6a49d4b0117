import { type CallRequest, continuesThread, METERED_BYTES_PER_TOKEN, type MediaSize, mediaSize } from '../dialects/index.js';
import { inSlices } from '../kernel/slices.js';
import type { Fees } from '../kernel/usage.js';
import type { Target } from '../routing/index.js';

/** How large the input of a call is, as far as can be told before it is sent. */
export interface InputSize {
  /** Bytes of the request, without those of pictures and the like. No tokenizer makes more tokens of them: a token is at least one byte. */
  textBytes: number;
  /** The most tokens that all else is billed as. */
  mediaTokens: number;
  /** There is sound or film in it. */
  heard: boolean;
}

/** The most input tokens there can be. */
export const boundOf = ({ textBytes, mediaTokens }: InputSize): number => textBytes + mediaTokens;

/** A fair guess at the input tokens; never above the bound. @param added the most that a provider adds to the request. */
export const guessOf = ({ textBytes, mediaTokens }: InputSize, added = 0): number =>
  Math.ceil((textBytes + added) / METERED_BYTES_PER_TOKEN) + mediaTokens;

/** Measures a request by the rules of the model that it is for. A promise where it takes longer, as large documents do. */
export function inputSize(
  prompt: CallRequest,
  { model, modelRulesOf, facts }: Pick<Target, 'model' | 'modelRulesOf' | 'facts'>,
): InputSize | Promise<InputSize> {
  const measured = inSlices(mediaSize(prompt.body, modelRulesOf ?? model, facts.contextWindow));
  return 'then' in measured ? measured.then((size) => sizeOf(prompt, size)) : sizeOf(prompt, measured);
}

const sizeOf = ({ inputTokensBound }: CallRequest, { bytes, tokens, heard }: MediaSize): InputSize => ({
  textBytes: Math.max(0, inputTokensBound - bytes),
  mediaTokens: tokens,
  heard,
});

/** Of models whose context window is not known: the largest of the models that threads are for. */
const LARGEST_WINDOW = 1_000_000;

/** The most input tokens of a request whose conversation lies with the provider: as many as the model reads. 0: all of it is in the request. */
export const storedBound = ({ body }: CallRequest, { facts }: Pick<Target, 'facts'>): number =>
  continuesThread(body) ? (facts.contextWindow ?? LARGEST_WINDOW) : 0;

/**
 * The most input tokens that a call reads beyond its prompt because its provider searches, in the web or in files; one limit is for both: after each search the model reads all of it again, with
 * what was found. A beta may make its window larger than is known.
 */
export const searchedBound = (
  { betas }: Pick<CallRequest, 'betas'>,
  { facts }: Pick<Target, 'facts'>,
  { webSearch = 0, fileSearch = 0 }: Fees,
): number => {
  const window = facts.contextWindow ?? LARGEST_WINDOW;
  return Math.max(webSearch, fileSearch) * (betas.some((beta) => beta.startsWith('context-')) ? Math.max(window, LARGEST_WINDOW) : window);
};
