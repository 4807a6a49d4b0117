import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { Project } from '../../tenants/index.js';
import { unixSeconds, unixSecondsOrNull } from '../http/fields.js';
import type { ProjectObject } from './schema.js';

export const renderProject = (project: Project): z.input<typeof ProjectObject> => ({
  id: publicId('project', project.id),
  object: 'project',
  name: project.name,
  status: project.archivedAt ? 'archived' : 'active',
  external_id: project.externalId,
  default_model: project.defaultModel,
  metadata: project.metadata as Record<string, string>,
  created_at: unixSeconds(project.createdAt),
  archived_at: unixSecondsOrNull(project.archivedAt),
});
