import { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { ProviderRecord } from '../../providers/index.js';
import { idText } from './common.js';

export const CreateGrant = z.strictObject({ tenant: idText('tenant').describe('The tenant that may use it, `ten_…`.') });
export type CreateGrant = z.output<typeof CreateGrant>;

export const PlatformCredentialObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('platform_credential'),
    provider: z.string(),
    base_url: z.string(),
    has_key: z.boolean(),
  })
  .meta({ id: 'PlatformCredential' });

export const GrantObject = z
  .strictObject({
    id: z.string().describe('The tenant.'),
    object: z.literal('platform_credential.grant'),
    platform_credential: z.string(),
    tenant: z.string(),
  })
  .meta({ id: 'PlatformCredentialGrant' });

export const renderPlatformCredential = (provider: ProviderRecord, hasKey: boolean): z.input<typeof PlatformCredentialObject> => ({
  id: publicId('provider', provider.id),
  object: 'platform_credential',
  provider: provider.name,
  base_url: provider.baseUrl,
  has_key: hasKey,
});
