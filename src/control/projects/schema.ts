import { z } from 'zod';
import { DEFAULT_MODEL, defaultModel, externalId, Metadata, metadata, name, notEmpty, Timestamp } from '../http/fields.js';

export const CreateProject = z
  .strictObject({
    name,
    external_id: externalId.optional(),
    default_model: defaultModel.optional().describe(`${DEFAULT_MODEL} Absent: that of the tenant.`),
    metadata: metadata.optional(),
  })
  .meta({ example: { name: 'search', external_id: 'team-7' } });

export type CreateProject = z.output<typeof CreateProject>;

export const UpdateProject = z
  .strictObject({
    name: name.optional(),
    external_id: externalId.nullable().optional(),
    default_model: defaultModel.nullable().optional().describe(`${DEFAULT_MODEL} null: that of the tenant.`),
    metadata: metadata.optional(),
  })
  .refine(...notEmpty)
  .meta({ example: { name: 'search and answers' } });

export type UpdateProject = z.output<typeof UpdateProject>;

export const ProjectObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('project'),
    name: z.string(),
    status: z.enum(['active', 'archived']),
    external_id: z.string().nullable(),
    default_model: z.string().nullable(),
    metadata: Metadata,
    created_at: Timestamp,
    archived_at: Timestamp.nullable(),
  })
  .meta({ id: 'Project' });
