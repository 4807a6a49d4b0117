import type { Listed } from '../prices/index.js';
import { isOwnAddress, type ProviderRecord, type ProviderType } from '../providers/index.js';

/** The platform's prices hold where the vendor itself is meant: a platform record, the vendor's own address, or its own name. */
export function listingOf(record: ProviderRecord, type: ProviderType): Listed | null {
  const isVendor = record.tenantId === null || isOwnAddress(type, record.baseUrl) || record.name === type.slug;
  return isVendor ? { slug: type.slug, catalogueId: type.catalogueId, lent: record.tenantId === null } : null;
}
