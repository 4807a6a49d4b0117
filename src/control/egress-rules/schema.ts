import { z } from 'zod';
import { METHODS } from '../../egress-rules/index.js';
import { externalId, Metadata, Money, metadata, notEmpty, SetBy, setBy, Timestamp, text, usd } from '../http/fields.js';

const MAX_PARAMETERS = 32;

const provider = text(64).min(1).describe("The name of a provider of the tenant's own.");

const method = z.enum(METHODS);

const path = text(256)
  .min(1)
  .describe('The path from the root of the address of the provider. A part in braces stands for one part: `/v1/files/{id}`.');

const query = z.array(text(64).min(1)).max(MAX_PARAMETERS).describe('The query parameters that may be sent.');

const price = usd
  .nullable()
  .describe(
    'What a request costs, in USD: held before it is sent, and booked unless the provider refuses it. null: not known. Where a hard budget applies, such a request is refused.',
  );

export const CreateEgressRule = z
  .strictObject({
    provider,
    method,
    path,
    query: query.default([]),
    price: price.default(null),
    external_id: externalId.optional(),
    metadata: metadata.optional(),
  })
  .meta({ example: { provider: 'acme', method: 'GET', path: '/v1/files/{id}', price: '0' } });
export type CreateEgressRule = z.output<typeof CreateEgressRule>;

export const UpdateEgressRule = z
  .strictObject({
    provider: provider.optional(),
    method: method.optional(),
    path: path.optional(),
    query: query.optional(),
    price: price.optional(),
    set_by: setBy,
    metadata: metadata.optional(),
  })
  .refine(...notEmpty)
  .meta({ example: { price: '0.01' } });
export type UpdateEgressRule = z.output<typeof UpdateEgressRule>;

export const EgressRuleObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('egress_rule'),
    provider: z.string(),
    origin: z.string().describe('Where the provider was when the rule was set. If it moves, the rule allows nothing until it is updated.'),
    method: z.enum(METHODS),
    path: z.string(),
    query: z.array(z.string()),
    price: Money.nullable(),
    set_by: SetBy,
    version: z.number().int().describe('The ETag.'),
    external_id: z.string().nullable(),
    metadata: Metadata,
    created_at: Timestamp,
  })
  .meta({ id: 'EgressRule' });
export type EgressRuleObject = z.input<typeof EgressRuleObject>;
