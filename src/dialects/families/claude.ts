import type { Thinking, ThinkingLevel } from '../canonical.js';
import { thinkingLeftOut } from '../kit/left-out.js';
import { table } from '../kit/table.js';

/** What the models of one family accept. As of 2026-11-12, by the vendor's documentation and by refusals seen on the wire. */
export interface ClaudeFamily {
  /** `opus-5-5`, `haiku-3`; null: a model that is not known, or none of Claude's. */
  readonly name: string | null;
  /** False: another vendor's model behind Anthropic's format. */
  readonly claude: boolean;
  readonly maxOutputTokens: number;
  /** `adaptive`: the model decides, steered by an effort. `budget`: a number of tokens. */
  readonly thinking: 'adaptive' | 'adaptive-or-budget' | 'budget' | 'none';
  /** The least thinking there is; null: it cannot be turned down but by its effort. */
  readonly thinkingOff: 'disabled' | 'between_tools' | null;
  /** It thinks when nothing is said. */
  readonly thinksByDefault: boolean;
  /** The effort `xhigh` is known; if not, the next one is `max`. */
  readonly xhigh: boolean;
  /** `temperature`, `top_p` and `top_k` are accepted; `one`: not `top_p` beside `temperature`. */
  readonly sampling: 'all' | 'one' | 'none';
  /** `tool_choice` may force a call. */
  readonly forcedTool: boolean;
  /** `output_config.format` with a JSON schema, and strict tools. */
  readonly nativeSchema: boolean;
  /** A system message may stand further down in the conversation. */
  readonly inlineSystem: boolean;
}

const NEWEST: ClaudeFamily = {
  name: null,
  claude: true,
  maxOutputTokens: 128_000,
  thinking: 'adaptive',
  thinkingOff: null,
  thinksByDefault: true,
  xhigh: true,
  sampling: 'none',
  forcedTool: false,
  nativeSchema: true,
  inlineSystem: false,
};

const FIFTH: Omit<ClaudeFamily, 'name'> = { ...NEWEST, thinkingOff: 'disabled', forcedTool: true };
const LATE_FOURTH: Omit<ClaudeFamily, 'name'> = { ...FIFTH, thinksByDefault: false };
const EITHER: Omit<ClaudeFamily, 'name'> = { ...LATE_FOURTH, thinking: 'adaptive-or-budget', xhigh: false, sampling: 'one' };
const BUDGETED: Omit<ClaudeFamily, 'name'> = { ...EITHER, thinking: 'budget', maxOutputTokens: 64_000 };
const EARLY_FOURTH: Omit<ClaudeFamily, 'name'> = { ...BUDGETED, nativeSchema: false };
const THIRD: Omit<ClaudeFamily, 'name'> = {
  ...EARLY_FOURTH,
  thinking: 'none',
  thinkingOff: null,
  maxOutputTokens: 4096,
  sampling: 'all',
};

const FAMILIES = table<Omit<ClaudeFamily, 'name'>>({
  'opus-5-5': { ...NEWEST, inlineSystem: true },
  'sonnet-5-5': { ...NEWEST, thinkingOff: 'between_tools', inlineSystem: true },
  // Forced calls: the vendor's list of breaks leaves it out, resellers say they are gone.
  'haiku-5-5': { ...NEWEST, thinkingOff: 'disabled', inlineSystem: true },
  'fable-5-1': { ...NEWEST, inlineSystem: true },
  'fable-5': { ...NEWEST, inlineSystem: true },
  'mythos-5': { ...NEWEST, inlineSystem: true },
  'opus-5': { ...FIFTH, inlineSystem: true },
  // It answers a system message further down with 200 and does not obey it.
  'sonnet-5': FIFTH,
  'opus-4-8': { ...LATE_FOURTH, inlineSystem: true },
  'opus-4-7': LATE_FOURTH,
  'opus-4-6': EITHER,
  'sonnet-4-6': EITHER,
  'opus-4-5': BUDGETED,
  'sonnet-4-5': BUDGETED,
  'haiku-4-5': BUDGETED,
  'opus-4-1': { ...BUDGETED, maxOutputTokens: 32_000 },
  'opus-4': { ...EARLY_FOURTH, maxOutputTokens: 32_000 },
  'sonnet-4': EARLY_FOURTH,
  'sonnet-3-7': { ...EARLY_FOURTH, sampling: 'all' },
  'sonnet-3-5': { ...THIRD, maxOutputTokens: 8192 },
  'haiku-3-5': { ...THIRD, maxOutputTokens: 8192 },
  'opus-3': THIRD,
  'sonnet-3': THIRD,
  'haiku-3': THIRD,
});

