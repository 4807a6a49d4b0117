import { WeirError } from '../kernel/errors.js';
import { type DestinationGuard, DestinationRefused } from '../platform/egress/index.js';
import {
  AI_GATEWAY_TYPES,
  authStyle,
  datedAddress,
  findProviderType,
  nearestProviderType,
  type ProviderRecord,
  type ProviderType,
  withDate,
} from '../providers/index.js';

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
    message: 'The mock provider is disabled. Set WEIR_MOCK=1 to enable it.',
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
 * What a new record is of, by its `type` and `base_url`; `custom:https://…` says both, after the manner of other gateways.
 * @param told the address that its credential tells; null: it tells none.
 * @throws WeirError invalid_request
 */
export function endpointOf(
  named: string,
  given: string | undefined,
  told: string | null,
  guard: DestinationGuard,
): { name: string; type: ProviderType; baseUrl: string; isOwn: boolean } {
  const [, slug, address] = /^(custom|anthropic-custom):(.*)$/s.exec(named) ?? [];
  if (slug === undefined || address === undefined) {
    const { type, baseUrl: own } = knownType(named);
    return { name: named, type, baseUrl: baseUrlOf(type, told ?? own, given, guard), isOwn: given !== undefined };
  }
  if (given !== undefined)
    throw new WeirError('invalid_request', {
      param: 'base_url',
      message: '"base_url" conflicts with the URL in "type". Send one of them.',
    });
  const { type } = knownType(slug);
  return { name: slug, type, baseUrl: allowedUrl(type, 'type', address, guard), isOwn: true };
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
      message: `"base_url" is missing: a provider of type "${type.slug}" has no default address.`,
    });
  }
  return given === own ? given : allowedUrl(type, 'base_url', given, guard);
}

/** The deployment that an address was given with, where a type has such addresses. */
export const deploymentIn = ({ dated }: ProviderType, baseUrl: string | undefined): string | null =>
  (dated && baseUrl !== undefined && datedAddress(baseUrl)?.deployment) || null;

function allowedUrl({ dated }: ProviderType, param: string, given: string, guard: DestinationGuard): string {
  const named = dated ? datedAddress(given) : null;
  try {
    const { origin, pathname } = guard.parse(named?.address ?? given);
    const address = (origin + pathname).replace(/\/+$/, '');
    return named ? withDate(address, named.apiVersion) : address;
  } catch (error) {
    if (error instanceof DestinationRefused)
      throw new WeirError('invalid_request', { param, message: `"${param}" is refused: ${error.message}` });
    throw error;
  }
}

/**
 * What fits each for itself and not together.
 * @param headers the names of the record's own headers.
 * @throws WeirError invalid_request
 */
export function checkEndpoint(
  record: Pick<ProviderRecord, 'auth' | 'defaultModel' | 'models'>,
  type: ProviderType,
  hasKey: boolean,
  headers: readonly string[],
): void {
  const auth = record.auth === null ? type.auth : authStyle(record.auth);
  if (auth.kind === 'none' && hasKey)
    throw new WeirError('invalid_request', { param: 'key', message: '"key" is never shown with "auth": "none". Leave one of them out.' });
  if (auth.kind === 'header' && headers.includes(auth.name))
    throw new WeirError('invalid_request', {
      param: 'headers',
      message: `"headers" must not have "${auth.name}", which carries the key. Set "key" instead.`,
    });
  if (record.defaultModel !== null && !record.models.includes('*') && !record.models.includes(record.defaultModel))
    throw new WeirError('invalid_request', { param: 'default_model', message: '"default_model" must be one of "models".' });
}

/** @throws WeirError invalid_request for a type that the platform cannot lend: its login is one person's */
export function refuseSubscription({ slug, subscription }: ProviderType): void {
  if (subscription === null) return;
  throw new WeirError('invalid_request', {
    param: 'type',
    message: `A provider of type "${slug}" is used by a person's login, so a tenant adds it itself, by POST /v1/organization/providers.`,
  });
}

/** @throws WeirError invalid_request for a type that is connected by login */
export function refuseKey({ slug, subscription }: ProviderType): void {
  if (subscription === null) return;
  throw new WeirError('invalid_request', {
    param: 'key',
    message: `A provider of type "${slug}" takes no key. Leave "key" out, and connect it by POST /v1/organization/providers/{id}/connection.`,
  });
}
