import { providerType } from './catalog/catalog.js';
import type { ProviderRecord } from './provider.js';

/** Why no request is passed through to a provider as it is, in a sentence of its own; null: one may be. */
export function rawAccessFault({ name, tenantId, type }: Pick<ProviderRecord, 'name' | 'tenantId' | 'type'>): string | null {
  const refused = (why: string) => `Nothing is passed through to the provider "${name}": ${why}.`;
  const { subscription, credentialTypes } = providerType(type)!;
  if (tenantId === null) return refused("it is the platform's, with the platform's key. Create a provider of your own");
  if (type === 'mock') return refused('it is the mock provider, which has no API');
  if (subscription) return refused('it is used by the login of a person, not by a key');
  if (credentialTypes.includes('aws')) return refused('its requests are signed, and Weir signs calls of models only');
  return null;
}
