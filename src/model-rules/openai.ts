import { type MediaRule, patches, tiles, UNKNOWN_MEDIA } from './media.js';
import { like, openai, openaiName, type Row, readAt } from './row.js';
import { type ModelFacts, type OpenAiRules, UNKNOWN, UNKNOWN_FACTS } from './rules.js';

/** What of a model is told by a word in its name stands in rows of its own. */
type Rules = Omit<OpenAiRules, 'responsesOnly' | 'chatOnly'>;

const { responsesOnly: _responses, chatOnly: _chat, ...OPAQUE } = UNKNOWN.openai;
const PLAIN: Rules = { ...OPAQUE, efforts: [] };
const O_SERIES: Rules = { ...PLAIN, reasons: true, efforts: ['low', 'medium', 'high'], sampling: 'refused', maxTokens: false };
const O_WITHOUT_STOP: Rules = { ...O_SERIES, stop: false };
const O_FIRST: Rules = { ...O_SERIES, efforts: [], systemRole: 'user' };
const GPT_5: Rules = { ...O_SERIES, efforts: ['minimal', 'low', 'medium', 'high'] };
const GPT_5_1: Rules = { ...GPT_5, reasons: false, efforts: ['none', 'low', 'medium', 'high'], sampling: 'without-reasoning' };
const GPT_5_2: Rules = { ...GPT_5_1, efforts: ['none', 'low', 'medium', 'high', 'xhigh'] };
const GPT_5_4: Rules = { ...GPT_5_2, toolsOnChat: 'without-effort' };
const GPT_5_5: Rules = { ...GPT_5_4, reasons: true };
const GPT_5_6: Rules = { ...GPT_5_5, toolsOnChat: 'effort-none', cacheBreakpoints: true };
const GPT_6: Rules = { ...GPT_5_6, sampling: 'refused', stop: false };
const NEWEST: Rules = { ...GPT_6, efforts: ['low', 'medium', 'high', 'xhigh', 'max'], toolsOnChat: 'refused', chatEffortMax: 'xhigh' };
const PRO: Rules = { ...GPT_5, efforts: ['medium', 'high', 'xhigh'] };
const CHAT_LATEST: Rules = { ...GPT_5, efforts: ['medium'] };
const CODEX: Rules = { ...GPT_5, efforts: ['low', 'medium', 'high'] };

const SEES: ModelFacts = { ...UNKNOWN_FACTS, tools: true, vision: true, reasoning: false };
const THINKS: ModelFacts = { ...SEES, reasoning: true };
const TEXT_ONLY: ModelFacts = { ...SEES, vision: false };
const NO_CHAT: ModelFacts = { ...TEXT_ONLY, tools: false };
const GPT_5_FACTS: ModelFacts = { ...THINKS, contextWindow: 400_000, maxOutputTokens: 128_000 };
const GPT_4O_FACTS: ModelFacts = { ...SEES, contextWindow: 128_000, maxOutputTokens: 16_384 };
const GPT_4_1_FACTS: ModelFacts = { ...SEES, contextWindow: 1_047_576, maxOutputTokens: 32_768 };
const O_FACTS: ModelFacts = { ...THINKS, contextWindow: 200_000, maxOutputTokens: 100_000 };

const MEDIA: MediaRule = { ...UNKNOWN_MEDIA, second: 20, anyKindByAddress: false, window: 400_000 };
const GPT_4_MEDIA: MediaRule = { ...MEDIA, ...tiles(85, 170), window: 128_000 };
const O_MEDIA: MediaRule = { ...MEDIA, ...tiles(75, 150) };
const GPT_5_MEDIA: MediaRule = { ...MEDIA, ...tiles(70, 140) };
const MINI_MEDIA: MediaRule = { ...MEDIA, ...patches(32, 1536, 1.62), window: 1_047_576 };
const NANO_MEDIA: MediaRule = { ...MEDIA, ...patches(32, 1536, 2.46), window: 1_047_576 };
const LATER_MINI_MEDIA: MediaRule = { ...MEDIA, ...patches(32, 10_000, 2.46) };
const GPT_5_2_MEDIA: MediaRule = { ...MEDIA, ...patches(32, 10_000, 1.2), window: 1_050_000 };
/** As measured in public: an image of 4032x3024 is 14,364 tokens, 1.2 for each of 11,970 patches. No side is above 6,000. */
const LATER_MEDIA: MediaRule = { ...MEDIA, ...patches(32, 188 * 188, 1.2), window: 1_050_000 };

