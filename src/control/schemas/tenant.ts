import { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { Tenant } from '../../tenants/index.js';
import { externalId, Metadata, metadata, name, Timestamp, unixSeconds } from './common.js';

export const CreateTenant = z.strictObject({ name, external_id: externalId.optional(), metadata: metadata.optional() });
export type CreateTenant = z.output<typeof CreateTenant>;

export const TenantObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('tenant'),
    name: z.string(),
    external_id: z.string().nullable(),
    metadata: Metadata,
    created_at: Timestamp,
  })
  .meta({ id: 'Tenant' });

export const NewTenantObject = TenantObject.extend({
  admin_key: z.string().describe('The admin key of the tenant. Shown this once.'),
  default_project_id: z.string(),
}).meta({ id: 'NewTenant' });

export const renderTenant = (tenant: Tenant): z.input<typeof TenantObject> => ({
  id: publicId('tenant', tenant.id),
  object: 'tenant',
  name: tenant.name,
  external_id: tenant.externalId,
  metadata: tenant.metadata as Record<string, string>,
  created_at: unixSeconds(tenant.createdAt),
});
