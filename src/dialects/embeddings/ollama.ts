import { listOf, objectOf, readJson, textOf } from '../kit/json.js';
import { leftOut } from '../kit/left-out.js';
import { decodeRefusal } from '../ollama/reply.js';
import { type EmbeddingAnswer, type EmbeddingRequest, type EmbeddingUpstream, inputUsage, textsOf } from './embedding.js';
import { numbersOf } from './vectors.js';

/** Ollama's own `POST /api/embed`. */
export const ollamaEmbeddings: EmbeddingUpstream = { name: 'ollama', encodeRequest, decodeAnswer, decodeRefusal };

function encodeRequest(request: EmbeddingRequest, model: string): ReturnType<EmbeddingUpstream['encodeRequest']> {
  const { dimensions, inputType } = request;
  // A text that is too long is refused, as with other providers, not cut.
  const body = { model, input: textsOf(request), ...(dimensions !== null && { dimensions }), truncate: false };
  return { path: '/embed', headers: [], body: JSON.stringify(body), warnings: inputType ? [leftOut('input_type')] : [] };
}

function decodeAnswer(body: Buffer): EmbeddingAnswer {
  const reply = objectOf(readJson(body.toString()));
  if (!Array.isArray(reply['embeddings'])) throw new Error('the reply has no embeddings');
  const count = reply['prompt_eval_count'];
  return {
    vectors: listOf(reply['embeddings']).map(numbersOf),
    model: textOf(reply['model']),
    usage: inputUsage(count),
    usageRaw: count === undefined ? null : { prompt_eval_count: count },
  };
}
