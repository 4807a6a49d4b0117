import { z } from 'zod';
import { DEFAULT_MODEL, defaultModel, externalId, Metadata, Money, metadata, name, notEmpty, Timestamp, usd } from '../http/fields.js';

export const CreateTenant = z
  .strictObject({ name, external_id: externalId.optional(), metadata: metadata.optional() })
  .meta({ example: { name: 'Acme', external_id: 'customer-42' } });

export type CreateTenant = z.output<typeof CreateTenant>;

export const UpdateTenant = z
  .strictObject({
    name: name.optional(),
    external_id: externalId.nullable().optional(),
    metadata: metadata.optional(),
    default_model: defaultModel.nullable().optional().describe(`${DEFAULT_MODEL} null: WEIR_MODEL.`),
    unpriced_call_cost: usd
      .refine((nano) => nano > 0n, { error: 'must be above zero; null refuses such calls' })
      .nullable()
      .optional()
      .describe('USD held and booked for a call without a price under a hard budget. null: such calls are refused.'),
  })
  .refine(...notEmpty)
  .meta({ example: { name: 'Acme Inc.', unpriced_call_cost: '0.01' } });

export type UpdateTenant = z.output<typeof UpdateTenant>;

export const TenantObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('tenant'),
    name: z.string(),
    external_id: z.string().nullable(),
    metadata: Metadata,
    unpriced_call_cost: Money.nullable(),
    default_model: z.string().nullable(),
    suspended_at: Timestamp.nullable().describe('When it was suspended. null: it is not suspended.'),
    created_at: Timestamp,
  })
  .meta({ id: 'Tenant' });

export const NewTenantObject = TenantObject.extend({
  admin_key: z.string().describe('The admin key of the tenant. Shown only once.'),
  default_project_id: z.string(),
}).meta({ id: 'NewTenant' });
