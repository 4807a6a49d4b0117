import { WeirError } from '../../kernel/errors.js';
import { bedrockModel, rulesOf } from '../../model-rules/index.js';
import { decodeRefusal } from '../bedrock-converse/errors.js';
import type { ReplyHeaders } from '../dialect.js';
import { type JsonObject, listOf, objectOf, readJson } from '../kit/json.js';
import { leftOut } from '../kit/left-out.js';
import { pathSegment } from '../kit/path-segment.js';
import { COHERE_INPUT_TYPES } from './cohere.js';
import { type EmbeddingAnswer, type EmbeddingRequest, type EmbeddingUpstream, inputUsage, textsOf } from './embedding.js';
import { purposeOf } from './purpose.js';
import { numbersOf } from './vectors.js';

const TOKENS_HEADER = 'x-amzn-bedrock-input-token-count';
const COHERE_TEXTS = 96;

/** Bedrock's `POST /model/{id}/invoke`, for the models of Amazon and of Cohere, whose bodies have nothing in common. */
export const bedrockEmbeddings: EmbeddingUpstream = { name: 'bedrock', encodeRequest, decodeAnswer, decodeRefusal };

function encodeRequest(request: EmbeddingRequest, id: string): ReturnType<EmbeddingUpstream['encodeRequest']> {
  const { vendor } = bedrockModel(id);
  const { oneLength } = rulesOf(id).embeddings;
  const { body, warnings } = vendor === 'cohere' ? cohereBody(request, oneLength) : titanBody(request, oneLength);
  return { path: `/model/${pathSegment(id)}/invoke`, headers: [], body: JSON.stringify(body), warnings };
}

interface Body {
  body: JsonObject;
  warnings: string[];
}

function titanBody(request: EmbeddingRequest, oneLength: boolean): Body {
  const [inputText] = textsOf(request, 1);
  const warnings = request.inputType ? [leftOut('input_type')] : [];
  if (oneLength) return { body: { inputText, ...ownLength(request) }, warnings };
  return { body: { inputText, ...(request.dimensions !== null && { dimensions: request.dimensions }), normalize: true }, warnings };
}

function cohereBody(request: EmbeddingRequest, oneLength: boolean): Body {
  const asked = request.inputType ?? null;
  const purpose = asked === null ? null : purposeOf(asked);
  const body = {
    texts: textsOf(request, COHERE_TEXTS),
    input_type: COHERE_INPUT_TYPES[purpose ?? 'document'],
    ...(oneLength ? ownLength(request) : request.dimensions !== null && { output_dimension: request.dimensions }),
    // A text that is too long is refused, not cut.
    truncate: 'NONE',
  };
  return { body, warnings: asked !== null && purpose === null ? [leftOut('input_type')] : [] };
}

/** For models whose vectors have one length. @throws WeirError invalid_request when another is asked for. */
function ownLength({ dimensions }: EmbeddingRequest): JsonObject {
  if (dimensions === null) return {};
  throw new WeirError('invalid_request', {
    param: 'dimensions',
    message: 'The vectors of this model have one length. Leave "dimensions" out.',
  });
}

/** Cohere's older models give the vectors as a list, newer ones by type. Tokens are told in a header, by Titan also in the body. */
function decodeAnswer(body: Buffer, headers: ReplyHeaders): EmbeddingAnswer {
  const { embedding, embeddings, inputTextTokenCount } = objectOf(readJson(body.toString()));
  const vectors = embedding === undefined ? (Array.isArray(embeddings) ? embeddings : objectOf(embeddings)['float']) : [embedding];
  if (!Array.isArray(vectors)) throw new Error('the reply has no embeddings');
  const header = headers[TOKENS_HEADER];
  return {
    vectors: listOf(vectors).map(numbersOf),
    model: null,
    usage: inputUsage(typeof header === 'string' && /^\d+$/.test(header) ? Number(header) : inputTextTokenCount),
    usageRaw: header === undefined ? (inputTextTokenCount === undefined ? null : { inputTextTokenCount }) : { [TOKENS_HEADER]: header },
  };
}
