import { claudeFamily } from '../families/claude.js';
import { ofOpenAi } from '../families/openai.js';
import { remembered } from '../kit/remembered.js';

/** The most input tokens that a family of models counts for what is no text, at the dearest detail. */
export interface MediaRule {
  /** Of an image of this many pixels. Never more than `mostImage`. */
  image(width: number, height: number): number;
  /** Of any image, after the provider scaled it down. */
  mostImage: number;
  /** Of one page of a PDF, as image and text. */
  page: number;
  mostPages: number;
  /** Of a second of sound. */
  second: number;
  /** What is at an address may be of any kind, a film too. */
  anyKindByAddress: boolean;
  /** Nothing in a request can be more than fits into the window. Where the model's own is not known. */
  window: number;
}

type Row = { of: (model: string) => boolean } & Partial<MediaRule>;

/** A square of patches, or as many as the provider scales down to. */
const patches = (side: number, most: number, factor = 1) => ({
  image: (width: number, height: number) => Math.ceil(Math.min(Math.ceil(width / side) * Math.ceil(height / side), most) * factor),
  mostImage: Math.ceil(most * factor),
});

/** OpenAI's tiles: fitted into a square of 2,048, then to 768 on the shorter side, then counted by squares of 512. */
const tiles = (base: number, tile: number) => ({
  image(width: number, height: number) {
    const fit = Math.min(1, 2048 / Math.max(width, height));
    const shrink = Math.min(1, 768 / (Math.min(width, height) * fit)) * fit;
    return base + tile * Math.ceil((width * shrink) / 512) * Math.ceil((height * shrink) / 512);
  },
  mostImage: base + tile * 8,
});

/** Squares of 28, and in the vendor's older words a token for 750 pixels. */
const claude = (most: number) => ({
  image: (width: number, height: number) =>
    Math.min(most, Math.max(Math.ceil(width / 28) * Math.ceil(height / 28), Math.ceil((width * height) / 750))),
  mostImage: most,
});

/** Tiles of 768, or of two thirds of the shorter side; newer models count a fixed amount by resolution. */
const gemini = (fixed: number) => ({
  image(width: number, height: number) {
    const unit = Math.min(768, Math.max(256, Math.floor(Math.min(width, height) / 1.5)));
    const cut = (side: number) => Math.ceil(width / side) * Math.ceil(height / side);
    if (width <= 384 && height <= 384) return Math.max(fixed, 258);
    return Math.max(fixed, Math.min(GEMINI_TILES, Math.max(cut(unit), cut(768))) * 258);
  },
  mostImage: GEMINI_TILES * 258,
});
const GEMINI_TILES = 24;

/** A fixed amount for a tile, one more for the whole, up to a number of tiles. */
const grid = (side: number, tokens: number, most: number) => ({
  image: (width: number, height: number) => Math.min(most, (Math.ceil(width / side) * Math.ceil(height / side) + 1) * tokens),
  mostImage: most,
});

const has = (pattern: RegExp) => (model: string) => pattern.test(model);

/** What is dearer than that of any model we know. */
const UNKNOWN: MediaRule = {
  image: (width, height) => Math.min(16_384, Math.max(2_880, Math.ceil(width / 14) * Math.ceil(height / 14))),
  mostImage: 16_384,
  page: 5_650,
  mostPages: 1_000,
  second: 50,
  anyKindByAddress: true,
  window: 1_048_576,
};

const OPENAI: Partial<MediaRule> = { page: 5_650, mostPages: 1_000, second: 20, anyKindByAddress: false, window: 400_000 };
const GPT_4: Partial<MediaRule> = { ...OPENAI, window: 128_000 };

const CLAUDE: Partial<MediaRule> = { anyKindByAddress: false, window: 1_000_000 };

/** Up to 4.6. A model that is not known is new. */
function isEarlyClaude(model: string): boolean {
  const { claude, name } = claudeFamily(model);
  return claude && name !== null && /-(?:3(?:-\d)?|4(?:-[0-6])?)$/.test(name);
}

