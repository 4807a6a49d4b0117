import type { z } from 'zod';
import { type ProviderType, variablesOf } from '../../providers/index.js';
import type { ProviderTypeObject } from './schema.js';

export const renderProviderType = (type: ProviderType): z.input<typeof ProviderTypeObject> => ({
  type: type.slug,
  object: 'provider_type',
  title: type.title,
  base_url: type.baseUrl,
  aliases: Object.entries(type.aliases).map(([alias, url]) => ({ alias, base_url: url })),
  dialects: [...type.dialects],
  auth_header: type.auth.kind === 'header' ? type.auth.name : 'authorization',
  credential_types: [...type.credentialTypes],
  login_terms_url: type.subscription?.termsUrl ?? null,
  environment: [...variablesOf(type)],
});
