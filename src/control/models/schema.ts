import { z } from 'zod';
import { Timestamp, text } from '../http/fields.js';
import { ListQuery } from '../http/list.js';
import { providerName } from '../providers/schema.js';

const MAX_TOKENS = 2 ** 31 - 1;

const FACTS = {
  context_window: 'Tokens of prompt and answer together. Prompts that are surely longer are refused.',
  max_output_tokens: 'The most tokens of one answer. Higher limits are lowered to it.',
  tools: 'false: tools are described in the prompt, and calls are read in the text.',
  vision: 'false: requests with images are refused.',
  reasoning: 'The model thinks before it answers. A call without an output limit then gets a larger one.',
};

const AS_CATALOG = 'Absent or null: as the catalog has it.';

const tokens = (about: string) => z.number().int().min(1).max(MAX_TOKENS).nullable().optional().describe(`${about} ${AS_CATALOG}`);

const ability = (about: string) => z.boolean().nullable().optional().describe(`${about} ${AS_CATALOG}`);

export const PutModel = z
  .strictObject({
    provider: providerName.describe('The name of the provider.'),
    model: text(256).min(1).describe('The model id.'),
    context_window: tokens(FACTS.context_window),
    max_output_tokens: tokens(FACTS.max_output_tokens),
    tools: ability(FACTS.tools),
    vision: ability(FACTS.vision),
    reasoning: ability(FACTS.reasoning),
  })
  .refine((body) => Object.values(body).filter((value) => value != null).length > 2, {
    error: `says nothing of the model. Set one of ${Object.keys(FACTS).join(', ')}`,
  })
  .meta({ example: { provider: 'acme', model: 'acme-large', context_window: 128000, vision: false } });

export type PutModel = z.output<typeof PutModel>;

export const ModelQuery = ListQuery.extend({ provider: text(64).optional(), model: text(256).optional() });

export type ModelQuery = z.output<typeof ModelQuery>;

export const ModelObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('organization.model'),
    provider: z.string(),
    model: z.string(),
    context_window: z.number().int().nullable(),
    max_output_tokens: z.number().int().nullable(),
    tools: z.boolean().nullable(),
    vision: z.boolean().nullable(),
    reasoning: z.boolean().nullable(),
    created_at: Timestamp,
  })
  .meta({ id: 'ModelEntry' });
