import { DIALECTS, type DialectName, type SurfaceName } from '../../src/dialects/dialect.js';
import type { Quirks } from '../../src/dialects/quirks.js';
import { THINKING_LEVELS } from '../../src/kernel/thinking.js';
import type { Random } from '../support/random.js';
import { mutateStream, stringify } from './frames.js';
import { mutateBytes, mutateJson } from './mutate.js';
import { type Case, type FormatName, framingOf, type Reading } from './run-case.js';
import { EMBEDDING_REQUESTS, REPLIES, REQUESTS, VECTORS } from './samples.js';

const SURFACES = Object.keys(REQUESTS) as SurfaceName[];
const READINGS: Reading[] = ['stream', 'stream', 'stream', 'whole', 'whole', 'folded', 'from-whole', 'refusal'];
const EMBEDDERS: DialectName[] = ['openai-chat', 'openai-responses', 'gemini', 'bedrock-converse', 'ollama', 'cohere', 'workers-ai'];

const MODELS: Record<DialectName, string[]> = {
  'openai-chat': ['gpt-5', 'gpt-4o', 'o3-mini', 'deepseek-reasoner', 'mistral-large-latest', 'qwen3-32b', 'anthropic/claude-opus-5'],
  'openai-completions': ['gpt-3.5-turbo-instruct'],
  'openai-responses': ['gpt-5', 'o3', 'gpt-5-codex', 'gpt-4o'],
  'anthropic-messages': ['claude-opus-5', 'claude-sonnet-4-5', 'claude-3-haiku-20240307', 'unknown'],
  gemini: ['gemini-3-pro', 'gemini-2.5-flash', 'gemini-1.5-pro', 'gemini-embedding-001', 'unknown'],
  'bedrock-converse': [
    'eu.anthropic.claude-sonnet-4-5-v1:0',
    'amazon.nova-pro-v1:0',
    'openai.gpt-oss-120b-1:0',
    'arn:aws:bedrock:x:1:y/z',
    'cohere.embed-english-v3',
    'amazon.titan-embed-text-v2:0',
  ],
  ollama: ['gpt-oss:20b', 'qwen3', 'llama3'],
  cohere: ['command-a-reasoning-08-2025', 'command-r', 'embed-v4.0'],
  'workers-ai': ['@cf/meta/llama-3.1-8b-instruct', '@cf/openai/gpt-oss-20b', '@cf/baai/bge-m3'],
};

const QUIRKS: Quirks[] = [
  { maxTokensField: 'max_completion_tokens', developerRole: false },
  { singleSystem: true, textContent: true, nullContent: true },
  { streamOptions: false, requiredToolChoice: 'any', toolCallIds: 'nine-alphanumerics', seedField: 'random_seed' },
  { requiredToolChoice: null, strictTools: false, jsonSchema: false },
  { reasoningBack: 'never', thinking: 'deepseek' },
  { reasoningBack: 'always', thinking: 'openrouter' },
  { thinking: 'groq' },
  { thinking: 'none' },
  { nativeTools: false },
  { cloud: 'vertex' },
];

/** The next of a run: half of them change what a client sends, half what a provider answers. */
export function makeCase(random: Random): Case {
  if (random.chance(0.06)) return embeddingCase(random);
  if (random.chance(0.02)) return countingCase(random);
  return random.chance(0.45) ? requestCase(random) : replyCase(random);
}

const encode = (value: unknown): Buffer => Buffer.from(stringify(value));

function frameOf(format: FormatName, dialect: DialectName, random: Random): Omit<Case, 'request' | 'reply' | 'reading'> {
  return {
    format,
    dialect,
    model: random.pick(MODELS[dialect]),
    quirks: random.chance(0.4) ? random.pick(QUIRKS) : {},
    level: random.chance(0.3) ? random.pick(THINKING_LEVELS) : null,
    headers: random.chance(0.1) ? { 'x-amzn-errortype': random.pick(['ThrottlingException:http://x', 'x', '']), 'retry-after': 'x' } : {},
    status: random.pick([400, 401, 404, 429, 500, 503, 529]),
    maxOutputTokens: random.pick([1, 16, 1024, 4096, 200_000]),
  };
}

