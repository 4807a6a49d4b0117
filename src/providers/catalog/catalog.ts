import { nearest } from '../../kernel/nearest.js';
import type { ProviderType } from '../provider.js';
import { COMPATIBLE } from './compatible.js';
import { LOCAL } from './local.js';
import { SUBSCRIPTIONS } from './subscriptions.js';
import { VENDORS } from './vendors.js';

/** Every provider type Weir knows. Facts as of 2026-11. */
export const CATALOG: readonly ProviderType[] = [...VENDORS, ...COMPATIBLE, ...SUBSCRIPTIONS, ...LOCAL];

const bySlug = new Map(CATALOG.map((type) => [type.slug, type]));
const byName = new Map(CATALOG.flatMap((type) => [type.slug, ...Object.keys(type.aliases)].map((name) => [name, type] as const)));

/** A type by its slug. */
export const providerType = (slug: string): ProviderType | null => bySlug.get(slug) ?? null;

/** A type by its slug or an alias, and the address that goes with that name: aliases may stand for a region. */
export function findProviderType(name: string): { type: ProviderType; baseUrl: string | null } | null {
  const type = byName.get(name);
  return type ? { type, baseUrl: type.aliases[name] ?? type.baseUrl } : null;
}

const VENDOR_ORIGINS = new Set(
  CATALOG.flatMap(({ baseUrl, aliases }) => [baseUrl, ...Object.values(aliases)])
    .filter((url) => url?.startsWith('https:'))
    .map((url) => new URL(url!).origin),
);
/** Vendors whose hosts are named after a customer's resource or a region. */
const VENDOR_HOSTS =
  /^(?:[a-z0-9-]+\.(?:openai|services\.ai|cognitiveservices)\.azure\.com|bedrock-runtime(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?|(?:[a-z0-9-]+-)?aiplatform(?:\.[a-z]+\.rep)?\.googleapis\.com)$/;

/** Whether a server is a known vendor's own, of whatever type the record is. */
export function isVendorAddress(url: string): boolean {
  const { origin, protocol, hostname, port } = new URL(url);
  return VENDOR_ORIGINS.has(origin) || (protocol === 'https:' && port === '' && VENDOR_HOSTS.test(hostname));
}

export const nearestProviderType = (name: string): string | null => nearest(name, byName.keys());
