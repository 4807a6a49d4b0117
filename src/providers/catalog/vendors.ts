import type { DialectName, Quirks } from '../../dialects/index.js';
import { rulesOf } from '../../model-rules/index.js';
import type { CredentialType } from '../auth/credential.js';
import type { ProviderType } from '../provider.js';
import { MOCK_STOPS, STREAMS_STOP } from './client-gone.js';
import { compatible, entry } from './entry.js';
import { AZURE_ENVIRONMENT, BEDROCK_ENVIRONMENT, FOUNDRY_ENVIRONMENT, VERTEX_ENVIRONMENT } from './environment.js';

const OPENAI: readonly DialectName[] = ['openai-chat', 'openai-responses', 'openai-completions'];
const OPENAI_QUIRKS: Quirks = { maxTokensField: 'max_completion_tokens', developerRole: true, store: true };
const BY_GATEWAY: readonly CredentialType[] = ['ai_gateway', 'headers'];
const BY_API_KEY = { kind: 'header', name: 'x-api-key' } as const;

/** Claude as Anthropic serves it; what other publishers' models are named with, `meta/llama-4`, says that they are served in OpenAI's format. */
const vertexFormat = (model: string): DialectName =>
  model.includes('/') ? 'openai-chat' : rulesOf(model).vendor === 'anthropic' ? 'anthropic-messages' : 'gemini';

/** Vendors with a format of their own, and servers that speak one of theirs. */
export const VENDORS: readonly ProviderType[] = [
  entry('openai', 'OpenAI, or any server that speaks its formats', 'https://api.openai.com/v1', ['OPENAI_API_KEY'], {
    dialects: OPENAI,
    catalogId: 'openai',
    clientGone: STREAMS_STOP,
    quirks: OPENAI_QUIRKS,
  }),
  entry('custom', "Any server that speaks OpenAI's chat format", null, [], { quirks: { maxTokensField: 'max_tokens' } }),
  entry('anthropic', 'Anthropic', 'https://api.anthropic.com', ['ANTHROPIC_API_KEY'], {
    dialects: ['anthropic-messages'],
    auth: BY_API_KEY,
    catalogId: 'anthropic',
    clientGone: STREAMS_STOP,
  }),
  entry('anthropic-custom', 'Any server that speaks the Messages format', null, [], { dialects: ['anthropic-messages'], auth: BY_API_KEY }),
  entry('gemini', 'Google Gemini', 'https://generativelanguage.googleapis.com/v1beta', ['GEMINI_API_KEY', 'GOOGLE_API_KEY'], {
    dialects: ['gemini'],
    auth: { kind: 'header', name: 'x-goog-api-key' },
    catalogId: 'google',
    aliases: ['google', 'google-gemini'],
  }),
  entry('google-vertex-ai', 'Google Vertex AI', null, [], {
    dialects: ['gemini', 'anthropic-messages', 'openai-chat'],
    formatOf: vertexFormat,
    credentialTypes: ['service_account', 'authorized_user'],
    environment: VERTEX_ENVIRONMENT,
    catalogId: 'google',
    quirks: { cloud: 'vertex', developerRole: false },
    aliases: ['vertex', 'vertex-ai'],
  }),
  entry('bedrock', 'Amazon Bedrock', 'https://bedrock-runtime.us-east-1.amazonaws.com', ['AWS_BEARER_TOKEN_BEDROCK', 'BEDROCK_API_KEY'], {
    dialects: ['bedrock-converse'],
    credentialTypes: ['aws'],
    environment: BEDROCK_ENVIRONMENT,
    catalogId: 'aws',
    aliases: ['aws-bedrock'],
  }),
  entry('azure-openai', 'Azure OpenAI', null, ['AZURE_OPENAI_API_KEY'], {
    dialects: OPENAI,
    auth: { kind: 'header', name: 'api-key' },
    credentialTypes: ['entra', 'token', 'headers'],
    environment: AZURE_ENVIRONMENT,
    dated: true,
    catalogId: 'azure',
    quirks: OPENAI_QUIRKS,
    aliases: ['azure', 'azure_openai'],
  }),
  entry('anthropic-foundry', 'Claude on Microsoft Foundry', null, ['ANTHROPIC_FOUNDRY_API_KEY'], {
    dialects: ['anthropic-messages'],
    auth: BY_API_KEY,
    credentialTypes: ['entra', 'token', 'headers'],
    environment: FOUNDRY_ENVIRONMENT,
    // Foundry charges what Anthropic does.
    catalogId: 'anthropic',
    quirks: { cloud: 'foundry' },
    aliases: ['foundry', 'azure-anthropic'],
  }),
  entry('cohere', 'Cohere', 'https://api.cohere.com/v2', ['COHERE_API_KEY', 'CO_API_KEY'], {
    dialects: ['cohere'],
    catalogId: 'cohere',
    clientGone: STREAMS_STOP,
  }),
  compatible('cloudflare', 'Cloudflare AI Gateway', null, [], { credentialTypes: BY_GATEWAY, aliases: ['cloudflare-ai'] }),
  entry('cloudflare-workers-ai', 'Cloudflare Workers AI', null, [], {
    dialects: ['workers-ai'],
    credentialTypes: BY_GATEWAY,
    catalogId: 'cloudflare',
    aliases: ['workers-ai'],
  }),
  entry('mock', 'Mock: answers in this process, for trying things out', 'mock://local', [], { clientGone: MOCK_STOPS }),
];
