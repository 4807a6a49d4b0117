import { claudeFamily } from '../dialects/index.js';
import { type ModelFacts, UNKNOWN } from './model-facts.js';

type Row = readonly [RegExp, Partial<ModelFacts>];

const PLAIN = { tools: true, vision: true, reasoning: false };
const THINKING = { tools: true, vision: true, reasoning: true };
const TEXT_ONLY = { vision: false, reasoning: false };
const NO_CHAT = { tools: false, vision: false, reasoning: false };

/**
 * What the families of models are known to do. The first row that fits counts; a name that none fits is unknown, never guessed.
 * Facts as of 2026-11, by the vendors' own tables. What differs between those who host an open model stands in no row.
 */
const FAMILIES: readonly Row[] = [
  [/embed|rerank|(?:^|[/-])(?:bge|gte|e5)-/, NO_CHAT],

  [/(?:^|[/:])gpt-3\.5-turbo-instruct/, { ...NO_CHAT, maxOutputTokens: 4_096 }],
  [/(?:^|[/:])gpt-3\.5-turbo/, { ...TEXT_ONLY, tools: true, contextWindow: 16_385, maxOutputTokens: 4_096 }],
  [/(?:^|[/:])gpt-4(?:-0613)?$/, { ...TEXT_ONLY, tools: true, contextWindow: 8_192, maxOutputTokens: 8_192 }],
  [/(?:^|[/:])gpt-4-turbo(?:-2024-04-09)?$/, { ...PLAIN, contextWindow: 128_000, maxOutputTokens: 4_096 }],
  [/(?:^|[/:])gpt-4o-2024-05-13$/, { ...PLAIN, contextWindow: 128_000, maxOutputTokens: 4_096 }],
  [/(?:^|[/:])gpt-4o(?:-mini)?(?:-20\d\d-\d\d-\d\d)?$/, { ...PLAIN, contextWindow: 128_000, maxOutputTokens: 16_384 }],
  [/(?:^|[/:])gpt-4\.1(?:-mini|-nano)?(?:-20\d\d-\d\d-\d\d)?$/, { ...PLAIN, contextWindow: 1_047_576, maxOutputTokens: 32_768 }],
  [
    /(?:^|[/:])gpt-5(?:\.[12])?(?:-mini|-nano|-codex)?(?:-20\d\d-\d\d-\d\d)?$/,
    { ...THINKING, contextWindow: 400_000, maxOutputTokens: 128_000 },
  ],
  [/(?:^|[/:])gpt-(?:5\.[4-9]|6)/, THINKING],
  [/(?:^|[/:])o1-mini/, { ...NO_CHAT, reasoning: true, contextWindow: 128_000, maxOutputTokens: 65_536 }],
  [/(?:^|[/:])o1-preview/, { ...NO_CHAT, reasoning: true, contextWindow: 128_000, maxOutputTokens: 32_768 }],
  [/(?:^|[/:])o3-mini/, { ...THINKING, vision: false, contextWindow: 200_000, maxOutputTokens: 100_000 }],
  [/(?:^|[/:])(?:o1|o3|o4-mini)(?:-pro)?(?:-20\d\d-\d\d-\d\d)?$/, { ...THINKING, contextWindow: 200_000, maxOutputTokens: 100_000 }],
  [/(?:^|[/:.])gpt-oss/, { tools: true, vision: false, reasoning: true }],

  [/gemini.*(?:image|tts|audio|live|omni|computer)/, {}],
  [/gemini-1\.5-pro/, { ...PLAIN, contextWindow: 2_097_152, maxOutputTokens: 8_192 }],
  [/gemini-(?:1\.5|2\.0)-flash/, { ...PLAIN, contextWindow: 1_048_576, maxOutputTokens: 8_192 }],
  [/gemini-(?:2\.5|3|3\.1)-(?:pro|flash)/, { ...THINKING, contextWindow: 1_048_576, maxOutputTokens: 65_536 }],
  [/gemini-[3-9]/, THINKING],

  [/llama-?(?:3|3[.-][013])(?![.\d]).*(?<!vision)$/, TEXT_ONLY],
  [/llama-?3[.-]2-[13]b/, TEXT_ONLY],
  [/llama-?(?:4|3[.-]2-(?:11|90)b)/, { vision: true, reasoning: false }],
  [/mixtral|codestral|mistral-(?:7b|nemo)/, TEXT_ONLY],
  [/pixtral/, { vision: true, reasoning: false }],
  [/deepseek-r1|qwq/, { vision: false, reasoning: true }],
  [/deepseek-v3|qwen-?2\.5-coder|command-r(?:-|$)/, { vision: false }],
  [/qwen.*-vl/, { vision: true }],
];

/** Where a Claude takes no images, or it is not sure that it does. */
const CLAUDE_WITHOUT_IMAGES = 'haiku-3-5';

/** What a model's id tells of it, in any of the forms that providers give it. */
export function familyFacts(modelId: string): ModelFacts {
  const id = modelId.toLowerCase();
  const claude = claudeFamily(id);
  if (claude.claude) {
    if (claude.name === null) return UNKNOWN;
    const vision = claude.name === CLAUDE_WITHOUT_IMAGES ? null : true;
    return { ...UNKNOWN, maxOutputTokens: claude.maxOutputTokens, tools: true, vision, reasoning: claude.thinking !== 'none' };
  }
  const row = FAMILIES.find(([pattern]) => pattern.test(id));
  return { ...UNKNOWN, ...row?.[1] };
}
