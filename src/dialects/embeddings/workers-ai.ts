import { objectOf, readJson } from '../kit/json.js';
import { decodeRefusal, requireSuccess } from '../workers-ai/errors.js';
import type { EmbeddingUpstream } from './embedding.js';
import { openaiEmbeddings } from './openai.js';

/** Cloudflare's OpenAI-shaped `POST /ai/v1/embeddings`. Failures come in Cloudflare's envelope. */
export const workersAiEmbeddings: EmbeddingUpstream = {
  name: 'workers-ai',
  encodeRequest(request, model) {
    const encoded = openaiEmbeddings.encodeRequest(request, model);
    return { ...encoded, path: `/v1${encoded.path}` };
  },
  decodeAnswer(body, headers) {
    requireSuccess(objectOf(readJson(body.toString())));
    return openaiEmbeddings.decodeAnswer(body, headers);
  },
  decodeRefusal,
};
