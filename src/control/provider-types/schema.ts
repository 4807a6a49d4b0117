import { z } from 'zod';
import { CREDENTIAL_TYPES, DIALECTS } from '../../providers/index.js';

export const ProviderTypeObject = z
  .strictObject({
    type: z.string(),
    object: z.literal('provider_type'),
    title: z.string(),
    base_url: z.string().nullable().describe('Null: each provider of this type has its own address.'),
    aliases: z
      .array(z.strictObject({ alias: z.string(), base_url: z.string().nullable() }))
      .describe('Other names accepted as type. Some mean a region.'),
    dialects: z.array(z.enum(DIALECTS)).describe('The wire formats it speaks, the default one first.'),
    auth_header: z.string().describe('The header that carries a plain key.'),
    credential_types: z.array(z.enum(CREDENTIAL_TYPES)).describe('The forms that `credential` accepts instead of a plain key.'),
    login_terms_url: z
      .string()
      .nullable()
      .describe("The address of the vendor's terms, if the provider is connected by a person's login. Null: it takes a key."),
    environment: z.array(z.string()).describe('Environment variables that become credentials of the platform.'),
  })
  .meta({ id: 'ProviderType' });

export const ProviderTypeList = z
  .strictObject({ object: z.literal('list'), data: z.array(ProviderTypeObject) })
  .meta({ id: 'ProviderTypeList' });
