import { certainly, like, type Row, readAt } from './row.js';
import { type ModelFacts, UNKNOWN_FACTS } from './rules.js';

const NO_CHAT: ModelFacts = { ...UNKNOWN_FACTS, tools: false, vision: false, reasoning: false };
const SOUND = { what: 'sound', kind: 'media', makes: ['audio'] } as const;
const IMAGES = { what: 'images', kind: 'media', makes: ['image'] } as const;

/** By the vendors' own lists of models. */
const row = readAt('2026-11-28', "the vendors' lists of models");

/** What models are for, whoever made them, as their names tell. */
export const BY_WORK: readonly Row[] = [
  row('vectors and rankings', like(/embed|rerank|(?:^|[/-])(?:bge|gte|e5)-/), ['text-embedding-3-large', 'baai/bge-m3'], {
    facts: NO_CHAT,
  }),
  row('embeddings', like(/embed/), ['nomic-embed-text'], { work: { embeds: true, converses: false } }),
  row('other work', like(/rerank|whisper|\btts\b|transcribe|moderation|dall-e|gpt-image|imagen|realtime/), ['whisper-1', 'dall-e-3'], {
    work: { converses: false },
  }),
  row('guards and vectors, which do not think', like(/embed|bge|rerank|guard/), ['bge-m3', 'wildguard'], { open: { thinking: 'none' } }),
  row(
    'older embeddings of OpenAI',
    certainly(/^(?:ft:|openai\/|(?:[a-z]+\.)?openai\.)?text-embedding-(?:3|ada-002)/),
    ['text-embedding-ada-002'],
    {
      encoding: 'cl100k_base',
    },
  ),
  row('search', like(/\bsearch-/), ['gpt-4o-search-preview'], { work: { searches: true } }),
  row('audio', like(/audio/), ['gpt-4o-audio-preview'], { work: { speaks: true } }),
  row(
    'sound of OpenAI',
    like(/(?:^|[-/])(?:gpt-(?:\d+o-)?(?:mini-)?(?:audio|realtime|live)|gpt-4o(?:-mini)?-(?:audio|realtime|tts))/),
    ['gpt-audio', 'gpt-4o-mini-tts'],
    { beyondText: SOUND },
  ),
  row('sound', like(/gemini.*-(?:tts|live|native-audio|audio|omni)|qwen.*-omni|realtime|grok-voice|lyria/), ['qwen3-omni', 'lyria-2'], {
    beyondText: SOUND,
  }),
  row(
    'images',
    like(/gpt-(?:[\d.]+-)?image|chatgpt-image|gemini.*-image|nano-banana|imagen|dall-e|grok.*-image|veo-\d/),
    ['gpt-image-1', 'gemini-2.5-flash-image', 'veo-3'],
    { beyondText: IMAGES },
  ),
  row(
    'web search',
    like(
      /-search-(?:preview|api)|sonar|deep-research|:online$|(?:^|\/)compound|[:&]enable_(?:web_search|web_scraping|x_search)=(?!off|false)/,
    ),
    ['sonar-pro', 'gpt-4o:online', 'o3-deep-research'],
    { beyondText: { what: 'a web search', kind: 'search', makes: null } },
  ),
  // openai.com/api-fast-mode: two and a half times for this one.
  row('priority at two and a half times', like(/gpt-5\.5/), ['gpt-5.5'], { prices: { priorityPercent: 250n } }),
  // From gpt-5.4 on, at hosts of data residency: developers.openai.com/api/docs/pricing, as quoted by apidog.com of 2026-10.
  row('dearer at hosts of data residency', like(/gpt-(?:5\.[4-9]|[6-9])/), ['gpt-5.4', 'gpt-7'], { prices: { dearerInRegion: true } }),
];
