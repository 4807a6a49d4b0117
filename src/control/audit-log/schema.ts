import { z } from 'zod';
import type { AuditQuery } from '../../audit-log/index.js';
import { idOfHex } from '../../kernel/ids.js';
import { idText, Timestamp, text } from '../http/fields.js';
import { cursors, ListQuery } from '../http/list.js';

const MAX_FILTERS = 100;

const list = <Item extends z.ZodType>(item: Item) =>
  z.preprocess((given) => (typeof given === 'string' ? given.split(',') : given), z.array(item).min(1).max(MAX_FILTERS)).optional();

const instant = z.coerce.number().int().min(0).max(4_102_444_800).optional();

const anyId = text(64).transform((given, context): string => {
  const hex = /^[a-z]+_([0-9a-f]{32})$/.exec(given)?.[1];
  if (hex !== undefined) return idOfHex(hex);
  context.addIssue({ code: 'custom', message: 'must be an id, such as key_… or bud_…' });
  return z.NEVER;
});

const filters = {
  event_types: list(text(64)).describe('Types of events, such as `api_key.updated`.'),
  actor_ids: list(text(64)).describe('Who did it: ids of admin keys, operator keys or people.'),
  resource_ids: list(anyId).describe('What was changed, by its id.'),
  project_ids: list(idText('project')).describe('Projects of what was changed.'),
  'effective_at[gte]': instant.describe('Unix seconds, inclusive.'),
  'effective_at[lt]': instant.describe('Unix seconds, exclusive.'),
};

export const AuditLogQuery = ListQuery.extend(filters);
export type AuditLogQuery = z.output<typeof AuditLogQuery>;

const secondsToDate = (seconds: number | undefined) => (seconds === undefined ? undefined : new Date(seconds * 1000));

export const auditQuery = (query: AuditLogQuery): AuditQuery => ({
  ...filtersOf(query),
  ...cursors('auditLine', query),
  limit: query.limit,
  order: query.order,
});

export const AuditLogExport = z.strictObject({
  ...filters,
  format: z.enum(['ndjson', 'csv']).default('ndjson').describe('`ndjson`: a JSON object a line. `csv`: with a line of names.'),
  after: ListQuery.shape.after.describe('Start after this id: where an export that was cut off goes on.'),
});
export type AuditLogExport = z.output<typeof AuditLogExport>;

export const exportQuery = (query: AuditLogExport) => ({
  ...filtersOf(query),
  after: cursors('auditLine', query).after,
  order: 'asc' as const,
});

const filtersOf = (query: Pick<AuditLogQuery, keyof typeof filters>) => ({
  events: query.event_types,
  actorIds: query.actor_ids,
  resourceIds: query.resource_ids,
  projectIds: query.project_ids,
  from: secondsToDate(query['effective_at[gte]']),
  until: secondsToDate(query['effective_at[lt]']),
});

const fields = z.record(z.string(), z.unknown()).nullable();

export const AuditLogObject = z
  .strictObject({
    id: z.string(),
    object: z.literal('organization.audit_log'),
    type: z.string().describe('What happened, such as `api_key.updated`.'),
    effective_at: Timestamp,
    tenant_id: z.string().nullable().describe('null: a change of the platform.'),
    project: z
      .strictObject({ id: z.string(), name: z.string().nullable() })
      .nullable()
      .describe('Of what was changed. null: it is of no project.'),
    actor: z.strictObject({
      type: z.enum(['operator', 'admin_key', 'person', 'job']),
      id: z.string().describe('Of a job, what it worked with.'),
    }),
    resource: z.strictObject({ type: z.string(), id: z.string().nullable() }),
    request_id: z.string().nullable().describe('The `x-request-id` of the answer.'),
    ip_address: z.string().nullable().describe('Where the request came from. Tenants are not told it of operators.'),
    before: fields.describe('The fields that changed, as they were. `"secret"` stands for what is not shown.'),
    after: fields.describe('The same, as they became.'),
  })
  .meta({ id: 'AuditLog' });
