import { bedrockEmbeddings } from './bedrock.js';
import type { EmbeddingRequest } from './embedding.js';
import { ollamaEmbeddings } from './ollama.js';
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
