import { rulesOf } from '../../model-rules/index.js';
import type { Thinking, ThinkingLevel } from '../canonical.js';
import { showLeftOut, thinkingLeftOut } from '../kit/left-out.js';

export interface RenderedThinking {
  /** The field `think`; null: it is not sent. */
  think: boolean | 'low' | 'medium' | 'high' | null;
  /** What was applied; null: nothing was asked for, or the model has none. */
  level: ThinkingLevel | null;
  warnings: string[];
}

const NOTHING: RenderedThinking = { think: null, level: null, warnings: [] };

/** @param asked the client's own words, which beat the caller's `setting`. */
export function renderThinking(model: string, asked: Thinking | null, setting: ThinkingLevel | null): RenderedThinking {
  const level = asked ? (asked.level ?? 'medium') : setting;
  // Ollama refuses to be asked for thinking by a model that has none.
  const { thinking } = rulesOf(model).open;
  if (thinking === 'none') return { ...NOTHING, warnings: thinkingLeftOut(asked) };
  if (level === null) return NOTHING;
  const warnings = showLeftOut(asked, true);
  if (thinking === 'switch') return { think: level !== 'off', level, warnings };
  if (level === 'off')
    return { think: 'low', level: 'low', warnings: [...warnings, 'This model always thinks; its thinking was set as low as it goes.'] };
  const effort = level === 'minimal' || level === 'low' ? 'low' : level === 'medium' ? 'medium' : 'high';
  return { think: effort, level: effort, warnings };
}
