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
    actor: { type: line.actorKind, id: line.actorId },
    resource: { type: line.resource, id },
    request_id: line.requestId,
    ip_address: forTenant && line.actorKind === 'operator' ? null : line.address,
    before: fieldsOf(line.before, kind),
    after: fieldsOf(line.after, kind),
  };
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
