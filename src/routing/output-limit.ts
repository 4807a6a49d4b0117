import type { ModelFacts } from '../models/index.js';

/** By their names, models that think at length before they answer; their limit covers both. Facts as of 2026-11. */
const REASONING_MODEL =
  /(^|[/.])(o\d|gpt-([5-9]|oss)|deepseek-r|grok-[4-9]|qwq|magistral|gemini-(2\.5|[3-9])|claude-(fable|mythos|(opus|sonnet|haiku)-[5-9]))/i;

const DEFAULT_LIMIT = 4_096;
const REASONING_LIMIT = 16_384;

type Known = Pick<ModelFacts, 'maxOutputTokens' | 'reasoning'>;

/**
 * The output tokens a call may make per answer: the least of what the client and its key ask for. When neither says, a limit that every
 * model of its kind accepts, because a hold needs a bound and the bound must be true. Never more than the model is known to give.
 */
export function outputLimit(model: string, requested: number | null, keyLimit: number | null, known: Known): number {
  const limits = [requested, keyLimit].filter((limit) => limit !== null);
  if (limits.length === 0) limits.push((known.reasoning ?? REASONING_MODEL.test(model)) ? REASONING_LIMIT : DEFAULT_LIMIT);
  if (known.maxOutputTokens !== null) limits.push(known.maxOutputTokens);
  return Math.min(...limits);
}
