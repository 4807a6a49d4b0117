import { type Effort, rulesOf } from '../../model-rules/index.js';
import type { Thinking, ThinkingLevel } from '../canonical.js';
import { effortFor } from '../families/openai.js';
import { levelOf as wishedLevel } from '../kit/thinking-budget.js';

/** The effort to send; null: none. @param asked the client's own wish, which beats the caller's settings. */
export function effortToSend(asked: Thinking | null, setting: ThinkingLevel | null, model: string): Effort | null {
  const level = asked ? (wishedLevel(asked) ?? levelOfOn(model)) : setting;
  return level && effortFor(level, model, 'responses');
}

/** On, without a word on how much: nothing needs to be said where the model reasons by itself. */
const levelOfOn = (model: string): ThinkingLevel | null => (rulesOf(model).openai.reasons ? null : 'medium');
