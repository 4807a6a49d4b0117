import { Secret } from '../platform/crypto/index.js';
import type { ShownHeaders } from '../providers/index.js';

const secretsByHeaders = new WeakMap<ShownHeaders, readonly Secret[]>();

/** What must not come back of the headers that show a credential. Most credentials are shown by the same ones each time. */
export function secretsIn(shown: ShownHeaders): readonly Secret[] {
  let secrets = secretsByHeaders.get(shown);
  if (!secrets) {
    secrets = shown.filter((value, at) => at % 2 === 1 && value !== '').map((value) => new Secret(value.replace(/^Bearer /, '')));
    secretsByHeaders.set(shown, secrets);
  }
  return secrets;
}
