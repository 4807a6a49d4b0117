import { z } from 'zod';
import { Secret } from '../../platform/crypto/index.js';
import type { AccountChanges, NewAccount } from '../../provider-accounts/index.js';
import { DIALECTS, ON_CLIENT_GONE, PROVIDER_NAME, StructuredCredential } from '../../providers/index.js';
import { notEmpty, Timestamp, text } from '../http/fields.js';
import { AiGatewayOptions } from './ai-gateway.js';
import { auth, headers } from './auth.js';
import { BreakerObject } from './breakers.js';
import { Capabilities } from './capabilities.js';
import { keyText, keyTexts, ProviderKeyObject } from './keys.js';
import { Quirks, QuirksObject } from './quirks.js';

const MAX_MODELS = 1_000;

export const providerName = z
  .string()
  .regex(PROVIDER_NAME, { error: 'must start with a lower-case letter or digit and go on with those, ".", "_" or "-", up to 63 in all' });

const baseUrl = text(2_048).refine((url) => URL.canParse(url), { error: 'must be a URL such as "https://api.example.com/v1"' });

const dialect = z.enum(DIALECTS).nullable();

const nativeTools = z
  .boolean()
  .nullable()
  .describe(
    'false: its models have no native tools; Weir describes tools in the prompt and reads calls from the text. Null: the default of its type.',
  );

const onClientGone = z
  .enum(ON_CLIENT_GONE)
  .nullable()
  .describe(
    'What happens to a call at the provider when its client leaves. `drain`: it is read on for up to 30 seconds, so that what the provider counted is booked. `cancel`: it is broken off, and what is booked is an estimate. Null: as is known of its type.',
  );

const quirks = Quirks.describe('How the provider differs from its type. Names that are left out keep the value of the type.');

const gatewayOptions = AiGatewayOptions.describe(
  "What Cloudflare's AI Gateway is asked for with each call. For providers of its types only.",
);

const models = z.array(text(256).min(1)).max(MAX_MODELS);

const noVerify = z
  .boolean()
  .describe(
    'true: save without a probe. By default a `base_url` is probed first, which takes at most 20 seconds and a few hundred tokens.',
  );

const defaultModel = text(256)
  .min(1)
  .nullable()
  .describe('The model of a call that names only the provider. Null: every call must name its model.');

const credential = StructuredCredential.describe(
  'Instead of `key`: a credential of several fields. Its `type` must be one of the `credential_types` of the provider type. Never returned.',
);

const oneKind = ({ key, keys }: { key?: unknown; keys?: unknown }): boolean => key === undefined || keys === undefined;

const ONE_KIND = { error: 'Give either "key" or "keys".', path: ['keys'] };

export const CreateProvider = z
  .strictObject({
    name: providerName.optional().describe('The left part of `provider/model-id`. Absent: the value of `type`.'),
    type: text(2_100).describe(
      'A provider type, or an alias of one: see /v1/organization/provider_types. `openai` also stands for any server that speaks its formats. `custom:https://…` and `anthropic-custom:https://…` say the address as well.',
    ),
    base_url: baseUrl.optional().describe('Absent: the address of the vendor. For Azure it may end in `?api-version=` and a date.'),
    dialect: dialect
      .optional()
      .describe('The wire format used for its calls. Absent or null: chosen for each model from those of its type.'),
    native_tools: nativeTools.optional(),
    on_client_gone: onClientGone.optional(),
    quirks: quirks.optional(),
    gateway_options: gatewayOptions.optional(),
    key: keyText.optional().describe('The API key of the provider. Never returned.'),
    keys: keyTexts.optional().describe('Several keys, used in turn. A key that the provider limits or refuses is skipped for a while.'),
    credential: credential.optional(),
    auth: auth.optional(),
    headers: headers
      .optional()
      .describe('Headers to send with each call, such as an organization. Stored encrypted. The values are never returned.'),
    default_model: defaultModel.optional(),
    models: models.optional().describe('Ids of the models that can be called. `*`: any. Absent: any.'),
    no_verify: noVerify.optional(),
  })
  .refine(oneKind, ONE_KIND)
  .meta({ example: { name: 'acme', type: 'openai', key: 'sk-example', models: ['acme-large'] } });

