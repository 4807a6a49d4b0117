import { nearest } from '../../kernel/nearest.js';
import type { ProviderType } from '../provider.js';

/** A vendor that speaks OpenAI's chat format with a bearer key. */
const openaiCompatible = (
  slug: string,
  title: string,
  baseUrl: string,
  envKey: string,
  catalogueId: string | null = null,
): ProviderType => ({
  slug,
  title,
  dialect: 'openai-chat',
  baseUrl,
  envKeys: [envKey],
  catalogueId,
  maxTokensField: 'max_tokens',
});

/** Every provider type Weir knows. Facts as of 2026-11. */
export const CATALOG: readonly ProviderType[] = [
  {
    ...openaiCompatible(
      'openai',
      'OpenAI, or any server that speaks its chat format',
      'https://api.openai.com/v1',
      'OPENAI_API_KEY',
      'openai',
    ),
    maxTokensField: 'max_completion_tokens',
  },
  openaiCompatible('openrouter', 'OpenRouter', 'https://openrouter.ai/api/v1', 'OPENROUTER_API_KEY', 'openrouter'),
  openaiCompatible('groq', 'Groq', 'https://api.groq.com/openai/v1', 'GROQ_API_KEY', 'groq'),
  openaiCompatible('mistral', 'Mistral', 'https://api.mistral.ai/v1', 'MISTRAL_API_KEY', 'mistral'),
  openaiCompatible('deepseek', 'DeepSeek', 'https://api.deepseek.com', 'DEEPSEEK_API_KEY', 'deepseek'),
  openaiCompatible('xai', 'xAI', 'https://api.x.ai/v1', 'XAI_API_KEY', 'x-ai'),
  openaiCompatible('together', 'Together AI', 'https://api.together.xyz/v1', 'TOGETHER_API_KEY', 'together'),
  openaiCompatible('fireworks', 'Fireworks AI', 'https://api.fireworks.ai/inference/v1', 'FIREWORKS_API_KEY', 'fireworks'),
  openaiCompatible('cerebras', 'Cerebras', 'https://api.cerebras.ai/v1', 'CEREBRAS_API_KEY', 'cerebras'),
  {
    slug: 'mock',
    title: 'Mock: answers in this process, for trying things out',
    dialect: 'openai-chat',
    baseUrl: 'mock://local',
    envKeys: [],
    catalogueId: null,
    maxTokensField: 'max_tokens',
  },
];

const bySlug = new Map(CATALOG.map((type) => [type.slug, type]));

export const providerType = (slug: string): ProviderType | null => bySlug.get(slug) ?? null;

export const nearestProviderType = (slug: string): string | null => nearest(slug, bySlug.keys());
