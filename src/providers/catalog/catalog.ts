import type { DialectName, Quirks } from '../../dialects/index.js';
import { nearest } from '../../kernel/nearest.js';
import type { AuthStyle, ProviderType } from '../provider.js';

/** What sets a type apart from a vendor that speaks OpenAI's chat format with a bearer key. */
interface Difference {
  dialects?: readonly DialectName[];
  auth?: AuthStyle;
  catalogueId?: string;
  quirks?: Quirks;
}

const provider = (
  slug: string,
  title: string,
  baseUrl: string | null,
  envKeys: readonly string[],
  { dialects = ['openai-chat'], auth = { kind: 'bearer' }, catalogueId, quirks = {} }: Difference = {},
): ProviderType => ({ slug, title, baseUrl, envKeys, dialects, auth, catalogueId: catalogueId ?? null, quirks });

const OPENAI: readonly DialectName[] = ['openai-chat', 'openai-responses', 'openai-completions'];
const MESSAGES: Difference = { dialects: ['anthropic-messages'], auth: { kind: 'header', name: 'x-api-key' } };

/** Every provider type Weir knows. Facts as of 2026-11. */
export const CATALOG: readonly ProviderType[] = [
  provider('openai', 'OpenAI, or any server that speaks its formats', 'https://api.openai.com/v1', ['OPENAI_API_KEY'], {
    dialects: OPENAI,
    catalogueId: 'openai',
    quirks: { maxTokensField: 'max_completion_tokens', developerRole: true },
  }),
  provider('anthropic', 'Anthropic', 'https://api.anthropic.com', ['ANTHROPIC_API_KEY'], { ...MESSAGES, catalogueId: 'anthropic' }),
  provider('anthropic-custom', 'Any server that speaks the Messages format', null, [], MESSAGES),
  provider('gemini', 'Google Gemini', 'https://generativelanguage.googleapis.com/v1beta', ['GEMINI_API_KEY', 'GOOGLE_API_KEY'], {
    dialects: ['gemini'],
    auth: { kind: 'header', name: 'x-goog-api-key' },
    catalogueId: 'google',
  }),
  provider(
    'bedrock',
    'Amazon Bedrock',
    'https://bedrock-runtime.us-east-1.amazonaws.com',
    ['AWS_BEARER_TOKEN_BEDROCK', 'BEDROCK_API_KEY'],
    {
      dialects: ['bedrock-converse'],
      catalogueId: 'aws',
    },
  ),
  provider('azure-openai', 'Azure OpenAI', null, [], {
    dialects: OPENAI,
    auth: { kind: 'header', name: 'api-key' },
    catalogueId: 'azure',
    quirks: { maxTokensField: 'max_completion_tokens', developerRole: true },
  }),
  provider('openrouter', 'OpenRouter', 'https://openrouter.ai/api/v1', ['OPENROUTER_API_KEY'], {
    dialects: ['openai-chat', 'openai-responses'],
    catalogueId: 'openrouter',
    quirks: { thinking: 'openrouter' },
  }),
  provider('groq', 'Groq', 'https://api.groq.com/openai/v1', ['GROQ_API_KEY'], {
    catalogueId: 'groq',
    quirks: { developerRole: false, thinking: 'groq' },
  }),
  provider('mistral', 'Mistral', 'https://api.mistral.ai/v1', ['MISTRAL_API_KEY'], {
    catalogueId: 'mistral',
    quirks: {
      developerRole: false,
      requiredToolChoice: 'any',
      toolCallIds: 'nine-alphanumerics',
      seedField: 'random_seed',
      strictTools: false,
      thinking: 'none',
    },
  }),
  provider('deepseek', 'DeepSeek', 'https://api.deepseek.com', ['DEEPSEEK_API_KEY'], {
    catalogueId: 'deepseek',
    quirks: { developerRole: false, textContent: true, reasoningBack: 'always', thinking: 'deepseek', jsonSchema: false },
  }),
  provider('xai', 'xAI', 'https://api.x.ai/v1', ['XAI_API_KEY'], { catalogueId: 'x-ai', quirks: { developerRole: false } }),
  provider('together', 'Together AI', 'https://api.together.xyz/v1', ['TOGETHER_API_KEY'], {
    catalogueId: 'together',
    quirks: { developerRole: false },
  }),
  provider('fireworks', 'Fireworks AI', 'https://api.fireworks.ai/inference/v1', ['FIREWORKS_API_KEY'], {
    catalogueId: 'fireworks',
    quirks: { developerRole: false },
  }),
  provider('cerebras', 'Cerebras', 'https://api.cerebras.ai/v1', ['CEREBRAS_API_KEY'], {
    catalogueId: 'cerebras',
    quirks: { developerRole: false },
  }),
  provider('cohere', 'Cohere', 'https://api.cohere.com/v2', ['COHERE_API_KEY', 'CO_API_KEY'], {
    dialects: ['cohere'],
    catalogueId: 'cohere',
  }),
  provider('ollama', 'Ollama', 'http://localhost:11434', ['OLLAMA_API_KEY'], { dialects: ['ollama'] }),
  provider('cloudflare-workers-ai', 'Cloudflare Workers AI', null, [], { dialects: ['workers-ai'] }),
  provider('mock', 'Mock: answers in this process, for trying things out', 'mock://local', []),
];

const bySlug = new Map(CATALOG.map((type) => [type.slug, type]));

export const providerType = (slug: string): ProviderType | null => bySlug.get(slug) ?? null;

export const nearestProviderType = (slug: string): string | null => nearest(slug, bySlug.keys());
