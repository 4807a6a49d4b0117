import { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { Project } from '../../tenants/index.js';
import { externalId, Metadata, metadata, name, notEmpty, Timestamp, unixSeconds, unixSecondsOrNull } from './common.js';

export const CreateProject = z.strictObject({ name, external_id: externalId.optional(), metadata: metadata.optional() });
export type CreateProject = z.output<typeof CreateProject>;

export const UpdateProject = z
  .strictObject({ name: name.optional(), external_id: externalId.nullable().optional(), metadata: metadata.optional() })
  .refine(...notEmpty);
export type UpdateProject = z.output<typeof UpdateProject>;

export const ProjectObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('project'),
    name: z.string(),
    status: z.enum(['active', 'archived']),
    external_id: z.string().nullable(),
    metadata: Metadata,
    created_at: Timestamp,
    archived_at: Timestamp.nullable(),
  })
  .meta({ id: 'Project' });

export const renderProject = (project: Project): z.input<typeof ProjectObject> => ({
  id: publicId('project', project.id),
  object: 'project',
  name: project.name,
  status: project.archivedAt ? 'archived' : 'active',
  external_id: project.externalId,
  metadata: project.metadata as Record<string, string>,
  created_at: unixSeconds(project.createdAt),
  archived_at: unixSecondsOrNull(project.archivedAt),
});
