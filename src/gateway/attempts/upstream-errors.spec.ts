import type { Refusal } from '../../dialects/index.js';
import { Secret } from '../../platform/crypto/index.js';
import { errorOfRefusal, withoutSecrets } from './upstream-errors.js';

const KEY = 'sk-live-0123456789abcdefghijKLMNOPqrstuv';
const refusal = (message: string, of: Refusal['class'] = 'bad_request'): Refusal => ({ class: of, message });
const told = (message: string, isVendor: boolean, of?: Refusal['class']): string =>
  errorOfRefusal(withoutSecrets(refusal(message, of), [new Secret(KEY)]), { provider: 'up', model: 'm', isVendor }, undefined, null, {})
    .message;

test('a vendor says why it refused a request, without the key', () => {
  expect(told(`bad temperature, key ${KEY}, sk-abcdefghijkl`, true)).toBe(
    'The provider "up" refused the request: bad temperature, key [redacted], [redacted]',
  );
  expect(told(`bad temperature with ${KEY.slice(0, 20)}`, true)).toBe(
    'The provider "up" refused the request: bad temperature with [redacted]',
  );
  expect(told('at most 8192 tokens', true, 'context_length')).toBe('at most 8192 tokens');
});

test('what another address answers is not passed on', () => {
  const classes = [
    'bad_request',
    'too_large',
    'unprocessable',
    'overloaded',
    'failed_answer',
    'context_length',
    'auth',
    'billing',
    'rate_limit',
    'model_not_found',
    'timeout',
    'server',
  ] as const;
  for (const kind of classes) expect(told('internal: 12345', false, kind)).not.toContain('12345');
});

test.each([true, false])('the field and the word of a refusal come back from a vendor alone, without secrets: %s', (isVendor) => {
  const of = (param: string, code: string) => {
    const clean = withoutSecrets({ ...refusal('No.'), param, code }, [new Secret(KEY)]);
    const { param: field, fields } = errorOfRefusal(clean, { provider: 'up', model: 'm', isVendor }, undefined, null, {});
    return [field, fields];
  };
  expect(of('text.verbosity', 'unsupported_verbosity')).toEqual(
    isVendor ? ['text.verbosity', { code: 'unsupported_verbosity' }] : [null, {}],
  );
  expect(of(KEY, `x.${KEY}`)).toEqual([null, {}]);
});

test.each([
  ['a known code and a field of the request', 'unsupported_value', 'messages[0].content', ['unsupported_value', 'messages[0].content']],
  ['a code and a path of its own', 'secret_of_a_server', 'admin.password', [undefined, null]],
  ['a path that goes past the request', undefined, 'messages[1].content', [undefined, null]],
  ['the name of what every object has', undefined, 'constructor', [undefined, null]],
])('from a server of anybody: %s', (_, code, param, told) => {
  const refused = { ...refusal('no'), ...(code && { code }), param };
  const request = { messages: [{ role: 'user', content: 'Hello' }] };
  const error = errorOfRefusal(refused, { provider: 'up', model: 'm', isVendor: false }, undefined, null, request);
  expect([error.fields?.['code'], error.param]).toEqual(told);
});
