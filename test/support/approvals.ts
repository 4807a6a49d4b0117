import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { newId, parsePublicId, publicId } from '../../src/kernel/ids.js';

/** A request of a tenant's that waits for its decision. @param tenantId, projectId public ids. @returns its public id. */
export async function addApproval(db: Pick<Pool, 'query'>, tenantId: string, projectId: string): Promise<string> {
  const id = newId();
  const budgetId = newId();
  const owner = parsePublicId('tenant', tenantId);
  await db.query(
    `INSERT INTO budgets (tenant_id, id, scope_kind, scope_value, limit_nano, period_kind, timezone, mode, set_by)
     VALUES ($1, $2, 'tag', $3, 1, 'month', 'UTC', 'approve', 'tenant')`,
    [owner, budgetId, `approval-${id}`],
  );
  const short = {
    budget_id: budgetId,
    scope_kind: 'tag',
    scope_value: `approval-${id}`,
    limit: '1',
    spent: '1',
    held: '0',
    short: '1',
    resets_at: null,
  };
  await db.query(
    `INSERT INTO approvals (tenant_id, id, project_id, api_key_id, endpoint, model, fingerprint, amount, shorts, by_operator, four_eyes, created_at, expires_at)
     VALUES ($1, $2, $3, $2, 'chat.completions', 'mock/echo', $4, 1, $5, false, false, now(), now() + interval '1 day')`,
    [owner, id, parsePublicId('project', projectId), randomBytes(32), JSON.stringify([short])],
  );
  return publicId('approval', id);
}
