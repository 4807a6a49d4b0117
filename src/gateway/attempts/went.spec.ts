import type { RefusalClass } from '../../dialects/index.js';
import { type ErrorCode, WeirError } from '../../kernel/errors.js';
import { failureOf } from './failure.js';
import { type Outcome, unforeseen } from './outcome.js';
import { wentOf } from './went.js';

const refused = (ofClass: RefusalClass): Outcome => ({
  ...unforeseen(new WeirError('upstream_error'), false),
  failure: failureOf(null, { class: ofClass, message: null }, {}),
});
const broken = (code: ErrorCode): Outcome => unforeseen(new WeirError(code), false);

test.each(['server', 'overloaded', 'timeout'] as const)('a refusal of the class %s is a failure of the provider', (ofClass) =>
  expect(wentOf(refused(ofClass), false)).toBe('failed'),
);

test.each([
  'auth',
  'billing',
  'rate_limit',
  'model_not_found',
  'context_length',
  'too_large',
  'unprocessable',
  'bad_request',
  'failed_answer',
] as const)('one of the class %s says nothing of it', (ofClass) => expect(wentOf(refused(ofClass), false)).toBe('neither'));

test.each(['upstream_unreachable', 'upstream_interrupted', 'upstream_timeout'] as const)('%s is a failure of the provider', (code) =>
  expect(wentOf(broken(code), false)).toBe('failed'),
);

test.each(['upstream_invalid_response', 'destination_refused', 'hold_expired', 'ledger_unavailable', 'internal_error'] as const)(
  '%s says nothing of it',
  (code) => expect(wentOf(broken(code), false)).toBe('neither'),
);

test('a call that is out of time says nothing of its provider', () => {
  expect(wentOf(broken('upstream_timeout'), true)).toBe('neither');
  expect(wentOf(broken('upstream_unreachable'), true)).toBe('failed');
});

test('a client that left, or a process that ends, says nothing; a whole answer does', () => {
  const left = { ...unforeseen(null, true), error: null };
  expect(wentOf(left, false)).toBe('neither');
  expect(wentOf({ ...left, status: 'completed' }, false)).toBe('served');
});
