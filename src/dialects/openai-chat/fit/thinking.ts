import { rulesOf } from '../../../model-rules/index.js';
import type { Thinking, ThinkingLevel } from '../../canonical.js';
import { rulesId, type UpstreamParams } from '../../dialect.js';
import { effortFor, levelOf as levelOfEffort } from '../../families/openai.js';
import type { JsonObject } from '../../kit/json.js';
import { showLeftOut, THINKING_LEFT_OUT, thinkingLeftOut } from '../../kit/left-out.js';
import { levelOf } from '../../kit/thinking-budget.js';

interface Asked {
  fields: JsonObject;
  level: ThinkingLevel | null;
}

const NOTHING: Asked = { fields: {}, level: null };

/** The fields by which a provider is asked for thinking. Facts as of November 2026. */
export function thinkingFields(thinking: Thinking, rewrite: UpstreamParams): Asked {
  const model = rulesId(rewrite);
  const level = levelOf(thinking);
  switch (rewrite.quirks.thinking ?? 'effort') {
    case 'none':
      return NOTHING;
    case 'effort': {
      const effort = level && effortFor(level, model, 'chat');
      return effort ? { fields: { reasoning_effort: effort }, level: levelOfEffort(effort) } : NOTHING;
    }
    case 'deepseek':
      return deepseek(level);
    case 'openrouter':
      return openrouter(thinking, level);
    case 'groq':
      return groq(level, model);
  }
}

/** What of the client's own wish cannot be asked for, a sentence each. */
export function thinkingUnsaid(thinking: Thinking | null, rewrite: UpstreamParams): string[] {
  if (thinking === null) return [];
  // Whether its models think, and how much, nobody can tell.
  if (rewrite.quirks.thinking === 'none') return [THINKING_LEFT_OUT];
  const model = rulesId(rewrite);
  const { fields } = thinkingFields(thinking, rewrite);
  // On is what it is anyway.
  const said = Object.keys(fields).length > 0 || (levelOf(thinking) === null && rulesOf(model).openai.reasons);
  if (!said) return thinkingLeftOut(thinking);
  return rewrite.quirks.thinking === 'openrouter' ? [] : showLeftOut(thinking, rulesOf(model).vendor !== 'openai');
}

/** Two efforts, and a switch. */
function deepseek(level: ThinkingLevel | null): Asked {
  if (level === 'off') return { fields: { thinking: { type: 'disabled' } }, level };
  const on = { thinking: { type: 'enabled' } };
  if (level === null) return { fields: on, level: null };
  const most = level === 'xhigh' || level === 'max';
  return { fields: { ...on, reasoning_effort: most ? 'max' : 'high' }, level: most ? 'max' : 'high' };
}

/** It maps what it is given to whatever the model behind it takes. */
function openrouter({ budgetTokens, show }: Thinking, level: ThinkingLevel | null): Asked {
  const hide = show === false ? { exclude: true } : {};
  if (level === 'off') return { fields: { reasoning: { enabled: false } }, level };
  if (budgetTokens !== null) return { fields: { reasoning: { max_tokens: budgetTokens, ...hide } }, level };
  if (level === null) return { fields: { reasoning: { enabled: true, ...hide } }, level: null };
  const effort = level === 'max' ? 'xhigh' : level;
  return { fields: { reasoning: { effort, ...hide } }, level: effort };
}

/** gpt-oss knows three efforts and cannot be off; Qwen can be on or off. What else it serves takes no such field. */
function groq(level: ThinkingLevel | null, model: string): Asked {
  if (level === null) return NOTHING;
  const { onGroq } = rulesOf(model).open;
  if (onGroq === 'format') {
    const off = level === 'off';
    // Without this it writes its thinking into the text.
    return {
      fields: { reasoning_effort: off ? 'none' : 'default', ...(!off && { reasoning_format: 'parsed' }) },
      level: off ? 'off' : null,
    };
  }
  if (onGroq === null) return NOTHING;
  const effort = level === 'medium' ? 'medium' : level === 'off' || level === 'minimal' || level === 'low' ? 'low' : 'high';
  return { fields: { reasoning_effort: effort }, level: effort };
}