function requestCase(random: Random): Case {
  const format = random.pick(SURFACES);
  const dialect = random.pick(DIALECTS);
  const reading = random.pick(READINGS);
  const body = { ...random.pick(REQUESTS[format]), stream: reading === 'stream' || reading === 'from-whole' };
  let request = encode(mutateJson(body, random.pick(REQUESTS[random.pick(SURFACES)]), random));
  if (random.chance(0.03)) request = mutateBytes(request, random);
  return { ...frameOf(format, dialect, random), request, reading, reply: sampleFor(dialect, reading, random) };
}

function sampleFor(dialect: DialectName, reading: Reading, random: Random): Buffer {
  const { whole, stream, refusal } = REPLIES[dialect];
  return random.pick(reading === 'refusal' ? refusal : reading === 'whole' || reading === 'from-whole' ? whole : stream);
}

const HELLO = [{ role: 'user', content: 'Hi' }];
const PARAMETERS = { type: 'object', properties: {} };

/** Requests that any provider takes. */
function plainRequest(format: SurfaceName, stream: boolean, random: Random): object {
  const model = 'up/m';
  const tools = random.chance(0.5);
  switch (format) {
    case 'openai-chat':
      return {
        model,
        messages: HELLO,
        stream,
        ...(random.chance(0.5) && { stream_options: { include_usage: true } }),
        ...(random.chance(0.1) && { n: 3 }),
        ...(tools && { tools: [{ type: 'function', function: { name: 'weather', parameters: PARAMETERS } }] }),
        ...(random.chance(0.1) && { response_format: { type: 'json_schema', json_schema: { name: 'out', schema: PARAMETERS } } }),
      };
    case 'openai-completions':
      return { model, prompt: 'Hi', stream, ...(random.chance(0.1) && { n: 2 }) };
    case 'openai-responses':
      return {
        model,
        input: 'Hi',
        stream,
        ...(tools && {
          tools: [
            { type: 'function', name: 'weather', parameters: PARAMETERS },
            { type: 'custom', name: 'w' },
          ],
        }),
      };
    case 'anthropic-messages':
      return { model, max_tokens: 4096, messages: HELLO, stream, ...(tools && { tools: [{ name: 'weather', input_schema: PARAMETERS }] }) };
    case 'chat-complete':
      return { model, messages: HELLO, stream, ...(tools && { tools: [{ name: 'weather', parameters: PARAMETERS }] }) };
  }
}

function replyCase(random: Random): Case {
  const dialect = random.pick(DIALECTS);
  const reading = random.pick(READINGS);
  const same = SURFACES.find((name) => name === dialect);
  const format = same && random.chance(0.3) ? same : random.pick(SURFACES);
  const request = encode(plainRequest(format, reading === 'stream' || reading === 'from-whole', random));
  return { ...frameOf(format, dialect, random), request, reading, reply: oddReply(dialect, reading, random) };
}

function oddReply(dialect: DialectName, reading: Reading, random: Random): Buffer {
  const sample = sampleFor(dialect, reading, random);
  const donor = sampleFor(random.chance(0.8) ? dialect : random.pick(DIALECTS), random.chance(0.9) ? reading : 'whole', random);
  if (reading === 'stream' || reading === 'folded') return mutateStream(framingOf(dialect), sample, donor, random);
  return oddBody(sample, donor, random);
}

function oddBody(sample: Buffer, donor: Buffer, random: Random): Buffer {
  if (random.chance(0.08)) return mutateBytes(sample, random);
  try {
    return encode(mutateJson(JSON.parse(sample.toString()), JSON.parse(donor.toString()), random));
  } catch {
    return mutateBytes(sample, random);
  }
}

function embeddingCase(random: Random): Case {
  const odd = random.chance(0.3);
  const plain = { model: 'up/m', input: ['a'], ...(random.chance(0.5) && { encoding_format: 'base64' }) };
  return {
    ...frameOf('embeddings', random.pick(EMBEDDERS), random),
    request: encode(odd ? mutateJson(random.pick(EMBEDDING_REQUESTS), random.pick(EMBEDDING_REQUESTS), random) : plain),
    reading: random.pick(['whole', 'whole', 'refusal']),
    reply: oddBody(random.pick(VECTORS), random.pick(VECTORS), random),
  };
}

function countingCase(random: Random): Case {
  const requests = REQUESTS['anthropic-messages'];
  return {
    ...frameOf('counting', 'anthropic-messages', random),
    request: encode(random.chance(0.5) ? mutateJson(random.pick(requests), random.pick(requests), random) : random.pick(requests)),
    reading: random.pick(['whole', 'refusal']),
    reply: oddBody(Buffer.from('{"input_tokens":12}'), random.pick(VECTORS), random),
  };
}
