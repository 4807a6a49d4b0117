import { WeirError } from '../kernel/errors.js';
import { Secret } from '../platform/crypto/index.js';
import { type DestinationGuard, DestinationRefused } from '../platform/egress/index.js';
import { otherVendorOf, type ProviderType, regionOf, type StructuredCredential, tokenAddressIn } from '../providers/index.js';
import type { AccountChanges } from './provider-account.js';

type Given = Pick<AccountChanges, 'keys' | 'credential'>;

/**
 * What is sealed for a provider: plain keys, or a credential of several fields as JSON text. Empty: neither was given.
 * @throws WeirError invalid_request naming the field.
 */
export function secretsOf({ keys, credential }: Given, type: ProviderType, baseUrl: string, guard: DestinationGuard): readonly Secret[] {
  if (credential === undefined) return (keys ?? []).map((key) => ownKey(key, baseUrl));
  if (keys !== undefined) throw invalid('credential', 'cannot be given together with "key" or "keys". Send one of them');
  if (!type.credentialTypes.includes(credential.type)) {
    const fitting = type.credentialTypes.map((name) => `"${name}"`).join(' or ');
    throw invalid('credential.type', `must be ${fitting} for a provider of type "${type.slug}"`);
  }
  if (credential.type === 'aws' && credential.region === undefined && regionOf(new URL(baseUrl).host) === null)
    throw invalid('credential.region', 'is missing: the host of "base_url" names no region');
  checkTokenAddress(credential, guard);
  return [new Secret(JSON.stringify(credential))];
}

/** A plain key that is to be entered for an address. @throws WeirError invalid_request where it would be shown to another vendor than its own. */
export function ownKey(key: Secret, baseUrl: string): Secret {
  const vendor = otherVendorOf(key.reveal(), baseUrl);
  if (vendor === null) return key;
  const { host } = new URL(baseUrl);
  throw invalid('key', `has the form of a key of ${vendor}, and this provider is at ${host}, which would see it. Enter a key for ${host}`);
}

/** Tokens are asked for by the same egress as calls are made. */
function checkTokenAddress(credential: StructuredCredential, guard: DestinationGuard): void {
  const address = tokenAddressIn(credential);
  if (!address) return;
  try {
    guard.checkUrl(new URL(address.url));
  } catch (error) {
    if (error instanceof DestinationRefused)
      throw invalid(`credential.${address.field}`, `is refused: ${error.message.replace(/\.$/, '')}`);
    throw error;
  }
}

const invalid = (param: string, what: string): WeirError => new WeirError('invalid_request', { param, message: `"${param}" ${what}.` });
