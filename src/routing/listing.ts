import type { Listed } from '../prices/index.js';
import { isOwnAddress, type ProviderRecord, type ProviderType } from '../providers/index.js';

/** The platform's prices hold where the vendor itself is meant: a platform record, the vendor's own address, or its own name. */
export function listingOf(record: ProviderRecord, type: ProviderType): Listed | null {
  const isVendor = record.tenantId === null || isOwnAddress(type, record.baseUrl) || record.name === type.slug;
  if (!isVendor) return null;
  return { slug: type.slug, catalogId: type.catalogId, lent: record.tenantId === null, regional: isRegional(record.baseUrl) };
}

/** OpenAI's hosts of data residency, and Vertex AI's locations. */
function isRegional(baseUrl: string): boolean {
  const { hostname, pathname } = new URL(baseUrl);
  if (/^[a-z]{2}\.api\.openai\.com$/.test(hostname)) return true;
  if (!/(?:^|-)aiplatform\.(?:[a-z]+\.rep\.)?googleapis\.com$/.test(hostname)) return false;
  const location = /\/locations\/([^/]+)/.exec(pathname)?.[1];
  return location === undefined ? hostname !== 'aiplatform.googleapis.com' : location !== 'global';
}
