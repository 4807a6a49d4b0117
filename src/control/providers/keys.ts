import { z } from 'zod';
import type { CredentialSummary } from '../../credentials/index.js';
import { type Id, publicId } from '../../kernel/ids.js';
import { deleted, Timestamp, unixSeconds } from '../http/fields.js';

const MAX_KEYS = 100;

/** Goes into a header as it is. */
export const keyText = z
  .string()
  .max(8_192)
  .regex(/^[\x21-\x7e]+$/, { error: 'must be visible ASCII characters without spaces' })
  .refine((value) => !value.startsWith('{'), { error: 'must not begin with "{". A credential of several fields goes into "credential"' });

export const keyTexts = z.array(keyText).min(1).max(MAX_KEYS);

export const AddProviderKey = z
  .strictObject({ key: keyText.describe('The secret. Never returned.') })
  .meta({ example: { key: 'sk-example-2' } });
export type AddProviderKey = z.output<typeof AddProviderKey>;

export const DeletedProviderKey = deleted('provider.key').extend({
  routes: z.array(z.string()).describe('The routes that name the key. Their targets with it are skipped until they name another one.'),
});
export const renderDeletedKey = (id: string, routes: readonly Id[]): z.output<typeof DeletedProviderKey> => ({
  id,
  object: 'provider.key',
  deleted: true,
  routes: routes.map((route) => publicId('route', route)),
});

export const ProviderKeyObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('provider.key'),
    last4: z
      .string()
      .nullable()
      .describe('The last four characters. Null: the secret is too short to show any, or was entered by an older version.'),
    health: z
      .enum(['healthy', 'cooling', 'unhealthy'])
      .describe(
        '`cooling`: the provider limited it, for all models or for those in `cooling_models`. `unhealthy`: refused, or its account is out of money. Both are passed over until `ready_at`.',
      ),
    ready_at: Timestamp.nullable().describe('When the key becomes available again, for all models; null if it is available now.'),
    cooling_models: z
      .array(z.strictObject({ model: z.string(), ready_at: Timestamp }))
      .describe('Models that the provider limits this key for. It serves the others.'),
    created_at: Timestamp,
  })
  .meta({ id: 'ProviderKey' });

export const renderKey = ({ id, last4, resting, restingModels, createdAt }: CredentialSummary): z.input<typeof ProviderKeyObject> => ({
  id: publicId('credential', id),
  object: 'provider.key',
  last4,
  health: resting && resting.reason !== 'rate_limited' ? 'unhealthy' : resting || restingModels.length > 0 ? 'cooling' : 'healthy',
  ready_at: latest([...(resting ? [resting] : []), ...restingModels]),
  cooling_models: restingModels.map(({ model, until }) => ({ model, ready_at: unixSeconds(until) })),
  created_at: unixSeconds(createdAt),
});

const latest = (rests: readonly { until: Date }[]): number | null =>
  rests.length === 0 ? null : Math.max(...rests.map(({ until }) => unixSeconds(until)));
