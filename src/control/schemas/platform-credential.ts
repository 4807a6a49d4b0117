import { z } from 'zod';
import type { CredentialSummary } from '../../credentials/index.js';
import { publicId } from '../../kernel/ids.js';
import type { ProviderRecord } from '../../providers/index.js';
import { idText } from './common.js';
import { ProviderKeyObject, renderKey } from './provider-key.js';

export const CreateGrant = z.strictObject({ tenant: idText('tenant').describe('The tenant that may use it, `ten_…`.') });
export type CreateGrant = z.output<typeof CreateGrant>;

export const PlatformCredentialObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('platform_credential'),
    provider: z.string(),
    base_url: z.string(),
    has_key: z.boolean(),
    keys: z.array(ProviderKeyObject),
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

export const renderGrant = (tenantId: string, providerId: string): z.input<typeof GrantObject> => ({
  id: publicId('tenant', tenantId),
  object: 'platform_credential.grant',
  platform_credential: publicId('provider', providerId),
  tenant: publicId('tenant', tenantId),
});

export const renderPlatformCredential = (
  provider: ProviderRecord,
  keys: readonly CredentialSummary[] = [],
): z.input<typeof PlatformCredentialObject> => ({
  id: publicId('provider', provider.id),
  object: 'platform_credential',
  provider: provider.name,
  base_url: provider.baseUrl,
  has_key: keys.length > 0,
  keys: keys.map(renderKey),
});
