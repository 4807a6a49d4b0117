import { memoize } from '../kernel/memoize.js';
import { type BedrockName, readBedrock, readName } from './name.js';
import { rulesIn } from './row.js';
import { type BedrockRules, type ModelRules, UNKNOWN } from './rules.js';
import { TABLE } from './table.js';

export type { MediaRule } from './media.js';
export { vendorsName } from './name.js';
export {
  type BedrockRules,
  type ClaudeRules,
  EFFORTS,
  type Effort,
  type Encoding,
  type GeminiRules,
  type GeminiThinking,
  type ModelFacts,
  type ModelRules,
  type OpenAiRules,
  UNKNOWN_FACTS,
} from './rules.js';

/** What is known of a model, by its id in any of the forms that providers give it. The same object for the same id. */
export const rulesOf: (model: string) => ModelRules = memoize((model) => rulesIn(TABLE, readName(model), UNKNOWN));

export interface BedrockModel extends BedrockName {
  rules: BedrockRules;
}

/** A model by its id on Bedrock. */
export const bedrockModel: (id: string) => BedrockModel = memoize((id) => ({ ...readBedrock(id), rules: rulesOf(id).bedrock }));
