import type { z } from 'zod';
import { type AuditLine, RESOURCES } from '../../audit-log/index.js';
import { type IdKind, publicId } from '../../kernel/ids.js';
import { formatUsd } from '../../kernel/money.js';
import { unixSeconds } from '../http/fields.js';
import type { AuditLogObject } from './schema.js';

const KINDS: Readonly<Record<string, IdKind>> = {
  tenant_id: 'tenant',
  project_id: 'project',
  provider_id: 'provider',
  budget_id: 'budget',
  api_key_id: 'apiKey',
  call_id: 'call',
  price_id: 'price',
};

/** @param forTenant who reads it is the tenant's, and is not told from where operators work. */
export function renderAuditLine(line: AuditLine, forTenant: boolean): z.input<typeof AuditLogObject> {
  const kind = RESOURCES[line.resource];
  const id = kind === null || line.resourceId === null ? null : publicId(kind, line.resourceId);
  return {
    id: publicId('auditLine', line.id),
    object: 'organization.audit_log',
    type: line.event,
    effective_at: unixSeconds(line.at),
    tenant_id: line.tenantId === null ? null : publicId('tenant', line.tenantId),
    project: line.projectId === null ? null : { id: publicId('project', line.projectId), name: line.projectName },
    actor: { type: line.actorKind, id: line.actorId },
    resource: { type: line.resource, id },
    request_id: line.requestId,
    ip_address: forTenant && line.actorKind === 'operator' ? null : line.address,
    before: fieldsOf(line.before, kind),
    after: fieldsOf(line.after, kind),
  };
}

const COLUMNS: readonly [name: string, of: (line: z.input<typeof AuditLogObject>) => string | number | object | null][] = [
  ['id', ({ id }) => id],
  ['type', ({ type }) => type],
  ['effective_at', ({ effective_at }) => effective_at],
  ['tenant_id', ({ tenant_id }) => tenant_id],
  ['project_id', ({ project }) => project?.id ?? null],
  ['actor_type', ({ actor }) => actor.type],
  ['actor_id', ({ actor }) => actor.id],
  ['resource_type', ({ resource }) => resource.type],
  ['resource_id', ({ resource }) => resource.id],
  ['request_id', ({ request_id }) => request_id],
  ['ip_address', ({ ip_address }) => ip_address],
  ['before', ({ before }) => before],
  ['after', ({ after }) => after],
];

/** How an export writes the log: what stands above the lines, and each line. */
export const FORMATS = {
  ndjson: { type: 'application/x-ndjson', head: '', line: (line: z.input<typeof AuditLogObject>) => `${JSON.stringify(line)}\n` },
  csv: {
    type: 'text/csv; charset=utf-8',
    head: csvRow(COLUMNS.map(([name]) => name)),
    line: (line: z.input<typeof AuditLogObject>) => csvRow(COLUMNS.map(([, of]) => of(line))),
  },
} as const;

/** By RFC 4180. What is deeper is JSON. */
function csvRow(cells: readonly (string | number | object | null)[]): string {
  const texts = cells.map((cell) => (cell === null ? '' : typeof cell === 'object' ? JSON.stringify(cell) : String(cell)));
  return `${texts.map((text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)).join(',')}\r\n`;
}

type Reviver = (this: object, key: string, value: unknown, context: { source?: string }) => unknown;

/** Columns as clients know them: ids with their prefixes, and amounts in USD, which may be larger than a number of JavaScript holds. */
function fieldsOf(columns: string | null, own: IdKind | null): Record<string, unknown> | null {
  if (columns === null) return null;
  const exact: Reviver = (key, value, { source }) =>
    key.endsWith('_nano') && typeof value === 'number' ? formatUsd(BigInt(source!)) : value;
  const parsed = (JSON.parse as (text: string, reviver: Reviver) => Record<string, unknown>)(columns, exact);
  return Object.fromEntries(
    Object.entries(parsed).map(([column, value]) => {
      const kind = column === 'id' ? own : KINDS[column];
      return [column.replace(/_nano$/, ''), kind && typeof value === 'string' ? publicId(kind, value) : value];
    }),
  );
}