/** Other vendors' models behind Anthropic's format: they took it over as it was with the fourth generation. */
const FOREIGN: Omit<ClaudeFamily, 'name'> = { ...EARLY_FOURTH, claude: false, sampling: 'all' };

/** The rules for a model id in any of the forms that providers give it. A Claude that is not known counts as the newest. */
export function claudeFamily(modelId: string): ClaudeFamily {
  const words = modelId.toLowerCase().split(/[-._@:/]+/);
  const at = words.lastIndexOf('claude');
  if (at === -1) return { ...FOREIGN, name: null };
  const name = familyName(words.slice(at + 1));
  const known = FAMILIES[name];
  if (known) return { ...known, name };
  return /^(?:2|instant|1)\b/.test(words[at + 1] ?? '') ? { ...THIRD, name: null } : NEWEST;
}

/** `opus-5-5` of `opus-5-5-20260922-v1`, `haiku-3-5` of `3-5-haiku-latest`: six digits and more are a date, `v1` a version of the wrapping. */
function familyName(words: readonly string[]): string {
  const end = words.findIndex((word) => /^(?:\d{6,}|v\d+)$/.test(word));
  const meant = end === -1 ? words : words.slice(0, end);
  const line = meant.find((word) => /^[a-z]+$/.test(word)) ?? '';
  const version = meant.filter((word) => /^\d{1,2}$/.test(word)).slice(0, 2);
  // `claude-sonnet-4-0` is an alias of `claude-sonnet-4`.
  return [line, ...(version[1] === '0' ? version.slice(0, 1) : version)].join('-');
}

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

const LEAST_BUDGET = 1024;
const BUDGETS = { minimal: 1024, low: 2048, medium: 10_000, high: 16_384, xhigh: 32_768, max: 32_768 } as const;

/** @param asked the client's own words, which beat the caller's settings. */
export function claudeThinking(
  family: ClaudeFamily,
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

function leastThinking({ thinkingOff }: ClaudeFamily): ClaudeThinking {
  if (thinkingOff === 'disabled') return { ...NOTHING, thinking: { type: 'disabled' }, level: 'off' };
  const warnings = ['This model always thinks; its thinking was set as low as it goes.'];
  if (thinkingOff === 'between_tools') return { ...NOTHING, thinking: { type: 'between_tools' }, level: 'minimal', warnings };
  return { ...NOTHING, thinking: { type: 'adaptive', display: 'omitted' }, effort: 'low', level: 'low', warnings };
}

/** Part of the output limit, which has to hold the answer too. */
function budgetedThinking({ level, budgetTokens, show }: Thinking, maxOutputTokens: number): ClaudeThinking {
  if (maxOutputTokens <= LEAST_BUDGET) {
    const warning = `Thinking was left out: it takes ${LEAST_BUDGET} tokens at least, and the output limit is ${maxOutputTokens}.`;
    return { ...NOTHING, level: 'off', warnings: [warning] };
  }
  const meant = budgetTokens ?? BUDGETS[level === null || level === 'off' ? 'medium' : level];
  // A budget the client chose is its own affair; ours leaves a fifth of the limit for the answer.
  const most = budgetTokens === null ? Math.floor(maxOutputTokens * 0.8) : maxOutputTokens - 1;
  const budget = Math.max(LEAST_BUDGET, Math.min(meant, most));
  const warnings = budget === meant ? [] : [`The thinking budget was set to ${budget} tokens to fit the output limit.`];
  const thinking = { type: 'enabled', budget_tokens: budget, ...(show === false && { display: 'omitted' }) };
  return { ...NOTHING, thinking, level: level ?? levelOfBudget(budget), warnings };
}

function effortOf({ xhigh }: ClaudeFamily, level: Exclude<ThinkingLevel, 'off'>) {
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
export const forcedToolAllowed = (family: ClaudeFamily, { thinking }: ClaudeThinking): boolean =>
  family.forcedTool && thinking?.['type'] !== 'enabled';

/** Which sampling parameters may be sent beside this thinking. */
export const samplingAllowed = (family: ClaudeFamily, { thinking }: ClaudeThinking): ClaudeFamily['sampling'] =>
  thinking === null || thinking['type'] === 'disabled' ? family.sampling : 'none';
