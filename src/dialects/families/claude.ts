import type { ClaudeRules } from '../../model-rules/index.js';
import type { Thinking, ThinkingLevel } from '../canonical.js';
import { thinkingLeftOut } from '../kit/left-out.js';

/** What to send so that a model thinks as much as is asked for. */
export interface ClaudeThinking {
  /** Null: nothing. */
  thinking: Record<string, unknown> | null;
  effort: string | null;
  /** What was applied; null: nothing was asked for, or the model has none. */
  level: ThinkingLevel | null;
  warnings: string[];
}

const NOTHING: ClaudeThinking = { thinking: null, effort: null, level: null, warnings: [] };

const MIN_BUDGET = 1024;
const BUDGETS = { minimal: 1024, low: 2048, medium: 10_000, high: 16_384, xhigh: 32_768, max: 32_768 } as const;

/** @param asked the client's own words, which beat the caller's settings. */
export function claudeThinking(
  family: ClaudeRules,
  asked: Thinking | null,
  setting: ThinkingLevel | null,
  maxOutputTokens: number,
): ClaudeThinking {
  const wanted = asked ?? (setting === null ? null : { level: setting, budgetTokens: null, show: null });
  if (family.thinking === 'none') return { ...NOTHING, warnings: thinkingLeftOut(asked) };
  if (wanted === null) return NOTHING;
  if (wanted.level === 'off') return leastThinking(family);
  // The reply is billed for its thinking whether shown or not, and an unseen one leaves clients silent for minutes.
  const display = wanted.show === false ? 'omitted' : 'summarized';
  if (family.thinking === 'budget' || (family.thinking === 'adaptive-or-budget' && wanted.budgetTokens !== null))
    return budgetedThinking(wanted, maxOutputTokens);
  const level = wanted.level ?? (wanted.budgetTokens === null ? null : levelOfBudget(wanted.budgetTokens));
  const effort = level && effortOf(family, level);
  return { ...NOTHING, thinking: { type: 'adaptive', display }, effort, level: effort };
}

function leastThinking({ thinkingOff }: ClaudeRules): ClaudeThinking {
  if (thinkingOff === 'disabled') return { ...NOTHING, thinking: { type: 'disabled' }, level: 'off' };
  const warnings = ['This model always thinks; its thinking was set as low as it goes.'];
  if (thinkingOff === 'between_tools') return { ...NOTHING, thinking: { type: 'between_tools' }, level: 'minimal', warnings };
  return { ...NOTHING, thinking: { type: 'adaptive', display: 'omitted' }, effort: 'low', level: 'low', warnings };
}

/** Part of the output limit, which has to hold the answer too. */
function budgetedThinking({ level, budgetTokens, show }: Thinking, maxOutputTokens: number): ClaudeThinking {
  if (maxOutputTokens <= MIN_BUDGET) {
    const warning = `Thinking was left out: it takes ${MIN_BUDGET} tokens at least, and the output limit is ${maxOutputTokens}.`;
    return { ...NOTHING, level: 'off', warnings: [warning] };
  }
  const meant = budgetTokens ?? BUDGETS[level === null || level === 'off' ? 'medium' : level];
  // A budget the client chose is its own affair; ours leaves a fifth of the limit for the answer.
  const most = budgetTokens === null ? Math.floor(maxOutputTokens * 0.8) : maxOutputTokens - 1;
  const budget = Math.max(MIN_BUDGET, Math.min(meant, most));
  const warnings = budget === meant ? [] : [`The thinking budget was set to ${budget} tokens to fit the output limit.`];
  const thinking = { type: 'enabled', budget_tokens: budget, ...(show === false && { display: 'omitted' }) };
  return { ...NOTHING, thinking, level: level ?? levelOfBudget(budget), warnings };
}

function effortOf({ xhigh }: ClaudeRules, level: Exclude<ThinkingLevel, 'off'>) {
  if (level === 'minimal') return 'low';
  return level === 'xhigh' && !xhigh ? 'max' : level;
}

/** The level a budget comes nearest to from below. */
export function levelOfBudget(tokens: number): Exclude<ThinkingLevel, 'off'> {
  if (tokens < BUDGETS.low) return 'minimal';
  if (tokens < BUDGETS.medium) return 'low';
  if (tokens < BUDGETS.high) return 'medium';
  return tokens < BUDGETS.xhigh ? 'high' : 'xhigh';
}

/** Whether `tool_choice` may force a call beside this thinking: a budget and a forced call refuse each other. */
export const forcedToolAllowed = (family: ClaudeRules, { thinking }: ClaudeThinking): boolean =>
  family.forcedTool && thinking?.['type'] !== 'enabled';

/** Which sampling parameters may be sent beside this thinking. */
export const samplingAllowed = (family: ClaudeRules, { thinking }: ClaudeThinking): ClaudeRules['sampling'] =>
  thinking === null || thinking['type'] === 'disabled' ? family.sampling : 'none';
