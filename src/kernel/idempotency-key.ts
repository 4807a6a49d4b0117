import { WeirError } from './errors.js';

const VALID = /^[\x20-\x7e]{1,255}$/;

/** The value of an `Idempotency-Key` header. @throws WeirError invalid_request */
export function idempotencyKey(value: string): string {
  if (VALID.test(value)) return value;
  throw new WeirError('invalid_request', {
    param: 'Idempotency-Key',
    message: 'The header "Idempotency-Key" must be 1 to 255 printable ASCII characters.',
  });
}
