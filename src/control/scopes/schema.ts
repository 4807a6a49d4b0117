import { z } from 'zod';
import { SCOPE_KINDS } from '../../quotas/index.js';
import { label } from '../http/fields.js';

export const scope = z
  .strictObject({
    kind: z.enum([...SCOPE_KINDS, 'key']).transform((kind) => (kind === 'key' ? 'api_key' : kind)),
    value: label
      .optional()
      .describe(
        'The id of the tenant, project, API key or binding, or the name of the model, provider, end user, session, tag or scope. `*`: one counter per value. Not needed for the tenant.',
      ),
  })
  .refine(({ kind, value }) => kind === 'tenant' || value !== undefined, { path: ['value'], error: 'is missing' });

export const ScopeObject = z.strictObject({ kind: z.enum(SCOPE_KINDS), value: z.string() });
