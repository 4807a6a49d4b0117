import { WeirError } from '../kernel/errors.js';
import { type DestinationGuard, DestinationRefused } from '../platform/egress/index.js';
import { AI_GATEWAY_TYPES, findProviderType, nearestProviderType, type ProviderType } from '../providers/index.js';

/** A type by its slug or an alias, with the address of that name. @throws WeirError invalid_request, naming the type that was probably meant. */
export function knownType(slug: string): { type: ProviderType; baseUrl: string | null } {
  const found = findProviderType(slug);
  if (found) return found;
  const near = nearestProviderType(slug);
  const hint = near ? `Did you mean "${near}"?` : 'For a server that speaks OpenAI\'s chat format, use "openai" with its base_url.';
  throw new WeirError('invalid_request', { param: 'type', message: `There is no provider type "${slug}". ${hint}` });
}

/** @throws WeirError invalid_request for the mock provider where the deployment has it off. */
export function refuseMock({ slug }: ProviderType, mock: boolean): void {
  if (slug !== 'mock' || mock) return;
  throw new WeirError('invalid_request', {
    param: 'type',
    message: 'The mock provider is off here: it makes answers up. To have it all the same, start Weir with WEIR_MOCK=1.',
  });
}

/** @throws WeirError invalid_request for options of an AI Gateway where there is none. */
export function checkGatewayOptions({ slug }: ProviderType, options: object | undefined): void {
  if (options === undefined || AI_GATEWAY_TYPES.has(slug)) return;
  throw new WeirError('invalid_request', {
    param: 'gateway_options',
    message: `"gateway_options" are for providers of the types ${[...AI_GATEWAY_TYPES].join(', ')}; this one is of the type "${slug}".`,
  });
}

/**
 * Where a provider is reached: what was given, if calls may go there, or the vendor's own address.
 * @param own the vendor's address; null: there is none.
 * @throws WeirError invalid_request
 */
export function baseUrlOf(type: ProviderType, own: string | null, given: string | undefined, guard: DestinationGuard): string {
  if (given === undefined) {
    if (own) return own;
    throw new WeirError('invalid_request', {
      param: 'base_url',
      message: `"base_url" is missing: a provider of type "${type.slug}" has no address of its own.`,
    });
  }
  if (given === own) return given;
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