export type CreateProvider = z.output<typeof CreateProvider>;

export const newAccountOf = (body: CreateProvider): NewAccount => ({
  ...settingsOf(body),
  name: body.name,
  type: body.type,
  keys: keysOf(body.key, body.keys),
  headers: body.headers,
});

export const UpdateProvider = z
  .strictObject({
    base_url: baseUrl.optional().describe('A new origin removes the stored key, unless a new one is given, and the connection.'),
    dialect: dialect.optional().describe('The wire format used for its calls. null: chosen for each model.'),
    native_tools: nativeTools.optional(),
    on_client_gone: onClientGone.optional(),
    quirks: quirks.optional(),
    gateway_options: gatewayOptions.optional(),
    key: keyText.nullable().optional().describe('A new key, replacing all stored ones. null destroys them.'),
    keys: keyTexts.optional().describe('New keys, used in turn, replacing all stored ones.'),
    credential: credential.optional(),
    auth: auth.optional(),
    headers: headers
      .nullable()
      .optional()
      .describe('All headers to send with each call, replacing the existing ones. A new origin removes them.'),
    default_model: defaultModel.optional(),
    no_verify: noVerify.optional(),
    models: models.optional(),
  })
  .refine(...notEmpty)
  .refine(oneKind, ONE_KIND)
  .meta({ example: { models: ['acme-large', 'acme-small'], default_model: 'acme-large' } });

export type UpdateProvider = z.output<typeof UpdateProvider>;

export const accountChangesOf = (body: UpdateProvider): AccountChanges => ({
  ...settingsOf(body),
  keys: body.key === null ? null : keysOf(body.key, body.keys),
  headers: body.headers,
});

const settingsOf = (body: CreateProvider | UpdateProvider) => ({
  baseUrl: body.base_url,
  dialect: body.dialect,
  nativeTools: body.native_tools,
  onClientGone: body.on_client_gone,
  quirks: body.quirks,
  gatewayOptions: body.gateway_options,
  models: body.models,
  auth: body.auth,
  defaultModel: body.default_model,
  credential: body.credential,
  noVerify: body.no_verify,
});

const keysOf = (key: string | undefined, keys: string[] | undefined): Secret[] | undefined =>
  (key === undefined ? keys : [key])?.map((text) => new Secret(text));

export const ProviderObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('provider'),
    name: z.string(),
    type: z.string(),
    base_url: z.string(),
    native_tools: z.boolean().nullable().describe('Null: the default of its type.'),
    on_client_gone: z.enum(ON_CLIENT_GONE).nullable().describe('Null: what is known of its type.'),
    quirks: QuirksObject.describe('Differences from its type.'),
    gateway_options: AiGatewayOptions,
    dialect: z.string().nullable().describe('Null: chosen for each model.'),
    models: z.array(z.string()),
    has_key: z.boolean().describe('Whether a secret is stored for it.'),
    auth: z.string().nullable().describe('Null: the default of its type.'),
    headers: z.array(z.string()).describe('The names of its additional headers.'),
    default_model: z.string().nullable(),
    capabilities: Capabilities.nullable().describe('The result of the last probe. Null: not probed since it was changed.'),
    awaits_key: z
      .boolean()
      .describe('true: its origin changed, so its key was removed. It is not called until a key is entered or `key` is set to null.'),
    keys: z.array(ProviderKeyObject),
    breakers: z.array(BreakerObject).describe('Models that Weir leaves alone for now, because the provider kept failing.'),
    created_at: Timestamp,
  })
  .meta({ id: 'Provider' });
