import { ON_BEDROCK } from './bedrock.js';
import { BY_WORK } from './by-work.js';
import { CLAUDE_MODELS } from './claude.js';
import { GEMINI_MODELS } from './gemini.js';
import { OPEN_MODELS } from './open-models.js';
import { OPENAI_MODELS } from './openai.js';
import type { Row } from './row.js';

/** All that is known of models, by family. The first row that says something of a thing counts. */
export const TABLE: readonly Row[] = [...BY_WORK, ...OPENAI_MODELS, ...CLAUDE_MODELS, ...GEMINI_MODELS, ...OPEN_MODELS, ...ON_BEDROCK];
