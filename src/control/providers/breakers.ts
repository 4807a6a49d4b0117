import { z } from 'zod';
import type { StoredBreaker } from '../../breakers/index.js';
import { publicId } from '../../kernel/ids.js';
import { Timestamp, unixSeconds } from '../http/fields.js';

export const BreakerObject = z
  .strictObject({
    object: z.literal('provider.breaker'),
    model: z.string(),
    key: z.string().nullable().describe('The key it was called with. Null: it has none, or a login.'),
    tenant: z.string().nullable().describe('The tenant whose calls it stops. Null: the calls of all tenants with a grant.'),
    state: z
      .enum(['open', 'half_open'])
      .describe('`open`: Weir sends no calls to the model until `until`. `half_open`: Weir tries it with one call at a time.'),
    reason: z.string(),
    failures: z.number().int(),
    until: Timestamp,
  })
  .meta({ id: 'ProviderBreaker' });

export const renderBreaker = (breaker: StoredBreaker): z.input<typeof BreakerObject> => ({
  object: 'provider.breaker',
  model: breaker.model,
  key: breaker.credentialId && publicId('credential', breaker.credentialId),
  tenant: breaker.tenantId && publicId('tenant', breaker.tenantId),
  state: breaker.isOpen ? 'open' : 'half_open',
  reason: breaker.reason,
  failures: breaker.failures,
  until: unixSeconds(breaker.openUntil),
});
