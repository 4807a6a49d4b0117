import { conversation } from '../../../test/support/conversations.js';
import type { UpstreamParams } from '../dialect.js';
import { encodeCountRequest } from './count-tokens.js';
import { anthropicMessages, messagesSurface, messagesVerbatim } from './index.js';

const MODEL = 'claude-sonnet-4-5@20250929';
const on = (cloud: 'vertex' | 'foundry', model = MODEL): UpstreamParams => ({
  model,
  maxOutputTokens: 50,
  thinkingLevel: null,
  quirks: { cloud },
});
const prompt = (fields: object = {}, betas: string[] = []) => ({
  ...messagesSurface.decodeRequest({ model: 'v/m', max_tokens: 100, messages: [{ role: 'user', content: 'Hi' }], ...fields }, 64),
  betas,
});

describe('on Vertex AI', () => {
  test('the path says which model, the body which version, and nothing else differs', () => {
    const { path, headers, body } = messagesVerbatim.encodeRequest(prompt({ future: 1 }), on('vertex'));
    expect([path, headers]).toEqual([`/models/${MODEL}:rawPredict`, []]);
    expect(JSON.parse(body)).toEqual({
      max_tokens: 50,
      messages: [{ role: 'user', content: 'Hi' }],
      future: 1,
      anthropic_version: 'vertex-2023-10-16',
    });
    const translated = anthropicMessages.encodeRequest(conversation({}), on('vertex'));
    expect([translated.path, translated.headers]).toEqual([path, headers]);
    expect(JSON.parse(translated.body)).toEqual({
      max_tokens: 50,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
      anthropic_version: 'vertex-2023-10-16',
    });
  });

  test('a stream has a path of its own', () => {
    const { path, body } = messagesVerbatim.encodeRequest(prompt({ stream: true }), on('vertex'));
    expect([path, JSON.parse(body).stream]).toEqual([`/models/${MODEL}:streamRawPredict`, true]);
    expect(anthropicMessages.encodeRequest(conversation({ stream: true }), on('vertex')).path).toBe(path);
  });

  test('betas go by their names there; those it would refuse are left out, and said to be', () => {
    const betas = ['web-search-2025-03-05', 'advanced-tool-use-2025-11-20', 'prompt-caching-scope-2026-01-05', 'constructor'];
    const { headers, warnings } = messagesVerbatim.encodeRequest(prompt({}, betas), on('vertex'));
    expect(headers).toEqual(['anthropic-beta', 'web-search-2025-03-05,tool-search-tool-2025-10-19']);
    expect(warnings).toEqual([
      '"anthropic-beta: prompt-caching-scope-2026-01-05" is not supported by this provider and was left out.',
      '"anthropic-beta: constructor" is not supported by this provider and was left out.',
    ]);
  });

  test('tokens are counted at one address for all models, without betas', () => {
    const { path, headers, body } = encodeCountRequest(prompt({}, ['web-search-2025-03-05']), on('vertex'));
    expect([path, headers]).toEqual(['/models/count-tokens:rawPredict', []]);
    expect(JSON.parse(body)).toEqual({
      model: MODEL,
      messages: [{ role: 'user', content: 'Hi' }],
      anthropic_version: 'vertex-2023-10-16',
    });
  });

  test.each(['../x', 'a/b?c', '..'])('a model id such as %j does not leave its place in the path', (model) => {
    const path = () => messagesVerbatim.encodeRequest(prompt(), on('vertex', model)).path;
    if (model === '..') expect(path).toThrow('no model id');
    else expect(path()).toMatch(/^\/models\/[^/?]+:rawPredict$/);
  });
});

test('Foundry is asked as Anthropic is, but for system messages further down', () => {
  const { path, headers } = messagesVerbatim.encodeRequest(prompt({}, ['any-beta']), on('foundry', 'claude-opus-5'));
  expect([path, headers]).toEqual(['/messages', ['anthropic-version', '2023-06-01', 'anthropic-beta', 'any-beta']]);
  const text = (value: string) => [{ type: 'text' as const, text: value }];
  const { body } = anthropicMessages.encodeRequest(
    conversation({
      turns: [
        { role: 'user', parts: text('Hi') },
        { role: 'system', developer: false, parts: text('X') },
      ],
    }),
    on('foundry', 'claude-opus-5'),
  );
  expect(JSON.parse(body).messages).toEqual([{ role: 'user', content: [...text('Hi'), ...text('<system>X</system>')] }]);
});
