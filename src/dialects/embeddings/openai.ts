import { listOf, objectOf, readJson, textOf } from '../kit/json.js';
import { writeBody } from '../kit/json-splice.js';
import { decodeRefusal } from '../openai-chat/errors.js';
import { type EmbeddingAnswer, type EmbeddingRequest, type EmbeddingUpstream, inputUsage } from './embedding.js';
import { numbersOf } from './vectors.js';

/** OpenAI's `POST /v1/embeddings`, as many providers speak it. What a client of the same format sent passes, but for the model. */
export const openaiEmbeddings: EmbeddingUpstream = { name: 'openai', encodeRequest, decodeAnswer, decodeRefusal };

function encodeRequest(request: EmbeddingRequest, model: string): ReturnType<EmbeddingUpstream['encodeRequest']> {
  const body = request.body ? writeBody(request.source, { ...request.body, model }) : JSON.stringify({ model, ...ownBody(request) });
  return { path: '/embeddings', headers: [], body, warnings: [] };
}

function ownBody({ inputs, dimensions, encoding, endUser, inputType }: EmbeddingRequest): Record<string, unknown> {
  return {
    input: inputs,
    ...(dimensions !== null && { dimensions }),
    encoding_format: encoding,
    ...(endUser !== null && { user: endUser }),
    ...(inputType != null && { input_type: inputType }),
  };
}

function decodeAnswer(body: Buffer): EmbeddingAnswer {
  const reply = objectOf(readJson(body.toString()));
  if (!Array.isArray(reply['data'])) throw new Error('the reply has no embeddings');
  const raw = reply['usage'] ?? null;
  const { prompt_tokens: prompt, total_tokens: total } = objectOf(raw);
  return { vectors: vectorsOf(reply['data']), model: textOf(reply['model']), usage: inputUsage(prompt ?? total), usageRaw: raw };
}

/** In the order of the inputs; each says its place, and some servers leave that out. */
function vectorsOf(data: unknown): EmbeddingAnswer['vectors'] {
  const entries = listOf(data).map((entry, at) => {
    const { index, embedding } = objectOf(entry);
    return {
      place: typeof index === 'number' ? index : at,
      vector: typeof embedding === 'string' ? embedding : numbersOf(embedding),
    };
  });
  return entries.sort((a, b) => a.place - b.place).map(({ vector }) => vector);
}
