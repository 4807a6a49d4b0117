import type { ModelFacts } from '../model-rules/index.js';

/** What a call may make when neither its client nor its key says: enough for a long file and the thinking before it. */
const DEFAULT_LIMIT = 32_768;
/** What nearly every model accepts, and what a default is not lowered below. */
export const SMALL_LIMIT = 4_096;

type Known = Pick<ModelFacts, 'maxOutputTokens' | 'contextWindow'>;

export interface OutputLimit {
  tokens: number;
  /** Nobody asked for it: it may be lowered to what a budget can bear. */
  isDefault: boolean;
}

/**
 * The output tokens a call may make per answer: the least of what the client and its key ask for. When neither says, a default, because a hold
 * needs a bound and the bound must be true. Never more than the model is known to give.
 */
export function outputLimit(requested: number | null, keyLimit: number | null, known: Known): OutputLimit {
  const limits = [requested, keyLimit].filter((limit) => limit !== null);
  const isDefault = limits.length === 0;
  if (isDefault) limits.push(defaultFor(known));
  if (known.maxOutputTokens !== null) limits.push(known.maxOutputTokens);
  return { tokens: Math.min(...limits), isDefault };
}

/** Half of a small window is left to the prompt. */
const defaultFor = ({ contextWindow }: Known): number =>
  contextWindow === null ? DEFAULT_LIMIT : Math.min(DEFAULT_LIMIT, Math.max(SMALL_LIMIT, Math.floor(contextWindow / 2)));
