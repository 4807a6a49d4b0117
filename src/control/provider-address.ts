import { WeirError } from '../kernel/errors.js';
import { type DestinationGuard, DestinationRefused } from '../platform/egress/index.js';
import { nearestProviderType, type ProviderType, providerType } from '../providers/index.js';

/** @throws WeirError invalid_request, naming the type that was probably meant. */
export function knownType(slug: string): ProviderType {
  const type = providerType(slug);
  if (type) return type;
  const near = nearestProviderType(slug);
  const hint = near ? `Did you mean "${near}"?` : 'For a server that speaks OpenAI\'s chat format, use "openai" with its base_url.';
  throw new WeirError('invalid_request', { param: 'type', message: `There is no provider type "${slug}". ${hint}` });
}

/** Where a provider is reached: what was given, if calls may go there, or the vendor's own address. @throws WeirError invalid_request */
export function baseUrlOf(type: ProviderType, given: string | undefined, guard: DestinationGuard): string {
  if (given === undefined) {
    if (type.baseUrl) return type.baseUrl;
    throw new WeirError('invalid_request', {
      param: 'base_url',
      message: `"base_url" is missing: a provider of type "${type.slug}" has no address of its own.`,
    });
  }
  if (given === type.baseUrl) return given;
  const url = new URL(given);
  try {
    guard.checkUrl(url);
  } catch (error) {
    if (error instanceof DestinationRefused)
      throw new WeirError('invalid_request', { param: 'base_url', message: `"base_url" is refused: ${error.message}` });
    throw error;
  }
  return url.href.replace(/\/+$/, '');
}
