import { bedrockEmbeddings } from '../../src/dialects/embeddings/bedrock.js';
import { cohereEmbeddings } from '../../src/dialects/embeddings/cohere.js';
import type { EmbeddingRequest, EmbeddingUpstream } from '../../src/dialects/embeddings/embedding.js';
import { geminiEmbeddings } from '../../src/dialects/embeddings/gemini.js';
import { unpacked } from '../../src/dialects/embeddings/vectors.js';
import { recordings, requestOf, responseOf, rows } from './recordings.js';

const UPSTREAMS: Record<string, EmbeddingUpstream> = {
  batchEmbedContents: geminiEmbeddings,
  'v2/embed': cohereEmbeddings,
  invoke: bedrockEmbeddings,
};
const all = recordings(({ api }) => api in UPSTREAMS);

const REQUEST: EmbeddingRequest = { inputs: ['Hello, world!'], dimensions: null, encoding: 'float', endUser: null, inputType: 'query' };

/** What cannot be seen in a vector to six digits does not count. */
const rounded = (vector: number[]): number[] => vector.map((number) => Number(number.toFixed(5)));

describe('recorded embeddings', () => {
  test.each(rows(all.filter(({ http_status }) => http_status === 200)))('%s has its vectors and its usage', (_id, one) => {
    if (!one) return;
    const { vectors, usage } = UPSTREAMS[one.api]!.decodeAnswer(responseOf(one), one.response_headers ?? {});
    expect(usage?.input ?? null).toBe(one.expected.usage?.input_uncached ?? null);
    const { embeddings } = one.expected;
    if (!embeddings) return;
    expect(vectors).toHaveLength(embeddings.count);
    const first = embeddings.first_values[0] as number[];
    const numbers = typeof vectors[0] === 'string' ? unpacked(vectors[0]) : vectors[0]!;
    expect(numbers).toHaveLength(embeddings.dimensions);
    expect(rounded(numbers.slice(0, first.length))).toEqual(rounded(first));
  });

  test.each(rows(all.filter(({ http_status }) => http_status !== 200)))('%s is a refusal with its sentence', (_id, one) => {
    if (!one) return;
    const { class: kind, message } = UPSTREAMS[one.api]!.decodeRefusal(one.http_status, responseOf(one), {});
    expect([kind, message]).toEqual(['model_not_found', one.expected.error?.message]);
  });

  test.each(rows(all.filter(({ api }) => api !== 'invoke')))('%s is asked for with the same request', (_id, one) => {
    if (!one) return;
    const recorded = requestOf(one);
    const model = (recorded['model'] as string) ?? (recorded['requests'] as { model: string }[])[0]!.model;
    const dimensions = (recorded['requests'] as { outputDimensionality?: number }[] | undefined)?.[0]?.outputDimensionality ?? null;
    const { body } = UPSTREAMS[one.api]!.encodeRequest({ ...REQUEST, dimensions }, model);
    expect(JSON.parse(body)).toEqual(withoutNulls(recorded));
  });
});

test.each(rows(all.filter(({ api }) => api === 'invoke')))('%s is asked for with the same request, its model in the path', (_id, one) => {
  if (!one) return;
  const recorded = requestOf(one) as { texts: string[]; output_dimension?: number };
  const asked = { ...REQUEST, inputs: recorded.texts, dimensions: recorded.output_dimension ?? null };
  const model = decodeURIComponent(/model\/([^/]+)/.exec(one.source.uri!)![1]!);
  const { path, body } = bedrockEmbeddings.encodeRequest(asked, model);
  expect(one.source.uri).toContain(path);
  expect(JSON.parse(body)).toEqual(recorded);
});

const withoutNulls = (request: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(request).filter(([, value]) => value !== null));
