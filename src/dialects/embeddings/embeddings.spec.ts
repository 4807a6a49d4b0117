import fc from 'fast-check';
import { atOnce } from '../../kernel/slices.js';
import { NO_USAGE } from '../../kernel/usage.js';
import { cohereEmbeddings } from './cohere.js';
import { type EmbeddingRequest, inputUsage } from './embedding.js';
import { geminiEmbeddings } from './gemini.js';
import { cutNumberLists } from './number-lists.js';
import { openaiEmbeddings } from './openai.js';
import { decodeEmbeddingRequest, encodeEmbeddingAnswer, encodeVectors } from './surface.js';
import { packed, unpacked, vectorOf } from './vectors.js';

const REQUEST: EmbeddingRequest = { inputs: ['a', 'b'], dimensions: null, encoding: 'float', endUser: null };
const USAGE = { ...NO_USAGE, input: 3, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 0, reasoning: null };
const IDENTITY = { id: 'x', createdAt: 0, model: 'openai/m' };
const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const decode = (body: object) => decodeEmbeddingRequest(body, 99);

describe('the embeddings surface', () => {
  test('reads a text and several, and keeps the body as it came', () => {
    const body = { model: 'openai/m', input: 'a', dimensions: 8, encoding_format: 'base64', user: 'u', input_type: 'query', new_field: 1 };
    const { prompt, request } = decode(body);
    expect(prompt).toMatchObject({ model: 'openai/m', stream: false, maxOutputTokens: 0, endUser: 'u', inputTokensBound: 99, body });
    expect(request).toEqual({ inputs: ['a'], dimensions: 8, encoding: 'base64', endUser: 'u', inputType: 'query', body });
    expect(decode({ input: ['a', 'b'] }).request.inputs).toEqual(['a', 'b']);
  });

  test.each([[[1, 2, 3]], [[[1, 2], [3]]]])('takes the token numbers %j for providers of the same format only', (input) => {
    const { request } = decode({ input });
    expect(request).toMatchObject({ inputs: [], tokens: true });
    expect(JSON.parse(openaiEmbeddings.encodeRequest(request, 'm').body)).toEqual({ input, model: 'm' });
    expect(() => cohereEmbeddings.encodeRequest(request, 'm')).toThrow('not token numbers');
    expect(() => geminiEmbeddings.encodeRequest(request, 'm')).toThrow('not token numbers');
  });

  test.each([
    [{}, 'input'],
    [{ input: '' }, 'input'],
    [{ input: [] }, 'input'],
    [{ input: ['a', 1] }, 'input'],
    [{ input: [[]] }, 'input'],
    [{ input: [1.5] }, 'input'],
    [{ input: 'a', dimensions: 0 }, 'dimensions'],
    [{ input: 'a', encoding_format: 'hex' }, 'encoding_format'],
    [{ input: 'a', user: 7 }, 'user'],
    [{ input: 'a', model: 'a b' }, 'model'],
    [{ input: 'a', api_base: 'https://x.test' }, 'api_base'],
  ])('refuses %j by the name of its field', (body, param) => {
    expect(() => decode(body)).toThrow(expect.objectContaining({ code: 'invalid_request', param }));
  });

  test('refuses whatever is wrong in its own words, and nothing else', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (body) => {
        try {
          decodeEmbeddingRequest(body, 1);
        } catch (error) {
          expect(error).toMatchObject({ code: 'invalid_request' });
        }
      }),
    );
  });

  test('writes vectors as numbers or packed, with what was booked', () => {
    const answer = { vectors: [[0]], model: null, usage: null, usageRaw: null };
    const encoded = (request: EmbeddingRequest, model: string | null = null) =>
      encodeEmbeddingAnswer(atOnce(encodeVectors(answer.vectors, [[0.5, -2]], request)), { ...answer, model }, USAGE, IDENTITY);
    expect(JSON.parse(encoded(REQUEST))).toEqual({
      object: 'list',
      data: [{ object: 'embedding', index: 0, embedding: [0.5, -2] }],
      model: 'openai/m',
      usage: { prompt_tokens: 3, total_tokens: 3 },
    });
    const base64 = JSON.parse(encoded({ ...REQUEST, encoding: 'base64' }, 'm'));
    expect(base64).toMatchObject({ model: 'm', data: [{ embedding: 'AAAAPwAAAMA=' }] });
  });
});

describe('lists of numbers', () => {
  test('are cut out of a reply, and nothing else is', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }))), fc.jsonValue(), (vectors, other) => {
        const hasLists = JSON.stringify(other).includes('[');
        const reply = { data: vectors.map((embedding) => ({ embedding })), ...(!hasLists && { other }) };
        const { text, lists } = atOnce(cutNumberLists(json(reply)));
        const read = JSON.parse(text.toString()) as { data: { embedding: number[] }[]; other?: unknown };
        expect(JSON.stringify(read.data.map(({ embedding }) => vectorOf(embedding, lists)))).toBe(JSON.stringify(vectors));
        if (!hasLists) expect(JSON.stringify(read.other)).toBe(JSON.stringify(other));
      }),
    );
  });

  test('that end nowhere take no longer the more there are', () => {
    const started = performance.now();
    atOnce(cutNumberLists(Buffer.from(`[${'[1,'.repeat(80_000)}`)));
    expect(performance.now() - started).toBeLessThan(2_000);
    expect(() => atOnce(cutNumberLists(Buffer.from(`[${'[],"a",'.repeat(400_000)}1]`)))).toThrow('too many');
  });
});

