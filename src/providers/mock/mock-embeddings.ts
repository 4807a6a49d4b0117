import { createHash } from 'node:crypto';
import { TooMuch } from './effort.js';

interface EmbeddingRequest {
  model: string;
  input: unknown;
  dimensions?: number;
  encoding_format?: string;
}

const DIMENSIONS = 64;
const BYTES_PER_TOKEN = 4;
/** Of all vectors together. */
const MAX_NUMBERS = 131_072;

/** Vectors of length 1 that depend on the text alone: the same text has the same vector, another text another. @throws TooMuch */
export function mockEmbeddings({ model, input, dimensions = DIMENSIONS, encoding_format: encoding }: EmbeddingRequest): object {
  const texts = (Array.isArray(input) && typeof input[0] !== 'number' ? input : [input]).map((one) =>
    typeof one === 'string' ? one : JSON.stringify(one),
  );
  if (texts.length * dimensions > MAX_NUMBERS)
    throw new TooMuch(
      `The mock provider makes at most ${MAX_NUMBERS} numbers for one request. Send fewer inputs, or ask for fewer dimensions.`,
    );
  const tokens = texts.reduce((sum, text) => sum + Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN), 0);
  return {
    object: 'list',
    model,
    data: texts.map((text, index) => ({ object: 'embedding', index, embedding: encoded(vectorOf(text, dimensions), encoding) })),
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  };
}

function vectorOf(text: string, dimensions: number): number[] {
  const raw: number[] = [];
  const digest = createHash('sha256').update(text).digest('hex');
  for (let block = 0; raw.length < dimensions; block++) {
    const bytes = createHash('sha256').update(`${block} ${digest}`).digest();
    for (const byte of bytes) raw.push((byte - 127.5) / 127.5);
  }
  const vector = raw.slice(0, dimensions);
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

const encoded = (vector: number[], encoding: string | undefined): number[] | string =>
  encoding === 'base64' ? Buffer.from(Float32Array.from(vector).buffer).toString('base64') : vector;
