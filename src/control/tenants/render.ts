import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import type { Tenant } from '../../tenants/index.js';
import { unixSeconds, unixSecondsOrNull } from '../http/fields.js';
import type { TenantObject } from './schema.js';

export const renderTenant = (tenant: Tenant): z.input<typeof TenantObject> => ({
  id: publicId('tenant', tenant.id),
  object: 'tenant',
  name: tenant.name,
  external_id: tenant.externalId,
  metadata: tenant.metadata as Record<string, string>,
  unpriced_call_cost: tenant.unpricedCallNano === null ? null : formatUsd(tenant.unpricedCallNano),
  default_model: tenant.defaultModel,
  suspended_at: unixSecondsOrNull(tenant.suspendedAt),
  created_at: unixSeconds(tenant.createdAt),
});