describe('packed vectors', () => {
  test('are what was packed, to the bit', () => {
    fc.assert(
      fc.property(fc.array(fc.float({ noNaN: true }), { minLength: 1 }), (vector) => {
        expect(unpacked(packed(vector))).toEqual(vector);
      }),
    );
  });

  test.each(['', 'AAA=', '***'])('that are none are refused: %j', (text) => {
    expect(() => unpacked(text)).toThrow();
  });
});

describe('OpenAI embeddings', () => {
  test('pass what the client sent, but for the model', () => {
    const { request } = decode({ input: 'a', model: 'openai/m', new_field: 1 });
    expect(openaiEmbeddings.encodeRequest(request, 'm').body).toBe('{"input":"a","model":"m","new_field":1}');
  });

  test('are asked for from what other formats say, too', () => {
    expect(JSON.parse(openaiEmbeddings.encodeRequest({ ...REQUEST, dimensions: 4, endUser: 'u' }, 'm').body)).toEqual({
      model: 'm',
      input: ['a', 'b'],
      dimensions: 4,
      encoding_format: 'float',
      user: 'u',
    });
  });

  test('come in the order of the inputs, as numbers or packed', () => {
    const data = [
      { index: 1, embedding: [2] },
      { index: 0, embedding: packed([1]) },
    ];
    expect(openaiEmbeddings.decodeAnswer(json({ data, model: 'm', usage: { prompt_tokens: 3, total_tokens: 3 } }), {})).toEqual({
      vectors: [packed([1]), [2]],
      model: 'm',
      usage: USAGE,
      usageRaw: { prompt_tokens: 3, total_tokens: 3 },
    });
  });

  test.each([{ prompt_tokens: -1 }, { prompt_tokens: 'three' }, null])('with usage %j have none', (usage) => {
    expect(openaiEmbeddings.decodeAnswer(json({ data: [], usage }), {})).toMatchObject({ usage: null, usageRaw: usage });
  });

  test('that are none cannot be read', () => {
    expect(() => openaiEmbeddings.decodeAnswer(json({}), {})).toThrow('no embeddings');
    expect(() => openaiEmbeddings.decodeAnswer(json({ data: [{ embedding: null }] }), {})).toThrow();
  });
});

describe('Gemini embeddings', () => {
  test('are asked for in one batch, of at most a hundred', () => {
    const { path, body } = geminiEmbeddings.encodeRequest({ ...REQUEST, dimensions: 8, inputType: 'search_document' }, 'models/e');
    expect(path).toBe('/models/e:batchEmbedContents');
    const one = (text: string) => ({
      model: 'models/e',
      content: { parts: [{ text }] },
      taskType: 'RETRIEVAL_DOCUMENT',
      outputDimensionality: 8,
    });
    expect(JSON.parse(body)).toEqual({ requests: [one('a'), one('b')] });
    expect(() => geminiEmbeddings.encodeRequest({ ...REQUEST, inputs: Array(101).fill('a') }, 'e')).toThrow('at most 100');
  });

  test("take Google's own words, and say when they do not know one", () => {
    const asked = (inputType: string) => geminiEmbeddings.encodeRequest({ ...REQUEST, inputType }, 'e');
    expect(JSON.parse(asked('CODE_RETRIEVAL_QUERY').body).requests[0].taskType).toBe('CODE_RETRIEVAL_QUERY');
    expect(JSON.parse(asked('poetry').body).requests[0]).not.toHaveProperty('taskType');
    expect(asked('poetry').warnings).toHaveLength(1);
  });

  test('have no usage, unless they tell it', () => {
    const embeddings = [{ values: [1] }];
    expect(geminiEmbeddings.decodeAnswer(json({ embeddings }), {})).toEqual({ vectors: [[1]], model: null, usage: null, usageRaw: null });
    expect(geminiEmbeddings.decodeAnswer(json({ embeddings, usageMetadata: { promptTokenCount: 3 } }), {}).usage).toEqual(USAGE);
  });
});

describe('Cohere embeddings', () => {
  test('always say what for, and are never of a cut text', () => {
    const asked = (inputType: string | null) => JSON.parse(cohereEmbeddings.encodeRequest({ ...REQUEST, inputType }, 'e').body);
    expect(asked(null)).toEqual({
      model: 'e',
      texts: ['a', 'b'],
      input_type: 'search_document',
      embedding_types: ['float'],
      truncate: 'NONE',
    });
    expect(asked('RETRIEVAL_QUERY').input_type).toBe('search_query');
    expect(() => cohereEmbeddings.encodeRequest({ ...REQUEST, inputs: Array(97).fill('a') }, 'e')).toThrow('at most 96');
  });

  test('are counted as they are billed', () => {
    const reply = { embeddings: { float: [[1]] }, meta: { billed_units: { input_tokens: 3 } } };
    expect(cohereEmbeddings.decodeAnswer(json(reply), {})).toEqual({ vectors: [[1]], model: null, usage: USAGE, usageRaw: reply.meta });
  });
});

test.each([-1, 0.5, 1e13, Number.MAX_SAFE_INTEGER, 'three', '', ' 3', '-3', '3.0', '1e3', null])('%p is no count of tokens', (tokens) => {
  expect(inputUsage(tokens)).toBeNull();
});
