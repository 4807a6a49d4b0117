import { z } from 'zod';
import type { NewAccount } from '../../provider-accounts/index.js';
import { idText } from '../http/fields.js';
import { CreateProvider, newAccountOf, ProviderObject } from '../providers/schema.js';

export const CreatePlatformCredential = CreateProvider.safeExtend({
  from_existing: z
    .boolean()
    .optional()
    .describe(
      "true: the key, or the credential of several fields, is taken from this process's environment, `.env.local` or `.env`, as at a start. The `environment` of a provider type has the variables.",
    ),
})
  .refine(({ from_existing, key, keys, credential }) => !from_existing || (key ?? keys ?? credential) === undefined, {
    error: 'takes the credential from the environment. Leave "key", "keys" and "credential" out',
    path: ['from_existing'],
  })
  .meta({ example: { name: 'house', type: 'openai', key: 'sk-example', models: ['your-model'] } });

export type CreatePlatformCredential = z.output<typeof CreatePlatformCredential>;

export const newPlatformAccountOf = ({ from_existing: fromEnvironment, ...body }: CreatePlatformCredential): NewAccount => ({
  ...newAccountOf(body),
  fromEnvironment,
});

export const CreateGrant = z
  .strictObject({ tenant: idText('tenant').describe('The tenant that may use it, `ten_…`.') })
  .meta({ example: { tenant: 'ten_01a22936173e7000b733355d082ad693' } });

export type CreateGrant = z.output<typeof CreateGrant>;

export const PlatformCredentialObject = z
  .strictObject({
    ...ProviderObject.shape,
    object: z.literal('platform_credential'),
    provider: z.string().describe('The same as `name`.'),
    source: z
      .enum(['environment', 'operator'])
      .describe(
        '`environment`: found at a start, which keeps its key as the environment has it and destroys it when it is gone there. `operator`: made here, or given another key or address; no start touches it.',
      ),
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
