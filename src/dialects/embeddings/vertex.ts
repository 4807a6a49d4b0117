import { rulesOf } from '../../model-rules/index.js';
import { decodeRefusal } from '../gemini/errors.js';
import { objectOf, readJson } from '../kit/json.js';
import { leftOut } from '../kit/left-out.js';
import { pathSegment } from '../kit/path-segment.js';
import { tokenCount } from '../kit/token-count.js';
import { type EmbeddingAnswer, type EmbeddingRequest, type EmbeddingUpstream, inputUsage, textsOf } from './embedding.js';
import { taskOf } from './gemini.js';
import { numbersOf } from './vectors.js';

/** Google's own models on Vertex AI, which has `predict` for those up to `gemini-embedding-001`, and `embedContent` for newer ones. */
export const vertexEmbeddings: EmbeddingUpstream = { name: 'vertex', encodeRequest, decodeAnswer, decodeRefusal };

/** A text that is too long is refused, as with other providers, not cut. */
const WHOLE = { autoTruncate: false };

function encodeRequest(request: EmbeddingRequest, model: string): ReturnType<EmbeddingUpstream['encodeRequest']> {
  const { onVertex } = rulesOf(model).embeddings;
  const texts = textsOf(request, onVertex.texts);
  const parameters = { ...WHOLE, ...(request.dimensions !== null && { outputDimensionality: request.dimensions }) };
  const method = (name: string) => ({ path: `/models/${pathSegment(model)}:${name}`, headers: [] });
  if (onVertex.method === 'embedContent') {
    const body = { content: { parts: texts.map((text) => ({ text })) }, embedContentConfig: parameters };
    // These are told in the text itself.
    return { ...method('embedContent'), body: JSON.stringify(body), warnings: request.inputType ? [leftOut('input_type')] : [] };
  }
  const task = taskOf(request.inputType ?? null);
  const instances = texts.map((content) => ({ ...(task.word !== null && { task_type: task.word }), content }));
  return { ...method('predict'), body: JSON.stringify({ instances, parameters }), warnings: task.warnings };
}

function decodeAnswer(body: Buffer): EmbeddingAnswer {
  const { predictions, embedding, usageMetadata = null } = objectOf(readJson(body.toString()));
  if (!Array.isArray(predictions)) {
    const vectors = [numbersOf(objectOf(embedding)['values'])];
    return { vectors, model: null, usage: inputUsage(objectOf(usageMetadata)['promptTokenCount']), usageRaw: usageMetadata };
  }
  const embeddings = predictions.map((prediction) => objectOf(objectOf(prediction)['embeddings']));
  const statistics = embeddings.map(({ statistics }) => statistics ?? null);
  return {
    vectors: embeddings.map(({ values }) => numbersOf(values)),
    model: null,
    usage: inputUsage(sumOf(statistics)),
    usageRaw: statistics,
  };
}

/** Null: a text's count is missing, or none that is sane. */
function sumOf(statistics: unknown[]): number | null {
  const counts = statistics.map((one) => tokenCount(objectOf(one)['token_count']));
  return counts.reduce<number | null>((sum, count) => (sum === null || count === null ? null : sum + count), 0);
}
