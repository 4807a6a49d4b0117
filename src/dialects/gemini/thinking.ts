import type { GeminiThinking } from '../../model-rules/index.js';
import { THINKING_LEVELS, type Thinking, type ThinkingLevel } from '../canonical.js';

/** Gemini's `thinkingConfig`, and the level it stands for. */
export interface ThinkingConfig {
  config: Record<string, unknown> | null;
  /** Null: nothing was applied. */
  level: ThinkingLevel | null;
}

const BUDGETS: Record<ThinkingLevel, number> = {
  off: 0,
  minimal: 128,
  low: 2048,
  medium: 8192,
  high: 24_576,
  xhigh: 32_768,
  max: 32_768,
};

/** The model decides. */
const DYNAMIC_BUDGET = -1;

const NOTHING: ThinkingConfig = { config: null, level: null };

/** How a request for thinking is told to a model that takes it as its family does. */
export function thinkingConfig(asked: Thinking | null, model: GeminiThinking): ThinkingConfig {
  if (asked === null || model.by === 'none') return NOTHING;
  const { config, level } = model.by === 'level' ? byLevel(asked, model.levels) : byBudget(asked, model);
  // Thoughts are told only when asked for, and whoever asks for thinking may read it.
  const shown = asked.show ?? (asked.level !== 'off' && level !== 'off');
  const whole = shown ? { ...config, includeThoughts: true } : config;
  return { config: Object.keys(whole).length > 0 ? whole : null, level };
}

interface Applied {
  config: Record<string, unknown>;
  level: ThinkingLevel | null;
}

function byLevel({ level, budgetTokens }: Thinking, levels: readonly ThinkingLevel[]): Applied {
  const wanted = level ?? (budgetTokens === null ? null : levelOf(budgetTokens));
  if (wanted === null) return { config: {}, level: null };
  const applied = levels.find((one) => rank(one) >= rank(wanted)) ?? levels.at(-1)!;
  return { config: { thinkingLevel: applied.toUpperCase() }, level: applied };
}

function byBudget({ level, budgetTokens }: Thinking, { min, max, off }: Extract<GeminiThinking, { by: 'budget' }>): Applied {
  if (level === null && budgetTokens === null) return { config: { thinkingBudget: DYNAMIC_BUDGET }, level: null };
  const wanted = budgetTokens ?? BUDGETS[level!];
  const budget = wanted === 0 && off ? 0 : Math.min(Math.max(wanted, min), max);
  return { config: { thinkingBudget: budget }, level: levelOf(budget) };
}

const rank = (level: ThinkingLevel): number => THINKING_LEVELS.indexOf(level);

/** The lowest level that thinks as much; `max` is only another word for the highest. */
function levelOf(budget: number): ThinkingLevel {
  return THINKING_LEVELS.find((level) => BUDGETS[level] >= budget) ?? 'xhigh';
}
