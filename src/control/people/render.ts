import type { z } from 'zod';
import { publicId } from '../../kernel/ids.js';
import type { Person } from '../../people/index.js';
import { unixSeconds, unixSecondsOrNull } from '../http/fields.js';
import type { PersonObject } from './schema.js';

export const renderPerson = (person: Person): z.input<typeof PersonObject> => ({
  id: publicId('person', person.id),
  object: person.tenantId === null ? 'platform.user' : 'organization.user',
  email: person.email,
  name: person.name,
  role: person.role,
  project_id: person.projectId && publicId('project', person.projectId),
  external_id: person.externalId,
  has_password: person.hasPassword,
  has_second_factor: person.hasSecondFactor,
  added_at: unixSeconds(person.createdAt),
  disabled_at: unixSecondsOrNull(person.disabledAt),
});
