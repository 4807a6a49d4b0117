import fc from 'fast-check';
import { faultOfCall, faultOfParameter, faultOfPath, matches } from './egress-rule.js';

const matched = (template: string, path: string): boolean => matches({ path: template }, path);

test.each([
  ['/v1/files/{id}', '/v1/files/file-abc_1.2~3'],
  ['/v1/files/{id}/content', '/v1/files/file-1/content'],
  ['/v1beta/models/{model}:countTokens', '/v1beta/models/a-1.5:countTokens'],
  ['/v1/models/ft:a:b', '/v1/models/ft:a:b'],
])('%s matches %s', (template, path) => expect(matched(template, path)).toBe(true));

test.each([
  '/v1/files',
  '/v1/files/',
  '/v1/files//',
  '/v1/files/a/b',
  '/v1//files/a',
  '//v1/files/a',
  'v1/files/a',
  '/V1/files/a',
  '/v1/files/.',
  '/v1/files/..',
  '/v1/files/../files/a',
  '/v1/files/a%2fb',
  '/v1/files/%2e%2e',
  '/v1/files/%252e',
  '/v1/files/a;b',
  '/v1/files/a:delete',
  '/v1/files/a?x=1',
  '/v1/files/a#b',
  '/v1/files/a\\b',
  '/v1/files/a b',
  '/v1/files/{id}',
  '/v1/files/ä',
])('/v1/files/{id} does not match %s', (path) => expect(matched('/v1/files/{id}', path)).toBe(false));

test('what matches a template has its parts, and nothing that is read as another path', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'ab./%2e:;\\{}?#*~-_1') }), (value) => {
      const path = `/v1/files/${value}`;
      if (!matched('/v1/files/{id}', path)) return;
      expect(new URL(path, 'https://a.example').pathname).toBe(path);
      expect(path.split('/')).toHaveLength(4);
    }),
  );
});

test.each([
  '/v1/files/*',
  '/v1/files/{id',
  '/v1/files/{}',
  '/v1/files/x{id}',
  '/v1/../files',
  '/v1//files',
  '/v1/files/',
  'v1/files',
  '/v1/files?limit=1',
  '/v1/fi%6ces',
  '/{a}/{b}',
  '/',
  `/${'a'.repeat(300)}`,
])('no rule has the path %s', (path) => expect(faultOfPath('GET', path)).not.toBeNull());

const CLOSED = [
  '/v1/api_keys',
  '/v1/organization/projects',
  '/v1/organizations/{id}',
  '/v1/organizations/api_keys/{id}',
  '/v1/organization/usage/completions',
  '/dashboard/billing/credit_grants',
  '/api/v1/credits',
  '/api/v1/auth/key',
  '/api/v1/keys/{hash}',
  '/user/balance',
  '/v1/apiKeys',
  '/v1/API-KEYS',
  '/v1/admin/users',
  '/key/generate',
  '/spend/logs',
  '/v1/account',
  '/oauth/token',
  '/v1/realtime/client_secrets',
  '/v1/realtime/sessions',
  '/v1/chatkit/sessions',
];
test.each(CLOSED)('%s is closed, by every method', (path) => {
  for (const method of ['GET', 'POST', 'DELETE'] as const) expect(faultOfPath(method, path)).toContain('never passed through');
});

test.each(['keys', 'api-keys', 'billing', 'organization', 'Usage', 'token', 'me'])('%s is closed where a rule leaves it open', (part) => {
  const path = `/v1/${part}/a1`;
  expect(matched('/v1/{what}/{id}', path)).toBe(true);
  expect(faultOfCall({ method: 'GET', path: '/v1/{what}/{id}' }, path)).toContain('never passed through');
});

test('an id may have any word in it', () => {
  expect(faultOfCall({ method: 'GET', path: '/v1/files/{id}' }, '/v1/files/file-key-7-usage')).toBeNull();
});

test.each([
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/responses',
  '/v1/messages',
  '/anthropic/v1/messages',
  '/v1/embeddings',
  '/v2/embed',
  '/v2/chat',
  '/api/chat',
  '/api/generate',
  '/openai/deployments/{name}/chat/completions',
  '/v1beta/models/{model}:generateContent',
  '/v1beta/models/{model}:streamGenerateContent',
  '/model/{id}/converse-stream',
  '/client/v4/accounts/{account}/ai/run/{model}',
])('POST %s calls a model', (path) => {
  expect(faultOfPath('POST', path)).toContain('calls a model');
  expect(faultOfPath('GET', path)).toBeNull();
});

test("a path that calls a model is no other rule's either", () => {
  expect(faultOfCall({ method: 'POST', path: '/v1/{what}' }, '/v1/responses')).toContain('calls a model');
  expect(faultOfCall({ method: 'POST', path: '/{version}/chat/{what}' }, '/v1/chat/completions')).toContain('calls a model');
});

test.each([
  '/v1/files',
  '/v1/batches',
  '/v1/threads/{id}/messages',
  '/v1/images/generations',
  '/v1beta/models/{model}:countTokens',
  '/v1/messages/batches',
])('POST %s can be allowed', (path) => expect(faultOfPath('POST', path)).toBeNull());

test.each(['key', 'api_key', 'API-Key', 'access_token', 'x-goog-api-key', 'X-Amz-Signature', 'sig', '$httpMethod', 'a b', ''])(
  'the query parameter %s cannot be allowed',
  (name) => expect(faultOfParameter(name)).not.toBeNull(),
);
test.each(['limit', 'after', 'include[]', 'page_token', 'api-version'])('the query parameter %s can be', (name) =>
  expect(faultOfParameter(name)).toBeNull(),
);
