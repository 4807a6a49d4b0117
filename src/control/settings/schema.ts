import { z } from 'zod';
import { DEFAULT_MODEL, defaultModel, notEmpty } from '../http/fields.js';

export const UpdateSettings = z
  .strictObject({
    keep_answers: z
      .boolean()
      .optional()
      .describe(
        'Whether answers of calls with an Idempotency-Key are kept, encrypted, for 24 hours. false: a repeat gets 409 idempotency_spent, and kept answers are removed within a minute.',
      ),
    default_model: defaultModel.nullable().optional().describe(`${DEFAULT_MODEL} null: WEIR_MODEL.`),
  })
  .refine(...notEmpty)
  .meta({ example: { keep_answers: false } });

export type UpdateSettings = z.output<typeof UpdateSettings>;

export const SettingsObject = z
  .strictObject({
    object: z.literal('settings'),
    keep_answers: z.boolean().describe('Whether answers of calls with an Idempotency-Key are kept for 24 hours.'),
    default_model: z.string().nullable().describe('The model of calls that name none. null: WEIR_MODEL.'),
  })
  .meta({ id: 'Settings' });
