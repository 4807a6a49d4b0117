import type { Thinking, ThinkingLevel } from '../canonical.js';

/** Budgets in tokens that count as no more than a level. */
const LEVELS: readonly [number, ThinkingLevel][] = [
  [1_024, 'minimal'],
  [4_096, 'low'],
  [12_000, 'medium'],
  [24_576, 'high'],
];

/** The level that a wish comes down to, where only levels are known. Null: on, and the provider decides how much. */
export function levelOf({ level, budgetTokens }: Thinking): ThinkingLevel | null {
  if (level !== null || budgetTokens === null) return level;
  return LEVELS.find(([most]) => budgetTokens <= most)?.[1] ?? 'xhigh';
}
