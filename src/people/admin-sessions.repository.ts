import { Inject, Injectable } from '@nestjs/common';
import { type Id, newId } from '../kernel/ids.js';
import { CONFIG_POOL, inTransaction, type Pool } from '../platform/postgres/index.js';
import type { AdminSession, Origin, SignedIn, SignInMethod } from './admin-session.js';
import { note } from './events.repository.js';
import { PERSON } from './people.repository.js';
import type { Person } from './person.js';

const SESSION = `s.id, s.method, s.confirmed, s.address, s.user_agent AS "userAgent", s.created_at AS "createdAt", s.last_seen_at AS "lastSeenAt",
  s.expires_at AS "expiresAt"`;

const LASTS = `interval '12 hours'`;
const IDLE = `interval '1 hour'`;
/** Its use is noted this often. */
const NOTED = `interval '1 minute'`;
const MAX_USER_AGENT = 256;

const IS_LIVE = `s.expires_at > weir_now() AND s.last_seen_at > weir_now() - ${IDLE}`;

export interface NewSession {
  tenantId: Id | null;
  personId: Id;
  digest: Buffer;
  method: SignInMethod;
  confirmed: boolean;
}

@Injectable()
export class AdminSessionsRepository {
  constructor(@Inject(CONFIG_POOL) private readonly pool: Pool) {}

  /** @param before the digest of the session that it takes the place of; null: of none. */
  insert(
    { tenantId, personId, digest, method, confirmed }: NewSession,
    { address, userAgent }: Origin,
    before: Buffer | null,
  ): Promise<Id> {
    const id = newId();
    return inTransaction(this.pool, async (client) => {
      await client.query(`DELETE FROM admin_sessions s WHERE s.digest = $1 OR (s.person_id = $2 AND NOT (${IS_LIVE}))`, [before, personId]);
      await client.query(
        `INSERT INTO admin_sessions (id, tenant_id, person_id, digest, method, confirmed, address, user_agent, created_at, last_seen_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, weir_now(), weir_now(), weir_now() + ${LASTS})`,
        [id, tenantId, personId, digest, method, confirmed, address, userAgent?.slice(0, MAX_USER_AGENT) ?? null],
      );
      await note(client, 'person.signed_in', tenantId, { person: ['person', personId], method, address });
      return id;
    });
  }

  /**
   * Who uses a session. The one place that decides: each way to sign in ends here at the next request.
   * @returns null: there is none, it is over, or its person may not be signed in so any more.
   */
  async use(digest: Buffer, address: string): Promise<SignedIn | null> {
    const { rows } = await this.pool.query<AdminSession & { personId: Id; isStale: boolean; isSuspended: boolean }>(
      `SELECT ${SESSION}, s.person_id AS "personId", s.last_seen_at < weir_now() - ${NOTED} AS "isStale", t.suspended_at IS NOT NULL AS "isSuspended"
       FROM admin_sessions s JOIN people p ON p.id = s.person_id LEFT JOIN tenants t ON t.id = p.tenant_id
         LEFT JOIN single_sign_on o ON o.tenant_id = p.tenant_id AND o.deleted_at IS NULL
       WHERE s.digest = $1 AND ${IS_LIVE} AND p.disabled_at IS NULL AND t.deleted_at IS NULL AND (s.method <> 'password' OR o.required IS NOT TRUE)`,
      [digest],
    );
    const [row] = rows;
    if (!row) return null;
    const { personId, isStale, isSuspended, ...session } = row;
    if (isStale)
      await this.pool.query('UPDATE admin_sessions SET last_seen_at = weir_now(), address = $2 WHERE id = $1', [session.id, address]);
    const people = await this.pool.query<Person>(`SELECT ${PERSON} FROM people p WHERE p.id = $1`, [personId]);
    return people.rows[0] ? { session, person: people.rows[0], isSuspended } : null;
  }

  /** Those that are not over, the newest first. */
  async list(personId: Id): Promise<AdminSession[]> {
    const { rows } = await this.pool.query<AdminSession>(
      `SELECT ${SESSION} FROM admin_sessions s WHERE s.person_id = $1 AND ${IS_LIVE} ORDER BY s.id DESC`,
      [personId],
    );
    return rows;
  }

  /** False: the person has none with this id. */
  async delete(personId: Id, id: Id): Promise<boolean> {
    return (await this.pool.query('DELETE FROM admin_sessions WHERE person_id = $1 AND id = $2', [personId, id])).rowCount === 1;
  }
}
