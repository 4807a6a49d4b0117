import { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import type { Tenant } from '../../tenants/index.js';
import { externalId, Metadata, Money, metadata, name, notEmpty, Timestamp, unixSeconds, unixSecondsOrNull, usd } from './common.js';

export const CreateTenant = z.strictObject({ name, external_id: externalId.optional(), metadata: metadata.optional() });
export type CreateTenant = z.output<typeof CreateTenant>;

export const UpdateTenant = z
  .strictObject({
    name: name.optional(),
    external_id: externalId.nullable().optional(),
    metadata: metadata.optional(),
    unpriced_call_cost: usd
      .refine((nano) => nano > 0n, { error: 'must be above zero; null refuses such calls' })
      .nullable()
      .optional()
      .describe('USD held and booked for a call without a price under a hard budget. null: such calls are refused.'),
  })
  .refine(...notEmpty);
export type UpdateTenant = z.output<typeof UpdateTenant>;

export const TenantObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('tenant'),
    name: z.string(),
    external_id: z.string().nullable(),
    metadata: Metadata,
    unpriced_call_cost: Money.nullable(),
    suspended_at: Timestamp.nullable().describe('When it was suspended. null: it is not suspended.'),
    created_at: Timestamp,
  })
  .meta({ id: 'Tenant' });

export const NewTenantObject = TenantObject.extend({
  admin_key: z.string().describe('The admin key of the tenant. Shown only once.'),
  default_project_id: z.string(),
}).meta({ id: 'NewTenant' });

export const renderTenant = (tenant: Tenant): z.input<typeof TenantObject> => ({
  id: publicId('tenant', tenant.id),
  object: 'tenant',
  name: tenant.name,
  external_id: tenant.externalId,
  metadata: tenant.metadata as Record<string, string>,
  unpriced_call_cost: tenant.unpricedCallNano === null ? null : formatUsd(tenant.unpricedCallNano),
  suspended_at: unixSecondsOrNull(tenant.suspendedAt),
  created_at: unixSeconds(tenant.createdAt),
});
