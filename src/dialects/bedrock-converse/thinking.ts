import { type BedrockModel, rulesOf } from '../../model-rules/index.js';
import type { Thinking, ThinkingLevel } from '../canonical.js';
import { samplingAllowed as claudeSampling, claudeThinking, forcedToolAllowed, levelOfBudget } from '../families/claude.js';
import { samplingAllowed } from '../families/openai.js';
import { textOf } from '../kit/json.js';
import { thinkingLeftOut } from '../kit/left-out.js';
import type { Block } from './blocks.js';

/** How a request asks for thinking, and what that leaves room for. */
export interface RenderedThinking {
  /** In `additionalModelRequestFields`. */
  fields: Block;
  /** What was applied; null: nothing was asked for, or the model has none. */
  level: ThinkingLevel | null;
  /** Which of `temperature`, `top_p` and `top_k` the model takes beside it; `one`: not `top_p` beside `temperature`. */
  sampling: 'all' | 'one' | 'none';
  /** A tool choice may force a call beside it. */
  mayForce: boolean;
  warnings: string[];
}

type Fields = Pick<RenderedThinking, 'fields' | 'level' | 'warnings'>;

const NOTHING: Fields = { fields: {}, level: null, warnings: [] };

/** @param asked the client's own words, which beat the caller's `setting`. */
export function renderThinking(
  model: BedrockModel,
  asked: Thinking | null,
  setting: ThinkingLevel | null,
  maxOutputTokens: number,
): RenderedThinking {
  const { vendor, name, rules } = model;
  if (rules.thinking === 'claude') return ofClaude(name, asked, setting, maxOutputTokens);
  const rendered = ofOthers(rules.thinking, asked, asked ? levelAsked(asked) : setting);
  const effort = textOf(rendered.fields['reasoning_effort']);
  return { ...rendered, sampling: vendor === 'openai' && !samplingAllowed(name, effort) ? 'none' : 'all', mayForce: true };
}

const levelAsked = ({ level, budgetTokens }: Thinking): ThinkingLevel | null =>
  level ?? (budgetTokens === null ? null : levelOfBudget(budgetTokens));

type Way = 'effort' | 'nova' | 'qwen';

function ofOthers(way: Way | null, asked: Thinking | null, level: ThinkingLevel | null): Fields {
  if (level === null || way === null) return { ...NOTHING, warnings: thinkingLeftOut(asked) };
  if (level !== 'off') return byEffort(way, effortOf(level));
  if (way === 'nova') return { ...NOTHING, fields: { reasoningConfig: { type: 'disabled' } }, level };
  return { ...NOTHING, warnings: ['Thinking cannot be turned off for this model; it was left as it is.'] };
}

function byEffort(way: Way, effort: 'low' | 'medium' | 'high'): Fields {
  switch (way) {
    case 'effort':
      return { ...NOTHING, fields: { reasoning_effort: effort }, level: effort };
    case 'qwen': {
      const known = effort === 'low' ? 'low' : 'high';
      return { ...NOTHING, fields: { reasoning_config: known }, level: known };
    }
    case 'nova': {
      // The highest effort is refused beside an output limit, and there always is one.
      const known = effort === 'high' ? 'medium' : effort;
      const warnings = known === effort ? [] : ['The highest thinking effort of this model allows no output limit, so "medium" was sent.'];
      return { fields: { reasoningConfig: { type: 'enabled', maxReasoningEffort: known } }, level: known, warnings };
    }
  }
}

function ofClaude(name: string, asked: Thinking | null, setting: ThinkingLevel | null, maxOutputTokens: number): RenderedThinking {
  const family = rulesOf(name).claude;
  const applied = claudeThinking(family, asked, setting, maxOutputTokens);
  const fields: Block = {};
  if (applied.thinking) fields['thinking'] = applied.thinking;
  if (applied.effort) fields['output_config'] = { effort: applied.effort };
  return {
    fields,
    level: applied.level,
    sampling: claudeSampling(family, applied),
    mayForce: forcedToolAllowed(family, applied),
    warnings: applied.warnings,
  };
}

function effortOf(level: Exclude<ThinkingLevel, 'off'>): 'low' | 'medium' | 'high' {
  if (level === 'minimal' || level === 'low') return 'low';
  return level === 'medium' ? 'medium' : 'high';
}
