import { bedrockEmbeddings } from './bedrock.js';
import type { EmbeddingRequest } from './embedding.js';
import { ollamaEmbeddings } from './ollama.js';
import { vertexEmbeddings } from './vertex.js';
import { workersAiEmbeddings } from './workers-ai.js';

const request = (fields: Partial<EmbeddingRequest> = {}): EmbeddingRequest => ({
  inputs: ['a'],
  dimensions: null,
  encoding: 'float',
  endUser: null,
  ...fields,
});
const json = (value: object) => Buffer.from(JSON.stringify(value));

describe('Bedrock', () => {
  const sent = (model: string, fields: Partial<EmbeddingRequest> = {}) =>
    JSON.parse(bedrockEmbeddings.encodeRequest(request(fields), model).body);
  const TITAN = 'amazon.titan-embed-text-v2:0';
  const COHERE = 'cohere.embed-v4:0';

  test('Titan takes one text at once', () => {
    expect(bedrockEmbeddings.encodeRequest(request(), TITAN).path).toBe('/model/amazon.titan-embed-text-v2%3A0/invoke');
    expect(sent(TITAN, { dimensions: 256 })).toEqual({ inputText: 'a', dimensions: 256, normalize: true });
    expect(() => sent(TITAN, { inputs: ['a', 'b'] })).toThrow('at most 1');
  });

  test('Cohere wants to know what the texts are for', () => {
    expect(sent(COHERE, { inputType: 'RETRIEVAL_QUERY', dimensions: 512 })).toEqual({
      texts: ['a'],
      input_type: 'search_query',
      output_dimension: 512,
      truncate: 'NONE',
    });
    expect(sent(COHERE)).toMatchObject({ input_type: 'search_document' });
  });

  test('a length that a model does not have is refused', () => {
    for (const model of ['amazon.titan-embed-text-v1', 'cohere.embed-english-v3'])
      expect(() => sent(model, { dimensions: 256 })).toThrow('one length');
  });

  test.each([
    ['Titan', { embedding: [1, 2], inputTextTokenCount: 3 }, {}],
    ['Cohere by type', { embeddings: { float: [[1, 2]] } }, { 'x-amzn-bedrock-input-token-count': '3' }],
    ['Cohere of old', { embeddings: [[1, 2]] }, { 'x-amzn-bedrock-input-token-count': '3' }],
  ])('%s: vectors from the body, tokens from where they are', (_name, body, headers) =>
    expect(bedrockEmbeddings.decodeAnswer(json(body), headers)).toMatchObject({ vectors: [[1, 2]], usage: { input: 3, output: 0 } }),
  );

  test('no tokens told is no usage', () => expect(bedrockEmbeddings.decodeAnswer(json({ embedding: [1] }), {}).usage).toBeNull());
});

describe('Vertex AI', () => {
  const asked = (model: string, fields: Partial<EmbeddingRequest> = {}) => {
    const { path, body, warnings } = vertexEmbeddings.encodeRequest(request(fields), model);
    return { path, warnings, sent: JSON.parse(body) };
  };

  test('embeds up to 250 texts by predict, and cuts none', () => {
    const { path, sent } = asked('text-embedding-005', { inputs: ['a', 'b'], inputType: 'search_query', dimensions: 256 });
    expect(path).toBe('/models/text-embedding-005:predict');
    expect(sent).toEqual({
      instances: ['a', 'b'].map((content) => ({ task_type: 'RETRIEVAL_QUERY', content })),
      parameters: { autoTruncate: false, outputDimensionality: 256 },
    });
    expect(asked('text-multilingual-embedding-002', { inputType: 'poetry' })).toMatchObject({
      sent: { instances: [{ content: 'a' }], parameters: { autoTruncate: false } },
      warnings: [expect.stringContaining('input_type')],
    });
    expect(() => asked('text-embedding-005', { inputs: Array(251).fill('a') })).toThrow('at most 250');
  });

  test('embeds one text at once with a model of Gemini’s', () => {
    expect(asked('gemini-embedding-001')).toMatchObject({
      path: '/models/gemini-embedding-001:predict',
      sent: { instances: [{ content: 'a' }] },
    });
    expect(asked('gemini-embedding-2', { dimensions: 768, inputType: 'query' })).toEqual({
      path: '/models/gemini-embedding-2:embedContent',
      sent: { content: { parts: [{ text: 'a' }] }, embedContentConfig: { autoTruncate: false, outputDimensionality: 768 } },
      warnings: [expect.stringContaining('input_type')],
    });
    for (const model of ['gemini-embedding-001', 'gemini-embedding-2'])
      expect(() => asked(model, { inputs: ['a', 'b'] })).toThrow('at most 1');
  });

  test('tells the tokens of each text, which are summed', () => {
    const predictions = [3, 4].map((token_count) => ({ embeddings: { values: [1, 2], statistics: { token_count, truncated: false } } }));
    expect(vertexEmbeddings.decodeAnswer(json({ predictions }), {})).toMatchObject({
      vectors: [
        [1, 2],
        [1, 2],
      ],
      usage: { input: 7, output: 0 },
      usageRaw: [{ token_count: 3, truncated: false }, { token_count: 4 }],
    });
    const newer = { embedding: { values: [1] }, usageMetadata: { promptTokenCount: 5 } };
    expect(vertexEmbeddings.decodeAnswer(json(newer), {})).toMatchObject({ vectors: [[1]], usage: { input: 5 } });
  });

  test.each([undefined, -1, 'three'])('a count of %p is no usage', (token_count) => {
    const predictions = [{ token_count: 3 }, { token_count }].map((statistics) => ({ embeddings: { values: [1], statistics } }));
    expect(vertexEmbeddings.decodeAnswer(json({ predictions }), {}).usage).toBeNull();
  });

  test('a reply without vectors is none', () => {
    for (const reply of [{}, { predictions: [{}] }]) expect(() => vertexEmbeddings.decodeAnswer(json(reply), {})).toThrow();
  });
});

test('Ollama embeds several texts, and cuts none', () => {
  const { path, body } = ollamaEmbeddings.encodeRequest(request({ inputs: ['a', 'b'] }), 'bge-m3');
  expect([path, JSON.parse(body)]).toEqual(['/embed', { model: 'bge-m3', input: ['a', 'b'], truncate: false }]);
  expect(ollamaEmbeddings.decodeAnswer(json({ model: 'bge-m3', embeddings: [[1], [2]], prompt_eval_count: 4 }), {})).toMatchObject({
    vectors: [[1], [2]],
    model: 'bge-m3',
    usage: { input: 4 },
  });
});

test('Workers AI speaks OpenAI’s format below a path of its own, and fails in its envelope', () => {
  expect(workersAiEmbeddings.encodeRequest(request(), '@cf/baai/bge-m3').path).toBe('/v1/embeddings');
  const reply = { data: [{ index: 0, embedding: [1] }], usage: { prompt_tokens: 2 } };
  expect(workersAiEmbeddings.decodeAnswer(json(reply), {})).toMatchObject({ vectors: [[1]], usage: { input: 2 } });
  expect(() => workersAiEmbeddings.decodeAnswer(json({ success: false, errors: [{ code: 3040, message: 'x' }] }), {})).toThrow();
});
