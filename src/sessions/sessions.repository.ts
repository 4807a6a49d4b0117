import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import type { Session, SessionKey } from './session.js';

const SESSION = `tenant_id AS "tenantId", project_id AS "projectId", id, default_model AS "defaultModel", thinking_level AS "thinkingLevel", created_at AS "createdAt"`;
const KEPT = `interval '30 days'`;

@Injectable()
export class SessionsRepository {
  constructor(private readonly pool: Pool) {}

  /** Puts these defaults instead of what there is, and forgets sessions of the tenant that nobody uses any more. */
  async put({ tenantId, projectId, id, defaultModel, thinkingLevel }: Omit<Session, 'createdAt'>): Promise<Session> {
    await this.pool.query(`DELETE FROM sessions WHERE tenant_id = $1 AND used_at < weir_now() - ${KEPT}`, [tenantId]);
    const { rows } = await this.pool.query<Session>(
      `INSERT INTO sessions (tenant_id, project_id, id, default_model, thinking_level, created_at, used_at) VALUES ($1, $2, $3, $4, $5, weir_now(), weir_now())
       ON CONFLICT (tenant_id, project_id, id) DO UPDATE SET default_model = excluded.default_model, thinking_level = excluded.thinking_level, used_at = excluded.used_at
       RETURNING ${SESSION}`,
      [tenantId, projectId, id, defaultModel, thinkingLevel],
    );
    return rows[0]!;
  }

  /** From now on calls of the project look for defaults. True: they did not before. */
  async noteProject({ tenantId, projectId }: SessionKey): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'UPDATE projects SET has_sessions = true WHERE tenant_id = $1 AND id = $2 AND NOT has_sessions',
      [tenantId, projectId],
    );
    return rowCount === 1;
  }

  /** Null: it has no defaults. @returns whether its use is to be noted, too. */
  async find({ tenantId, projectId, id }: SessionKey): Promise<(Session & { isStale: boolean }) | null> {
    const { rows } = await this.pool.query<Session & { isStale: boolean }>(
      `SELECT ${SESSION}, used_at < weir_now() - interval '1 day' AS "isStale" FROM sessions WHERE tenant_id = $1 AND project_id = $2 AND id = $3 AND used_at >= weir_now() - ${KEPT}`,
      [tenantId, projectId, id],
    );
    return rows[0] ?? null;
  }

  async noteUse({ tenantId, projectId, id }: SessionKey): Promise<void> {
    await this.pool.query('UPDATE sessions SET used_at = weir_now() WHERE tenant_id = $1 AND project_id = $2 AND id = $3', [
      tenantId,
      projectId,
      id,
    ]);
  }

  /** False: there was none. */
  async delete({ tenantId, projectId, id }: SessionKey): Promise<boolean> {
    const { rowCount } = await this.pool.query('DELETE FROM sessions WHERE tenant_id = $1 AND project_id = $2 AND id = $3', [
      tenantId,
      projectId,
      id,
    ]);
    return rowCount === 1;
  }
}
