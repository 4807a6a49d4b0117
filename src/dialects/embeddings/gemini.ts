import { decodeRefusal } from '../gemini/errors.js';
import { type JsonObject, listOf, objectOf, readJson } from '../kit/json.js';
import { leftOut } from '../kit/left-out.js';
import { pathSegment } from '../kit/path-segment.js';
import { type EmbeddingAnswer, type EmbeddingRequest, type EmbeddingUpstream, inputUsage, textsOf } from './embedding.js';
import { type Purpose, purposeOf } from './purpose.js';
import { numbersOf } from './vectors.js';

const MAX_TEXTS = 100;

const TASKS: Record<Purpose, string> = {
  query: 'RETRIEVAL_QUERY',
  document: 'RETRIEVAL_DOCUMENT',
  classification: 'CLASSIFICATION',
  clustering: 'CLUSTERING',
  similarity: 'SEMANTIC_SIMILARITY',
};

/** Google AI Studio's `batchEmbedContents`. It names no model, and most models report no usage. */
export const geminiEmbeddings: EmbeddingUpstream = { name: 'gemini', encodeRequest, decodeAnswer, decodeRefusal };

function encodeRequest(request: EmbeddingRequest, model: string): ReturnType<EmbeddingUpstream['encodeRequest']> {
  const name = model.replace(/^models\//, '');
  const task = taskOf(request.inputType ?? null);
  const requests = textsOf(request, MAX_TEXTS).map((text) => ({
    model: `models/${name}`,
    content: { parts: [{ text }] },
    ...(task.word !== null && { taskType: task.word }),
    ...(request.dimensions !== null && { outputDimensionality: request.dimensions }),
  }));
  return {
    path: `/models/${pathSegment(name)}:batchEmbedContents`,
    headers: [],
    body: JSON.stringify({ requests }),
    warnings: task.warnings,
  };
}

/** What Google calls the purpose of the texts. Its own words go as they are: it has some that others lack. */
export function taskOf(inputType: string | null): { word: string | null; warnings: string[] } {
  if (inputType === null) return { word: null, warnings: [] };
  if (/^[A-Z]+(?:_[A-Z]+)+$/.test(inputType)) return { word: inputType, warnings: [] };
  const purpose = purposeOf(inputType);
  return purpose ? { word: TASKS[purpose], warnings: [] } : { word: null, warnings: [leftOut('input_type')] };
}

function decodeAnswer(body: Buffer): EmbeddingAnswer {
  const reply: JsonObject = objectOf(readJson(body.toString()));
  if (!Array.isArray(reply['embeddings'])) throw new Error('the reply has no embeddings');
  const raw = reply['usageMetadata'] ?? null;
  return {
    vectors: listOf(reply['embeddings']).map((embedding) => numbersOf(objectOf(embedding)['values'])),
    model: null,
    usage: inputUsage(objectOf(raw)['promptTokenCount']),
    usageRaw: raw,
  };
}
