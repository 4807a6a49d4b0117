import type { ThinkingLevel } from '../canonical.js';

/** When these facts were looked up. */
export const GEMINI_FACTS_DATE = '2026-11-12';

/** How a model is told how much to think. A level and a budget in one request are refused. */
export type GeminiThinking =
  | { by: 'none' }
  | { by: 'level'; levels: readonly ThinkingLevel[] }
  /** In tokens. `off`: a budget of nothing is accepted. */
  | { by: 'budget'; min: number; max: number; off: boolean };

/** What a family of models takes. */
export interface GeminiFamily {
  thinking: GeminiThinking;
  /** Functions may be declared. */
  tools: boolean;
  /** JSON Schema as it is; else the older subset. */
  jsonSchema: boolean;
  /** Functions and structured output in one request. */
  toolsWithFormat: boolean;
  /** The mode VALIDATED: calls or text, and calls as their schema says. */
  validated: boolean;
  /** Calls go back with the signature of the thought they came from, or are refused. */
  signedCalls: boolean;
  /** Images and documents inside a function's response. */
  filesInResults: boolean;
  /** Any https address as a file; else only Google's own. */
  webFiles: boolean;
  systemInstruction: boolean;
}

const NEWEST: GeminiFamily = {
  thinking: { by: 'level', levels: ['low', 'medium', 'high'] },
  tools: true,
  jsonSchema: true,
  toolsWithFormat: true,
  validated: true,
  signedCalls: true,
  filesInResults: true,
  webFiles: true,
  systemInstruction: true,
};

const SECOND: GeminiFamily = {
  ...NEWEST,
  thinking: { by: 'budget', min: 0, max: 24_576, off: true },
  toolsWithFormat: false,
  signedCalls: false,
  filesInResults: false,
};

const FIRST: GeminiFamily = { ...SECOND, thinking: { by: 'none' }, jsonSchema: false, validated: false, webFiles: false };

const levels = (...names: ThinkingLevel[]): GeminiThinking => ({ by: 'level', levels: names });

interface Rule {
  from: number;
  /** Below this version. */
  to: number;
  /** Words the id must have. */
  words?: string[];
  facts: Partial<GeminiFamily>;
}

/** Each that fits applies, later ones over earlier ones. Versions are major × 100 + minor. */
const RULES: Rule[] = [
  { from: 0, to: 205, facts: FIRST },
  { from: 205, to: 300, facts: SECOND },
  { from: 205, to: 300, words: ['lite'], facts: { thinking: { by: 'budget', min: 512, max: 24_576, off: true } } },
  { from: 205, to: 300, words: ['pro'], facts: { thinking: { by: 'budget', min: 128, max: 32_768, off: false } } },
  { from: 300, to: 301, words: ['pro'], facts: { thinking: levels('low', 'high') } },
  { from: 301, to: 302, words: ['flash', 'lite'], facts: { thinking: levels('minimal', 'low', 'medium', 'high') } },
  { from: 305, to: 307, words: ['flash'], facts: { thinking: levels('minimal', 'low', 'medium', 'high') } },
  { from: 400, to: 500, facts: { thinking: levels('low', 'medium', 'high', 'xhigh') } },
  { from: 0, to: 300, words: ['image'], facts: { thinking: { by: 'none' } } },
  { from: 0, to: Number.POSITIVE_INFINITY, words: ['image'], facts: { tools: false } },
];

/** Open models behind the same API. */
const GEMMA: GeminiFamily = { ...FIRST, systemInstruction: false };

/** What is known of a model. One that is not known is taken for the newest. */
export function geminiFamily(model: string): GeminiFamily {
  const words = model.toLowerCase().split('/').at(-1)!.split(/[-@:]/);
  if (words[0] === 'gemma') return GEMMA;
  const version = versionOf(words);
  const fits = ({ from, to, words: wanted = [] }: Rule) => version >= from && version < to && wanted.every((word) => words.includes(word));
  return Object.assign({}, NEWEST, ...RULES.filter(fits).map(({ facts }) => facts));
}

/** Newer than every version there is a rule for. */
const UNKNOWN = 1e6;

/** `gemini-2.5-flash`, `gemini-live-2.5-flash`; other numbers are dates, or versions of something else. */
function versionOf([vendor, first = '', second = '']: string[]): number {
  const version = vendor === 'gemini' ? /^(\d{1,2})(?:\.(\d{1,2}))?$/.exec(first === 'live' ? second : first) : null;
  return version ? Number(version[1]) * 100 + Number(version[2] ?? 0) : UNKNOWN;
}
