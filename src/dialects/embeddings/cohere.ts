import { decodeRefusal } from '../cohere/errors.js';
import { listOf, objectOf, readJson } from '../kit/json.js';
import { leftOut } from '../kit/left-out.js';
import { type EmbeddingAnswer, type EmbeddingRequest, type EmbeddingUpstream, inputUsage, textsOf } from './embedding.js';
import { type Purpose, purposeOf } from './purpose.js';
import { numbersOf } from './vectors.js';

const MAX_TEXTS = 96;

/** Cohere demands one; texts that are not said to be questions are what answers them. */
export const COHERE_INPUT_TYPES: Record<Purpose, string> = {
  query: 'search_query',
  document: 'search_document',
  classification: 'classification',
  clustering: 'clustering',
  similarity: 'clustering',
};

/** Cohere's v2 `embed`. */
export const cohereEmbeddings: EmbeddingUpstream = { name: 'cohere', encodeRequest, decodeAnswer, decodeRefusal };

function encodeRequest(request: EmbeddingRequest, model: string): ReturnType<EmbeddingUpstream['encodeRequest']> {
  const asked = request.inputType ?? null;
  const purpose = asked === null ? null : purposeOf(asked);
  const body = {
    model,
    texts: textsOf(request, MAX_TEXTS),
    input_type: COHERE_INPUT_TYPES[purpose ?? 'document'],
    embedding_types: ['float'],
    ...(request.dimensions !== null && { output_dimension: request.dimensions }),
    // A text that is too long is refused, as with other providers, not cut.
    truncate: 'NONE',
  };
  return {
    path: '/embed',
    headers: [],
    body: JSON.stringify(body),
    warnings: asked !== null && purpose === null ? [leftOut('input_type')] : [],
  };
}

function decodeAnswer(body: Buffer): EmbeddingAnswer {
  const reply = objectOf(readJson(body.toString()));
  const vectors = objectOf(reply['embeddings'])['float'];
  if (!Array.isArray(vectors)) throw new Error('the reply has no embeddings');
  const raw = reply['meta'] ?? null;
  return {
    vectors: listOf(vectors).map(numbersOf),
    model: null,
    usage: inputUsage(objectOf(objectOf(raw)['billed_units'])['input_tokens']),
    usageRaw: raw,
  };
}
