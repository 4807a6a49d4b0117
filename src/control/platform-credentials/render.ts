import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { ProviderAccount } from '../../provider-accounts/index.js';
import { renderProvider } from '../providers/render.js';
import type { GrantObject, PlatformCredentialObject } from './schema.js';

export const renderGrant = (tenantId: string, providerId: string): z.input<typeof GrantObject> => ({
  id: publicId('tenant', tenantId),
  object: 'platform_credential.grant',
  platform_credential: publicId('provider', providerId),
  tenant: publicId('tenant', tenantId),
});

export const renderPlatformCredential = (account: ProviderAccount): z.input<typeof PlatformCredentialObject> => ({
  ...renderProvider(account),
  object: 'platform_credential',
  provider: account.provider.name,
  source: account.provider.byOperator ? 'operator' : 'environment',
});
