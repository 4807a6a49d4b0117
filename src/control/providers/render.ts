import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { ProviderAccount } from '../../provider-accounts/index.js';
import { ON_CLIENT_GONE } from '../../providers/index.js';
import { unixSeconds } from '../http/fields.js';
import { AiGatewayOptions } from './ai-gateway.js';
import { renderBreaker } from './breakers.js';
import { Capabilities } from './capabilities.js';
import { renderKey } from './keys.js';
import { renderQuirks } from './quirks.js';
import type { ProviderObject } from './schema.js';

export const renderProvider = ({ provider, keys, breakers, headerNames }: ProviderAccount): z.input<typeof ProviderObject> => ({
  id: publicId('provider', provider.id),
  object: 'provider',
  name: provider.name,
  type: provider.type,
  base_url: provider.baseUrl,
  dialect: provider.dialect,
  native_tools: provider.nativeTools,
  on_client_gone: provider.onClientGone as (typeof ON_CLIENT_GONE)[number] | null,
  quirks: renderQuirks(provider.quirks),
  gateway_options: (provider.gatewayOptions ?? {}) as z.input<typeof AiGatewayOptions>,
  models: [...provider.models],
  has_key: keys.length > 0,
  awaits_key: provider.awaitsKey,
  keys: keys.map(renderKey),
  breakers: breakers.map(renderBreaker),
  auth: provider.auth,
  headers: [...headerNames],
  default_model: provider.defaultModel,
  capabilities: provider.capabilities as z.input<typeof Capabilities> | null,
  created_at: unixSeconds(provider.createdAt),
});
