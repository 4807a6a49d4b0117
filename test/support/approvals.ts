import { randomBytes } from 'node:crypto';
import type { Pool } from 'pg';
import { newId, parsePublicId, publicId } from '../../src/kernel/ids.js';

/** A request of a tenant's that waits for its decision. @param tenantId, projectId public ids. @returns its public id. */
export async function addApproval(db: Pick<Pool, 'query'>, tenantId: string, projectId: string): Promise<string> {
  const id = newId();
  await db.query(
    `INSERT INTO approvals (tenant_id, id, project_id, api_key_id, endpoint, model, fingerprint, amount, shorts, by_operator, four_eyes, created_at, expires_at)
     VALUES ($1, $2, $3, $2, 'chat.completions', 'mock/echo', $4, 1, '[]', false, false, now(), now() + interval '1 day')`,
    [parsePublicId('tenant', tenantId), id, parsePublicId('project', projectId), randomBytes(32)],
  );
  return publicId('approval', id);
}
