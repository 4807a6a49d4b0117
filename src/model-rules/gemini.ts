import type { ThinkingLevel } from '../kernel/thinking.js';
import { geminiTiles, type MediaRule, UNKNOWN_MEDIA } from './media.js';
import { bare, gemini, like, type Row, readAt } from './row.js';
import { type GeminiRules, type GeminiThinking, type ModelFacts, UNKNOWN, UNKNOWN_FACTS } from './rules.js';

const SECOND: GeminiRules = {
  ...UNKNOWN.gemini,
  thinking: { by: 'budget', min: 0, max: 24_576, off: true },
  toolsWithFormat: false,
  signedCalls: false,
  filesInResults: false,
};
const FIRST: GeminiRules = { ...SECOND, thinking: { by: 'none' }, jsonSchema: false, validated: false, webFiles: false };

const levels = (...names: ThinkingLevel[]): { thinking: GeminiThinking } => ({ thinking: { by: 'level', levels: names } });
const FOUR_LEVELS = levels('minimal', 'low', 'medium', 'high');
const NO_THINKING: { thinking: GeminiThinking } = { thinking: { by: 'none' } };

const SEES: ModelFacts = { ...UNKNOWN_FACTS, tools: true, vision: true, reasoning: false };
const THINKS: ModelFacts = { ...SEES, reasoning: true };
const MILLION: ModelFacts = { ...THINKS, contextWindow: 1_048_576, maxOutputTokens: 65_536 };
const FIRST_FLASH: ModelFacts = { ...SEES, contextWindow: 1_048_576, maxOutputTokens: 8_192 };

/** 258 tokens a tile, 1,120 and at most 2,240 from 3 on; 32 a second of sound. */
const MEDIA: MediaRule = { ...UNKNOWN_MEDIA, ...geminiTiles(2_240), page: 1_120, second: 32 };
const EARLY_MEDIA: MediaRule = { ...MEDIA, ...geminiTiles(258) };

/**
 * Sources: ai.google.dev/gemini-api/docs: models, thinking, function-calling. Read 2026-11-28: tokens, media-resolution; a tenth more in regions:
 * cloud.google.com/vertex-ai/generative-ai/pricing.
 */
const row = readAt('2026-11-12', 'ai.google.dev/gemini-api/docs');

export const GEMINI_MODELS: readonly Row[] = [
  row('models that make images', bare(/(?:^|[-@:])image(?:$|[-@:])/), ['gemini-3-pro-image-preview'], { gemini: { tools: false } }),
  row('gemini 1 and 2 images', gemini(0, 300, 'image'), ['gemini-2.5-flash-image'], { gemini: NO_THINKING }),
  row('gemini beside text', like(/gemini.*(?:image|tts|audio|live|omni|computer)/), ['gemini-2.5-flash-preview-tts'], {
    facts: UNKNOWN_FACTS,
  }),
  row('gemini live', like(/gemini-live/), ['gemini-live-2.5-flash'], { media: MEDIA }),
  row('gemini 4', gemini(400, 500), ['gemini-4-hydrogen'], { gemini: levels('low', 'medium', 'high', 'xhigh') }),
  row('gemini 3.5 and 3.6 flash', gemini(305, 307, 'flash'), ['gemini-3.5-flash'], { gemini: FOUR_LEVELS }),
  row('gemini 3.1 flash lite', gemini(301, 302, 'flash', 'lite'), ['gemini-3.1-flash-lite'], { gemini: FOUR_LEVELS }),
  row('gemini 3 pro', gemini(300, 301, 'pro'), ['gemini-3-pro-preview'], { gemini: levels('low', 'high') }),
  row('gemini 2.5 to 3.1', like(/gemini-(?:2\.5|3|3\.1)-(?:pro|flash)/), ['gemini-2.5-flash', 'gemini-3.1-pro-preview'], {
    facts: MILLION,
  }),
  row('gemini 3 and later', like(/gemini-[3-9]/), ['gemini-3.5-pro', 'gemini-5-flash'], {
    facts: THINKS,
    prices: { dearerInRegion: true },
  }),
  row('gemini 2.5 pro', gemini(205, 300, 'pro'), ['gemini-2.5-pro@default'], {
    gemini: { ...SECOND, thinking: { by: 'budget', min: 128, max: 32_768, off: false } },
  }),
  row('gemini 2.5 flash lite', gemini(205, 300, 'lite'), ['gemini-2.5-flash-lite'], {
    gemini: { ...SECOND, thinking: { by: 'budget', min: 512, max: 24_576, off: true } },
  }),
  row('gemini 2.5', gemini(205, 300), ['gemini-2.5-flash'], { gemini: SECOND, media: EARLY_MEDIA }),
  row('gemini 1.5 pro', like(/gemini-1\.5-pro/), ['gemini-1.5-pro-002'], { facts: { ...FIRST_FLASH, contextWindow: 2_097_152 } }),
  row('gemini 1.5 and 2.0 flash', like(/gemini-(?:1\.5|2\.0)-flash/), ['gemini-2.0-flash'], { facts: FIRST_FLASH }),
  row('gemini 1 and 2', gemini(0, 205), ['gemini-2.0-flash', 'gemini-1.5-flash-001'], { gemini: FIRST, media: EARLY_MEDIA }),
  // Open models behind the same API.
  row('gemma behind the API of gemini', bare(/^gemma(?:$|[-@:])/), ['gemma-3-27b-it'], { gemini: { ...FIRST, systemInstruction: false } }),
  row('gemini embedding 001', like(/^gemini-embedding-001$/), ['gemini-embedding-001'], {
    embeddings: { onVertex: { method: 'predict', texts: 1 } },
  }),
  row('gemini embedding', like(/^gemini-embedding-/), ['gemini-embedding-2'], {
    embeddings: { onVertex: { method: 'embedContent', texts: 1 } },
  }),
  row('gemini by its own name', bare(/^gemini\b/), ['google/gemini-3-pro'], { vendor: 'gemini' }),
  row('gemini', like(/gemini|learnlm|gemma/), ['gemini-flash-latest', 'gemma-3-27b-it'], { media: MEDIA }),
];
