import { ERRORS, type ErrorCode, WeirError } from '../../kernel/errors.js';
import { decodeRefusal, encodeError, refusalIn } from './errors.js';

const body = (type: string, message = 'x') => Buffer.from(JSON.stringify({ type: 'error', error: { type, message } }));

test.each([
  [401, 'authentication_error', 'x', 'auth'],
  [403, 'permission_error', 'x', 'auth'],
  [402, 'billing_error', 'x', 'billing'],
  [400, 'invalid_request_error', 'Your credit balance is too low to access the Anthropic API.', 'billing'],
  [400, 'invalid_request_error', 'prompt is too long: 208310 tokens > 200000 maximum', 'context_length'],
  [400, 'invalid_request_error', 'input length and `max_tokens` exceed context limit: 1 + 2 > 3', 'context_length'],
  [400, 'invalid_request_error', 'messages: at least one message is required', 'bad_request'],
  [413, 'request_too_large', 'x', 'too_large'],
  [404, 'not_found_error', 'model: claude-none', 'model_not_found'],
  [429, 'rate_limit_error', 'x', 'rate_limit'],
  [500, 'api_error', 'x', 'server'],
  [529, 'overloaded_error', 'x', 'overloaded'],
  [504, 'timeout_error', 'x', 'timeout'],
])('%i %s "%s" is %s', (status, type, message, expected) => {
  expect(decodeRefusal(status, body(type, message)).class).toBe(expected);
  expect(refusalIn(JSON.parse(body(type, message).toString()))?.class).toBe(expected);
});

test('Google’s refusals on Vertex AI, in a list or not, are judged by their status', () => {
  const error = { code: 429, message: 'Resource exhausted', status: 'RESOURCE_EXHAUSTED' };
  for (const reply of [{ error }, [{ error }]])
    expect(decodeRefusal(429, Buffer.from(JSON.stringify(reply)))).toEqual({ class: 'rate_limit', message: 'Resource exhausted' });
});

test('a body that is no JSON is judged by its status', () => {
  expect(decodeRefusal(503, Buffer.from('<html>'))).toEqual({ class: 'server', message: null });
  expect(decodeRefusal(401, Buffer.alloc(0)).class).toBe('auth');
});

test.each([
  ['invalid_api_key', 'authentication_error'],
  ['budget_exceeded', 'billing_error'],
  ['model_not_allowed', 'permission_error'],
  ['model_not_found', 'not_found_error'],
  ['request_too_large', 'request_too_large'],
  ['rate_limit_exceeded', 'rate_limit_error'],
  ['invalid_request', 'invalid_request_error'],
  ['model_not_priced', 'invalid_request_error'],
  ['overloaded', 'overloaded_error'],
  ['provider_unavailable', 'api_error'],
  ['upstream_error', 'api_error'],
  ['upstream_timeout', 'timeout_error'],
] as const)('%s is told as %s, with our own code beside', (code, type) =>
  expect(encodeError(new WeirError(code))).toMatchObject({ type: 'error', error: { type, code } }),
);

test('every failure has a type that the SDKs know', () => {
  const known = new Set(
    'invalid_request_error authentication_error billing_error permission_error not_found_error request_too_large rate_limit_error api_error timeout_error overloaded_error'.split(
      ' ',
    ),
  );
  for (const code of Object.keys(ERRORS) as ErrorCode[])
    expect(known).toContain((encodeError(new WeirError(code)) as { error: { type: string } }).error.type);
});
