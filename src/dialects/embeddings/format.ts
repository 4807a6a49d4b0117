import type { Work } from '../../kernel/slices.js';
import type { Usage } from '../../kernel/usage.js';
import { rulesOf } from '../../model-rules/index.js';
import {
  type CallFormat,
  type DialectName,
  noFacts,
  PLAIN_REPLY,
  type Refusal,
  type ReplyHeaders,
  type ReplyIdentity,
  type Translation,
  type UpstreamParams,
  type UpstreamRequest,
  type WholeReply,
} from '../dialect.js';
import { betasLeftOut, versionLeftOut } from '../kit/anthropic-headers.js';
import { type IsAble, Unsupported } from '../kit/unsupported.js';
import { bedrockEmbeddings } from './bedrock.js';
import { cohereEmbeddings } from './cohere.js';
import type { EmbeddingRequest, EmbeddingUpstream } from './embedding.js';
import { geminiEmbeddings } from './gemini.js';
import { cutNumberLists } from './number-lists.js';
import { ollamaEmbeddings } from './ollama.js';
import { openaiEmbeddings } from './openai.js';
import { decodeEmbeddingRequest, encodeEmbeddingAnswer, encodeEmbeddingError, encodeVectors } from './surface.js';
import { vertexEmbeddings } from './vertex.js';
import { workersAiEmbeddings } from './workers-ai.js';

/** The embedding format that goes with a provider's format for conversations. */
const UPSTREAMS: Readonly<Partial<Record<DialectName, EmbeddingUpstream>>> = {
  'openai-chat': openaiEmbeddings,
  'openai-responses': openaiEmbeddings,
  gemini: geminiEmbeddings,
  'bedrock-converse': bedrockEmbeddings,
  ollama: ollamaEmbeddings,
  cohere: cohereEmbeddings,
  'workers-ai': workersAiEmbeddings,
};

const embeds: IsAble = ({ dialects, model }) => rulesOf(model).work.embeds && dialects.some((name) => UPSTREAMS[name]);

/** `POST /v1/embeddings`, for every provider that has embeddings. */
export const embeddings: CallFormat = {
  decodeRequest: (body, bytes) => decodeEmbeddingRequest(body, bytes).prompt,
  encodeError: encodeEmbeddingError,
  open(prompt, { dialects, quirks }, identity) {
    const dialect = dialects.find((name) => UPSTREAMS[name]);
    if (!dialect) throw new Unsupported('model', `The provider of "${prompt.model}" has no embeddings.`, embeds);
    const upstream = dialect === 'gemini' && quirks.cloud === 'vertex' ? vertexEmbeddings : UPSTREAMS[dialect]!;
    const { request } = decodeEmbeddingRequest(prompt.body, prompt.inputTokensBound);
    return {
      dialect,
      feature: null,
      translation: new EmbeddingTranslation(upstream, { ...request, source: prompt.source }, identity),
      leastOutputTokens: 0,
      compactsFrom: null,
      addedInputTokens: 0,
      warnings: [...betasLeftOut(prompt.betas), ...versionLeftOut(prompt.anthropicVersion)],
    };
  },
};

class EmbeddingTranslation implements Translation {
  readonly streams = null;
  readonly vectors = true;

  constructor(
    private readonly upstream: EmbeddingUpstream,
    private readonly request: EmbeddingRequest,
    private readonly identity: ReplyIdentity,
  ) {}

  encodeRequest({ model }: UpstreamParams): UpstreamRequest {
    return { ...this.upstream.encodeRequest(this.request, model), thinkingLevel: null, reply: PLAIN_REPLY };
  }

  *readWhole(body: Buffer, headers: ReplyHeaders): Work<WholeReply> {
    const { text, lists } = yield* cutNumberLists(body);
    yield;
    const answer = this.upstream.decodeAnswer(text, headers);
    yield;
    const data = yield* encodeVectors(answer.vectors, lists, this.request);
    const facts = { ...noFacts(), usage: answer.usage, usageIsFinal: true, usageRaw: answer.usageRaw, servedModel: answer.model };
    const render = (usage: Usage) => encodeEmbeddingAnswer(data, answer, usage, this.identity);
    return { facts, refusal: null, render };
  }

  decodeRefusal(status: number, body: Buffer, headers: ReplyHeaders): Refusal {
    return this.upstream.decodeRefusal(status, body, headers);
  }
}
