import { z } from 'zod';
import type { CredentialSummary } from '../../credentials/index.js';
import { publicId } from '../../kernel/ids.js';
import { DIALECTS, ON_CLIENT_GONE, PROVIDER_NAME, type ProviderRecord, StructuredCredential } from '../../providers/index.js';
import { AiGatewayOptions } from './ai-gateway.js';
import { notEmpty, Timestamp, text, unixSeconds } from './common.js';
import { auth, headers } from './provider-auth.js';
import { keyText, keyTexts, ProviderKeyObject, renderKey } from './provider-key.js';
import { Capabilities } from './provider-probe.js';
import { Quirks, QuirksObject, renderQuirks } from './quirks.js';

const MAX_MODELS = 1_000;

export const providerName = z
  .string()
  .regex(PROVIDER_NAME, { error: 'must start with a lower-case letter or digit and go on with those, ".", "_" or "-", up to 63 in all' });

const baseUrl = text(2_048).refine((url) => URL.canParse(url), { error: 'must be a URL such as "https://api.example.com/v1"' });
const dialect = z.enum(DIALECTS).nullable();
const nativeTools = z
  .boolean()
  .nullable()
  .describe('false: its models call tools only by what they write in their text, and Weir reads the calls there. Null: as its type does.');
const onClientGone = z
  .enum(ON_CLIENT_GONE)
  .nullable()
  .describe(
    'What happens to a call at the provider when its client leaves. `drain`: it is read on for up to 30 seconds, so that what the provider counted is booked. `cancel`: it is broken off, and what is booked is an estimate. Null: as is known of its type.',
  );
const quirks = Quirks.describe(
  'How it differs from its type; goes over what is known of the type. Names that are left out are as the type has them.',
);
const gatewayOptions = AiGatewayOptions.describe(
  "What Cloudflare's AI Gateway is asked for with each call. For providers of its types only.",
);
const models = z.array(text(256).min(1)).max(MAX_MODELS);

const noVerify = z
  .boolean()
  .describe('true: saved without a probe. Else a `base_url` is probed, which takes 20 seconds at most and costs some hundred tokens.');
const defaultModel = text(256)
  .min(1)
  .nullable()
  .describe('The model that the bare name of the provider stands for. Null: none, so that each call names its model.');

const credential = StructuredCredential.describe(
  'In the place of `key`: a credential of several fields. Its `type` must be one of the `credential_types` of the provider type. Never returned.',
);

const oneKind = ({ key, keys }: { key?: unknown; keys?: unknown }): boolean => key === undefined || keys === undefined;
const ONE_KIND = { error: 'Give either "key" or "keys".', path: ['keys'] };

export const CreateProvider = z
  .strictObject({
    name: providerName.optional().describe('The left part of `provider/model-id`. Absent: the type, as it is given here.'),
    type: text(2_100).describe(
      'A provider type, or an alias of one: see /v1/organization/provider_types. `openai` also stands for any server that speaks its formats. `custom:https://…` and `anthropic-custom:https://…` say the address as well.',
    ),
    base_url: baseUrl.optional().describe("Absent: the vendor's own address. Azure's may end in `?api-version=` and a date."),
    dialect: dialect
      .optional()
      .describe('The wire format it is spoken to in. Absent or null: chosen for each model from those its type speaks.'),
    native_tools: nativeTools.optional(),
    on_client_gone: onClientGone.optional(),
    quirks: quirks.optional(),
    gateway_options: gatewayOptions.optional(),
    key: keyText.optional().describe('The secret the provider is shown. Never returned.'),
    keys: keyTexts
      .optional()
      .describe('Several secrets, used in turn. One that the provider limits or refuses is passed over for a while.'),
    credential: credential.optional(),
    auth: auth.optional(),
    headers: headers
      .optional()
      .describe('Headers to send with each call, such as an organisation. Stored sealed; the values are never returned.'),
    default_model: defaultModel.optional(),
    models: models.optional().describe('Ids of the models that may be asked for; `*` is any. Absent: any.'),
    no_verify: noVerify.optional(),
  })
  .refine(oneKind, ONE_KIND);
export type CreateProvider = z.output<typeof CreateProvider>;

export const UpdateProvider = z
  .strictObject({
    base_url: baseUrl.optional().describe('Another origin drops the stored key, unless a new one comes along, and the connection.'),
    dialect: dialect.optional().describe('The wire format it is spoken to in; null: chosen for each model.'),
    native_tools: nativeTools.optional(),
    on_client_gone: onClientGone.optional(),
    quirks: quirks.optional(),
    gateway_options: gatewayOptions.optional(),
    key: keyText.nullable().optional().describe('A new secret in place of all that are stored; null destroys them.'),
    keys: keyTexts.optional().describe('New secrets, used in turn, in place of all that are stored.'),
    credential: credential.optional(),
    auth: auth.optional(),
    headers: headers
      .nullable()
      .optional()
      .describe('All headers to send with each call, in the place of those there were. Another origin drops them.'),
    default_model: defaultModel.optional(),
    no_verify: noVerify.optional(),
    models: models.optional(),
  })
  .refine(...notEmpty)
  .refine(oneKind, ONE_KIND);
export type UpdateProvider = z.output<typeof UpdateProvider>;

export const ProviderObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('provider'),
    name: z.string(),
    type: z.string(),
    base_url: z.string(),
    native_tools: z.boolean().nullable().describe('Null: as its type does.'),
    on_client_gone: z.enum(ON_CLIENT_GONE).nullable().describe('Null: as is known of its type.'),
    quirks: QuirksObject.describe('How it differs from its type.'),
    gateway_options: AiGatewayOptions,
    dialect: z.string().nullable().describe('Null: chosen for each model.'),
    models: z.array(z.string()),
    has_key: z.boolean().describe('Whether a secret is stored for it.'),
    auth: z.string().nullable().describe('Null: as its type does.'),
    headers: z.array(z.string()).describe('The names of its own headers.'),
    default_model: z.string().nullable(),
    capabilities: Capabilities.nullable().describe('What the last probe found. Null: it was not probed as it is now.'),
    awaits_key: z
      .boolean()
      .describe('Its origin changed and its key was dropped: it is not called until there is one, or `key` was set to null.'),
    keys: z.array(ProviderKeyObject),
    created_at: Timestamp,
  })
  .meta({ id: 'Provider' });

/** A provider, with what may be shown of its secrets. */
export interface ProviderView {
  provider: ProviderRecord;
  keys: readonly CredentialSummary[];
  headerNames: readonly string[];
}

export const renderProvider = ({ provider, keys, headerNames }: ProviderView): z.input<typeof ProviderObject> => ({
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
  auth: provider.auth,
  headers: [...headerNames],
  default_model: provider.defaultModel,
  capabilities: provider.capabilities as Capabilities | null,
  created_at: unixSeconds(provider.createdAt),
});