/** The family itself, or a dated revision of it: what holds for these need not hold for other words behind the name. */
const SIZED = /^(?:mini|nano)?(?:(?:^|-)20\d\d-\d\d-\d\d)?$/;
const MINI_OR_ITSELF = /^(?:mini)?(?:(?:^|-)20\d\d-\d\d-\d\d)?$/;

/**
 * Sources: the vendor's documentation, developers.openai.com/api/docs: models, guides/reasoning; what is refused, as seen on the wire.
 * Images, read 2026-11-28: guides/images-vision, "calculating costs", and huggingface.co/datasets/JOHNISKING/image-token-cost.
 * Tokenizers: github.com/openai/tiktoken, model.py. Of newer models it is not known.
 */
const row = readAt('2026-11', 'developers.openai.com/api/docs');

export const OPENAI_MODELS: readonly Row[] = [
  row('OpenAI, on Responses only', openai(/./, ['pro', 'codex', 'research']), ['gpt-5-pro', 'gpt-5.3-codex', 'o3-deep-research'], {
    openai: { responsesOnly: true },
  }),
  row('OpenAI, by instructions', openai(/./, ['instruct']), ['gpt-3.5-turbo-instruct'], { openai: { chatOnly: false } }),

  row('gpt-6 sol and luna', openai(/^gpt-6$/, ['sol', 'luna']), ['gpt-6-sol', 'gpt-6-luna'], { openai: GPT_6, facts: THINKS }),
  row('gpt-6, others', openai(/^gpt-6/), ['gpt-6-astra', 'gpt-6.1-sol', 'gpt-6.2'], { openai: NEWEST, facts: THINKS }),
  row('gpt-5.2 and later, small', openai(/^gpt-5\.[2-9]$/, ['mini', 'nano']), ['gpt-5.4-mini'], { media: LATER_MINI_MEDIA }),
  row('gpt-5.7 and later', openai(/^gpt-5\.[7-9]$/), ['gpt-5.7'], { openai: NEWEST, facts: THINKS, media: GPT_5_2_MEDIA }),
  row('gpt-5.6', openai(/^gpt-5\.6$/), ['gpt-5.6-sol', 'us.openai.gpt-5.6-luna'], { openai: GPT_5_6, facts: THINKS, media: GPT_5_2_MEDIA }),
  row('gpt-5.5 pro', openai(/^gpt-5\.5$/, ['pro']), ['gpt-5.5-pro'], { openai: PRO }),
  row('gpt-5.5', openai(/^gpt-5\.5$/), ['gpt-5.5'], { openai: GPT_5_5, facts: THINKS, media: GPT_5_2_MEDIA }),
  row('gpt-5.4 pro', openai(/^gpt-5\.4$/, ['pro']), ['gpt-5.4-pro'], { openai: PRO }),
  row('gpt-5.4', openai(/^gpt-5\.4$/), ['gpt-5.4-2026-03-05'], { openai: GPT_5_4, facts: THINKS, media: GPT_5_2_MEDIA }),
  row('gpt-5.2 and 5.3 chat', openai(/^gpt-5\.[23]$/, ['chat']), ['gpt-5.3-chat-latest'], { openai: CHAT_LATEST }),
  row('gpt-5.3', openai(/^gpt-5\.3$/), ['gpt-5.3-codex'], { openai: GPT_5_2, media: GPT_5_2_MEDIA }),
  row('gpt-5.2 pro', openai(/^gpt-5\.2$/, ['pro']), ['gpt-5.2-pro'], { openai: PRO }),
  row(
    'gpt-5 to 5.2, plain',
    openai(/^gpt-5(?:\.[12])?$/, /^(?:mini|nano|codex)?(?:(?:^|-)20\d\d-\d\d-\d\d)?$/),
    ['gpt-5-mini', 'gpt-5.1'],
    {
      facts: GPT_5_FACTS,
    },
  ),
  row('gpt-5.2', openai(/^gpt-5\.2$/), ['gpt-5.2'], { openai: GPT_5_2, encoding: 'o200k_base', media: GPT_5_2_MEDIA }),
  row('gpt-5.1 codex max', openai(/^gpt-5\.1$/, ['max']), ['gpt-5.1-codex-max'], {
    openai: { ...GPT_5, efforts: ['low', 'medium', 'high', 'xhigh'] },
  }),
  row('gpt-5 and 5.1 codex', openai(/^gpt-5(?:\.1)?$/, ['codex']), ['gpt-5-codex', 'gpt-5.1-codex-mini'], {
    openai: CODEX,
    media: GPT_5_MEDIA,
  }),
  row('gpt-5.1 chat', openai(/^gpt-5\.1$/, ['chat']), ['gpt-5.1-chat-latest'], { openai: CHAT_LATEST }),
  row('gpt-5.1', openai(/^gpt-5\.1$/), ['gpt-5.1-2025-11-13'], { openai: GPT_5_1, encoding: 'o200k_base', media: GPT_5_MEDIA }),
  row('gpt-5 chat', openai(/^gpt-5$/, ['chat']), ['gpt-5-chat-latest'], { openai: { ...PLAIN, maxTokens: false } }),
  row('gpt-5 pro', openai(/^gpt-5$/, ['pro']), ['gpt-5-pro'], { openai: { ...GPT_5, efforts: ['high'] } }),
  row('gpt-5 mini', openai(/^gpt-5$/, /^mini/), ['gpt-5-mini'], { media: MINI_MEDIA }),
  row('gpt-5 nano', openai(/^gpt-5$/, /^nano/), ['gpt-5-nano'], { media: NANO_MEDIA }),
  row('gpt-5', openai(/^gpt-5$/), ['gpt-5', 'openai/gpt-5'], { openai: GPT_5, encoding: 'o200k_base', media: GPT_5_MEDIA }),

  row('gpt-4.5', openai(/^gpt-4\.5$/), ['gpt-4.5-preview'], { openai: PLAIN, encoding: 'o200k_base', media: GPT_4_MEDIA }),
  row('gpt-4.1, plain', openai(/^gpt-4\.1$/, SIZED), ['gpt-4.1-nano-2025-04-14'], { facts: GPT_4_1_FACTS }),
  row('gpt-4.1 mini', openai(/^gpt-4\.1$/, /^mini/), ['gpt-4.1-mini'], { media: MINI_MEDIA }),
  row('gpt-4.1 nano', openai(/^gpt-4\.1$/, /^nano/), ['gpt-4.1-nano'], { media: NANO_MEDIA }),
  row('gpt-4.1', openai(/^gpt-4\.1$/), ['gpt-4.1'], {
    openai: PLAIN,
    encoding: 'o200k_base',
    media: { ...GPT_4_MEDIA, window: 1_047_576 },
  }),
  row('gpt-4o of 2024-05', openai(/^gpt-4o$/, /^2024-05-13$/), ['gpt-4o-2024-05-13'], {
    facts: { ...GPT_4O_FACTS, maxOutputTokens: 4_096 },
  }),
  row('gpt-4o, plain', openai(/^gpt-4o$/, MINI_OR_ITSELF), ['gpt-4o', 'gpt-4o-mini-2024-07-18'], { facts: GPT_4O_FACTS }),
  row('gpt-4o mini', openai(/^gpt-4o$/, /^mini/), ['gpt-4o-mini'], { media: { ...GPT_4_MEDIA, ...tiles(2833, 5667) } }),
  row('gpt-4o', openai(/^gpt-4o$/), ['chatgpt-4o-latest', 'gpt-4o-audio-preview'], {
    openai: PLAIN,
    encoding: 'o200k_base',
    media: GPT_4_MEDIA,
  }),
  row('gpt-4 turbo', openai(/^gpt-4$/, /^turbo(?:-2024-04-09)?$/), ['gpt-4-turbo'], { facts: { ...GPT_4O_FACTS, maxOutputTokens: 4_096 } }),
  row('gpt-4 of 2023', openai(/^gpt-4$/, /^(?:0613)?$/), ['gpt-4', 'gpt-4-0613'], {
    facts: { ...TEXT_ONLY, contextWindow: 8_192, maxOutputTokens: 8_192 },
  }),
  row('gpt-4', openai(/^gpt-4$/), ['gpt-4-32k', 'gpt-4-turbo-preview'], { openai: PLAIN, encoding: 'cl100k_base', media: GPT_4_MEDIA }),
  row('gpt-4, other versions', openai(/^gpt-4/), ['gpt-4.7'], { media: GPT_4_MEDIA }),
  row('gpt-3.5 turbo instruct', openai(/^gpt-3\.5$/, /^turbo-instruct/), ['gpt-3.5-turbo-instruct'], {
    facts: { ...NO_CHAT, maxOutputTokens: 4_096 },
  }),
  row('gpt-3.5 turbo', openai(/^gpt-3\.5$/, /^turbo/), ['gpt-3.5-turbo-0125'], {
    facts: { ...TEXT_ONLY, contextWindow: 16_385, maxOutputTokens: 4_096 },
  }),
  // Azure writes 3.5 without its point.
  row('gpt-3.5', openai(/^gpt-3\.?5$/), ['gpt-35-turbo'], { openai: PLAIN, encoding: 'cl100k_base' }),
  row('gpt-3', openai(/^gpt-3$/), ['gpt-3'], { openai: PLAIN }),

  row('o1 mini', openai(/^o1$/, /^mini/), ['o1-mini-2024-09-12'], {
    openai: O_FIRST,
    facts: { ...NO_CHAT, reasoning: true, contextWindow: 128_000, maxOutputTokens: 65_536 },
  }),
  row('o1 preview', openai(/^o1$/, /^preview/), ['o1-preview'], {
    openai: O_FIRST,
    facts: { ...NO_CHAT, reasoning: true, contextWindow: 128_000, maxOutputTokens: 32_768 },
  }),
  row('o3 mini', openai(/^o3$/, /^mini/), ['o3-mini'], { openai: O_SERIES, facts: { ...O_FACTS, vision: false } }),
  row('o1 and o3, plain', openai(/^o[13]$/, /^(?:pro)?(?:(?:^|-)20\d\d-\d\d-\d\d)?$/), ['o3', 'o1-pro'], { facts: O_FACTS }),
  row('o4 mini, plain', openai(/^o4$/, /^mini(?:-pro)?(?:-20\d\d-\d\d-\d\d)?$/), ['o4-mini-2025-04-16'], { facts: O_FACTS }),
  row('o4 mini', openai(/^o4$/, /^mini/), ['o4-mini'], { media: { ...MEDIA, ...patches(32, 1536, 1.72) } }),
  row('o1', openai(/^o1$/), ['o1-2024-12-17'], { openai: O_SERIES, encoding: 'o200k_base', media: O_MEDIA }),
  row('o3 and o4', openai(/^o[34]$/), ['o3-pro', 'o4-mini'], { openai: O_WITHOUT_STOP, encoding: 'o200k_base', media: O_MEDIA }),
  row('computer use', openai(/^computer-use$/), ['computer-use-preview'], {
    openai: { ...O_WITHOUT_STOP, responsesOnly: true },
    media: { ...MEDIA, ...tiles(65, 129) },
  }),
  row('codex mini', openai(/^codex-mini$/), ['codex-mini-latest'], { openai: { ...O_WITHOUT_STOP, responsesOnly: true } }),
  row('o series, later', openai(/^o\d/), ['o5-mini'], { openai: O_WITHOUT_STOP }),

  // An open model, wherever it is hosted. The harmony format's own system message and its words on channels: github.com/openai/harmony, docs/format.md.
  row('gpt-oss', like(/gpt-oss/), ['gpt-oss:20b', '@cf/openai/gpt-oss-120b'], {
    openai: { ...PLAIN, reasons: true, efforts: ['low', 'medium', 'high'] },
    facts: { ...UNKNOWN_FACTS, tools: true, vision: false, reasoning: true },
    hiddenPrompt: { always: 128, withTools: 128, tellsForms: false },
    open: { thinking: 'effort', onGroq: 'effort' },
  }),
  row('gpt-oss by its own name', openai(/^gpt-oss$/), ['gpt-oss-20b'], { encoding: 'o200k_harmony' }),

  // The newest rules count for a newer version than we know.
  row('OpenAI', openaiName, ['gpt-7', 'o9', 'gpt-oss-20b'], {
    vendor: 'openai',
    openai: { ...NEWEST, chatOnly: true, responsesOnly: false },
    media: LATER_MEDIA,
  }),
];
