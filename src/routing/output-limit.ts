import type { LimitSource } from '../kernel/plan-sources.js';
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
  from: LimitSource;
}

/**
 * The output tokens a call may make per answer: the least of what the client and its key ask for. When neither says, a default, because a hold
 * needs a bound and the bound must be true. Never more than the model is known to give.
 */
export function outputLimit(requested: number | null, keyLimit: number | null, known: Known): OutputLimit {
  const isDefault = requested === null && keyLimit === null;
  const limits: [LimitSource, number | null][] = [
    ['default', isDefault ? defaultFor(known) : null],
    ['client', requested],
    ['api_key', keyLimit],
    ['model', known.maxOutputTokens],
  ];
  let least: { tokens: number; from: LimitSource } = { tokens: Number.POSITIVE_INFINITY, from: 'default' };
  for (const [from, tokens] of limits) if (tokens !== null && tokens < least.tokens) least = { tokens, from };
  return { ...least, isDefault };
}

/** Half of a small window is left to the prompt. */
const defaultFor = ({ contextWindow }: Known): number =>
  contextWindow === null ? DEFAULT_LIMIT : Math.min(DEFAULT_LIMIT, Math.max(SMALL_LIMIT, Math.floor(contextWindow / 2)));