/**
 * The first row that fits counts; what it does not say is that of an unknown model. Read 2026-11-28, from:
 * - OpenAI: developers.openai.com/api/docs/guides/images-vision, "calculating costs". Factor and limit of GPT-6 as measured in public: an image
 *   of 4032x3024 is 14,364 tokens, 1.2 for each of 11,970 patches (huggingface.co/datasets/JOHNISKING/image-token-cost). No side is above 6,000.
 * - Claude: platform.claude.com/docs/en/build-with-claude/vision and /pdf-support: 1,568 tokens at most, 4,784 from 4.7 on; 3,000 tokens of text a
 *   page, a third more with the tokenizer of 4.7 and later, and the page's image; 600 pages, 100 where the window is below a million tokens.
 * - Gemini: ai.google.dev/gemini-api/docs/tokens and /media-resolution: 258 a tile, 1,120 and at most 2,240 from 3 on; 32 a second of sound.
 * - Mistral: docs.mistral.ai/capabilities/vision. Qwen and Llama: the processors published with the models. Grok: docs.x.ai, image understanding.
 */
const TABLE: readonly Row[] = [
  { of: has(/gpt-4o-mini/), ...GPT_4, ...tiles(2833, 5667) },
  { of: has(/gpt-(?:4\.1|5)-mini/), ...OPENAI, ...patches(32, 1536, 1.62), window: 1_047_576 },
  { of: has(/gpt-(?:4\.1|5)-nano/), ...OPENAI, ...patches(32, 1536, 2.46), window: 1_047_576 },
  { of: has(/(?:^|[/.:])o4-mini/), ...OPENAI, ...patches(32, 1536, 1.72) },
  { of: has(/computer-use/), ...OPENAI, ...tiles(65, 129) },
  { of: has(/gpt-4\.1/), ...OPENAI, ...tiles(85, 170), window: 1_047_576 },
  { of: has(/gpt-4/), ...GPT_4, ...tiles(85, 170) },
  { of: has(/(?:^|[/.:])o[134](?!\d)/), ...OPENAI, ...tiles(75, 150) },
  { of: has(/gpt-5(?:\.1)?(?![.\d])/), ...OPENAI, ...tiles(70, 140) },
  { of: has(/gpt-5[.\d]*.*(?:mini|nano)/), ...OPENAI, ...patches(32, 10_000, 2.46) },
  { of: has(/gpt-5/), ...OPENAI, ...patches(32, 10_000, 1.2), window: 1_050_000 },
  { of: ofOpenAi, ...OPENAI, ...patches(32, 188 * 188, 1.2), window: 1_050_000 },
  { of: isEarlyClaude, ...CLAUDE, ...claude(1_600), page: 4_600, mostPages: 600 },
  { of: (model) => claudeFamily(model).claude, ...CLAUDE, ...claude(4_784), page: 5_650, mostPages: 600 },
  { of: has(/gemini-[12]/), ...gemini(258), page: 1_120, second: 32 },
  { of: has(/gemini|learnlm|gemma/), ...gemini(2_240), page: 1_120, second: 32 },
  { of: has(/pixtral|mistral|ministral|magistral/), ...patches(16, 64 * 64), mostImage: 64 * 65, anyKindByAddress: false },
  { of: has(/qwen|qvq/), ...patches(28, 16_384), anyKindByAddress: true },
  { of: has(/llama/), ...grid(336, 1_601, 6_404), anyKindByAddress: false },
  { of: has(/grok/), ...grid(448, 256, 1_792), anyKindByAddress: false },
];

/** The rule of a model, by its id as its provider names it. */
export const mediaRule: (model: string) => MediaRule = remembered((model) => {
  const id = model.toLowerCase();
  const row = TABLE.find(({ of }) => of(id));
  return { ...UNKNOWN, ...row };
});
