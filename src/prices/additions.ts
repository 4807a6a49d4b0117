/** USD per million tokens, in the words of the price catalog. */
export type UsdRates = Readonly<Partial<Record<string, number>>>;

/** What we know that the catalog does not, or has wrong. It goes before the catalog. */
export interface Addition {
  /** The vendor's id in the catalog. */
  catalogId: string;
  model: string;
  /** From when on it is charged; a day. */
  since: string;
  rates: UsdRates;
  /** For whole requests whose input is longer. */
  above?: { inputTokens: number; rates: UsdRates };
  /** Where the numbers are from, and when they were read. */
  source: string;
}

const CLAUDE =
  'platform.claude.com/docs/en/about-claude/pricing, as quoted by github.com/TheKrush/PromptFuel v1.0.23 of 2026-10, read 2026-11-28';
const OPENAI =
  'developers.openai.com/api/docs/models, as quoted by docs.litellm.ai/blog/gpt-6-1-terra, github.com/amine123max/Codex-Manager 0.4.7 and github.com/TheKrush/PromptFuel v1.0.22 of 2026-10, read 2026-11-28';

const DEEPSEEK = 'api-docs.deepseek.com/quick_start/pricing of 2026-11-15, read 2026-11-28: at the peak';
const DEEPSEEK_FLASH: UsdRates = { input_mtok: 0.3, output_mtok: 1.2, cache_read_mtok: 0.006 };

const claude = (input: number, output: number, cacheRead: number): UsdRates => ({
  input_mtok: input,
  output_mtok: output,
  cache_read_mtok: cacheRead,
  cache_write_mtok: input * 1.25,
  cache_write_1h_mtok: input * 2,
  web_searches_kcount: 10,
});

export const ADDITIONS: readonly Addition[] = [
  { catalogId: 'anthropic', model: 'claude-sonnet-5-5', since: '1970-01-01', rates: claude(2, 10, 0.2), source: CLAUDE },
  { catalogId: 'anthropic', model: 'claude-sonnet-5-5', since: '2026-10-07', rates: claude(2, 10, 0.1), source: CLAUDE },
  {
    catalogId: 'anthropic',
    model: 'claude-haiku-5-5',
    since: '1970-01-01',
    rates: claude(0.1, 0.5, 0.01),
    above: { inputTokens: 100_000, rates: claude(0.5, 2.5, 0.05) },
    source: CLAUDE,
  },
  {
    catalogId: 'openai',
    model: 'gpt-6.1-sol',
    since: '1970-01-01',
    rates: { input_mtok: 2, output_mtok: 10, cache_read_mtok: 0.1, cache_write_mtok: 2.5 },
    above: { inputTokens: 272_000, rates: { input_mtok: 4, output_mtok: 15, cache_read_mtok: 0.2, cache_write_mtok: 5 } },
    source: OPENAI,
  },
  {
    catalogId: 'openai',
    model: 'gpt-6.1-terra',
    since: '1970-01-01',
    // For twelve hours it is written at twice the rate of input: apidog.com/blog/gpt-6-1-terra-pricing, read 2026-11-28.
    rates: { input_mtok: 1, output_mtok: 5, cache_read_mtok: 0.05, cache_write_mtok: 1.25, cache_write_1h_mtok: 2.5 },
    above: {
      inputTokens: 272_000,
      rates: { input_mtok: 2, output_mtok: 7.5, cache_read_mtok: 0.1, cache_write_mtok: 2.5, cache_write_1h_mtok: 5 },
    },
    source: OPENAI,
  },
  {
    catalogId: 'mistral',
    model: 'mistral-large-latest',
    since: '2025-12-02',
    // The cache as genai-prices 0.1.8 has it for mistral-large-2512, which is the same model.
    rates: { input_mtok: 0.5, output_mtok: 1.5, cache_read_mtok: 0.05 },
    source: 'mistral.ai/pricing, as quoted by github.com/anomalyco/models.dev (f3fc692 of 2026-07-02), read 2026-11-28: Mistral Large 3',
  },
  {
    catalogId: 'deepseek',
    model: 'deepseek-flash',
    since: '1970-01-01',
    rates: DEEPSEEK_FLASH,
    source: DEEPSEEK,
  },
  // The old name is served by the same model since, at its price.
  { catalogId: 'deepseek', model: 'deepseek-v4-flash', since: '2026-09-10', rates: DEEPSEEK_FLASH, source: DEEPSEEK },
];

/** Vendors whose models another one serves at the vendor's own price, under the vendor's own names, as far as the catalog does not list them there. */
export interface Borrowed {
  /** Who serves them, and whose they are, by their ids in the catalog. */
  by: string;
  from: string;
  /** What stands before the vendor's name there. */
  prefix: string;
  of: RegExp;
  source: string;
}

const AZURE =
  'azure.microsoft.com/pricing/details/azure-openai: global deployments as OpenAI lists them; data zones cost a tenth to a fifth more (azure.microsoft.com/blog, GPT-6 of 2026-09, read 2026-11-28)';
const VERTEX =
  'cloud.google.com/vertex-ai/generative-ai/pricing: the global endpoint as Anthropic lists it; regions cost a tenth more (platform.claude.com/docs/en/about-claude/pricing, read 2026-11-28)';
const ROUTER = 'openrouter.ai/docs/faq: models at the price of their vendor, read 2026-11-28';

export const BORROWED: readonly Borrowed[] = [
  { by: 'azure', from: 'openai', prefix: '', of: /^(?:gpt-|o\d|chatgpt|text-embedding)/, source: AZURE },
  { by: 'google', from: 'anthropic', prefix: '', of: /^claude/, source: VERTEX },
  { by: 'openrouter', from: 'anthropic', prefix: 'anthropic/', of: /^claude/, source: ROUTER },
  { by: 'openrouter', from: 'openai', prefix: 'openai/', of: /^(?:gpt-|o\d)/, source: ROUTER },
];
