import { z } from 'zod';
import { CREDENTIAL_TYPES, DIALECTS, type ProviderType, variablesOf } from '../../providers/index.js';

export const ProviderTypeObject = z
  .strictObject({
    type: z.string(),
    object: z.literal('provider_type'),
    title: z.string(),
    base_url: z.string().nullable().describe('Null: every provider of this type brings its own.'),
    aliases: z
      .array(z.strictObject({ alias: z.string(), base_url: z.string().nullable() }))
      .describe('Other names that may be given as type; some stand for a region.'),
    dialects: z.array(z.enum(DIALECTS)).describe('The wire formats it speaks; the first where nothing else decides.'),
    auth_header: z.string().describe('The header a plain key goes by.'),
    credential_types: z.array(z.enum(CREDENTIAL_TYPES)).describe('The forms that `credential` may have in the place of a plain key.'),
    login_terms_url: z
      .string()
      .nullable()
      .describe("Null: it takes a key. Else it is connected by a person's login, under the vendor's terms at this address."),
    environment: z.array(z.string()).describe('Variables that become credentials of the platform.'),
  })
  .meta({ id: 'ProviderType' });

export const ProviderTypeList = z
  .strictObject({ object: z.literal('list'), data: z.array(ProviderTypeObject) })
  .meta({ id: 'ProviderTypeList' });

export const renderProviderType = (type: ProviderType): z.input<typeof ProviderTypeObject> => ({
  type: type.slug,
  object: 'provider_type',
  title: type.title,
  base_url: type.baseUrl,
  aliases: Object.entries(type.aliases).map(([alias, url]) => ({ alias, base_url: url })),
  dialects: [...type.dialects],
  auth_header: type.auth.kind === 'header' ? type.auth.name : 'authorization',
  credential_types: [...type.credentialTypes],
  login_terms_url: type.seat?.termsUrl ?? null,
  environment: [...variablesOf(type)],
});
