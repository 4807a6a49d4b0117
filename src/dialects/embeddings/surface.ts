import { WeirError } from '../../kernel/errors.js';
import type { Work } from '../../kernel/slices.js';
import { inputTotal, type Usage } from '../../kernel/usage.js';
import type { CallRequest, ReplyIdentity } from '../dialect.js';
import { Fields, invalid } from '../kit/fields.js';
import { type JsonObject } from '../kit/json.js';
import { endUserOf, modelOf, refuseTransport } from '../kit/prompt.js';
import type { EmbeddingAnswer, EmbeddingRequest } from './embedding.js';
import { packed, vectorOf } from './vectors.js';

/** An embeddings request, as the request lifecycle needs it and as a provider's format does. */
export interface EmbeddingPrompt {
  prompt: CallRequest;
  request: EmbeddingRequest;
}

const MAX_INPUTS = 2048;
const MAX_DIMENSIONS = 65_536;

/**
 * Reads a request of OpenAI's `POST /v1/embeddings`. Fields that Weir does not know stay in its body, for providers of the same format.
 * @param bytes of the request.
 * @throws WeirError invalid_request naming the field.
 */
export function decodeEmbeddingRequest(body: unknown, bytes: number): EmbeddingPrompt {
  const fields = Fields.of(body, '');
  const { values } = fields;
  refuseTransport(fields);
  const endUser = endUserOf(fields, 'user');
  return {
    prompt: {
      model: modelOf(fields),
      stream: false,
      includeUsage: false,
      // Vectors are no output tokens.
      maxOutputTokens: 0,
      choices: 1,
      endUser,
      inputTokensBound: bytes,
      body: values,
      betas: [],
    },
    request: {
      ...inputOf(values['input']),
      dimensions: dimensionsOf(values),
      encoding: encodingOf(values),
      endUser,
      inputType: inputTypeOf(fields),
      body: values,
    },
  };
}

/** The vectors as OpenAI writes them, as JSON. @throws when one is none. */
export function* encodeVectors(
  vectors: EmbeddingAnswer['vectors'],
  lists: readonly number[][],
  { encoding }: EmbeddingRequest,
): Work<string> {
  let data = '';
  for (const [index, vector] of vectors.entries()) {
    const numbers = vectorOf(vector, lists);
    const embedding = encoding === 'base64' ? packed(numbers) : numbers;
    data += `${data && ','}${JSON.stringify({ object: 'embedding', index, embedding })}`;
    yield;
  }
  // JavaScript joins the parts where they are first read: here, in a slice for this alone.
  data.charCodeAt(0);
  yield;
  return `[${data}]`;
}

/** The answer as OpenAI writes it. @param data its vectors, as JSON. @param usage what was booked. */
export function encodeEmbeddingAnswer(data: string, answer: EmbeddingAnswer, usage: Usage, identity: ReplyIdentity): string {
  const tokens = inputTotal(usage);
  const model = JSON.stringify(answer.model ?? identity.model);
  return `{"object":"list","data":${data},"model":${model},"usage":{"prompt_tokens":${tokens},"total_tokens":${tokens}}}`;
}

export function encodeEmbeddingError(error: WeirError): object {
  return { error: { message: error.message, type: error.type, param: error.param, code: error.code, ...error.fields } };
}

/** A text, several, or the same as token numbers. */
function inputOf(input: unknown): Pick<EmbeddingRequest, 'inputs' | 'tokens'> {
  const inputs = typeof input === 'string' ? [input] : input;
  if (!Array.isArray(inputs) || inputs.length === 0) throw invalidInput();
  if (inputs.every(isToken)) return { inputs: [], tokens: true };
  if (inputs.length > MAX_INPUTS) throw invalid('input', `"input" must not have more than ${MAX_INPUTS} entries.`);
  if (inputs.every((one) => Array.isArray(one) && one.length > 0 && one.every(isToken))) return { inputs: [], tokens: true };
  if (!inputs.every((one) => typeof one === 'string' && one !== '')) throw invalidInput();
  return { inputs };
}

const isToken = (value: unknown): boolean => typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const invalidInput = () =>
  invalid('input', '"input" must be a non-empty string, a list of such strings, a list of token numbers or a list of such lists.');

function dimensionsOf({ dimensions = null }: JsonObject): number | null {
  if (dimensions === null) return null;
  if (typeof dimensions !== 'number' || !Number.isInteger(dimensions) || dimensions < 1 || dimensions > MAX_DIMENSIONS)
    throw invalid('dimensions', `"dimensions" must be a whole number from 1 to ${MAX_DIMENSIONS}.`);
  return dimensions;
}

function encodingOf({ encoding_format: encoding = null }: JsonObject): EmbeddingRequest['encoding'] {
  if (encoding === null || encoding === 'float') return 'float';
  if (encoding === 'base64') return encoding;
  throw invalid('encoding_format', '"encoding_format" must be "float" or "base64".');
}

function inputTypeOf(fields: Fields): string | null {
  const word = fields.written('input_type');
  if (word !== null && !/^[\w.-]{1,64}$/.test(word)) throw fields.refuse('input_type', 'must be a word such as "search_query"');
  return word;
}
