import { Inject, Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { type Id, newId } from '../kernel/ids.js';
import { CONFIG_POOL, inTransaction, type Pool } from '../platform/postgres/index.js';
import { note } from './events.repository.js';
import type { Invite } from './invite.js';
import { type NewPerson, PeopleRepository } from './people.repository.js';

const INVITE = `i.id, i.tenant_id AS "tenantId", i.project_id AS "projectId", i.email, i.role, i.created_by AS "createdBy", i.created_at AS "createdAt",
  i.expires_at AS "expiresAt", i.accepted_at AS "acceptedAt", i.revoked_at AS "revokedAt",
  CASE WHEN i.accepted_at IS NOT NULL THEN 'accepted' WHEN i.revoked_at IS NOT NULL THEN 'revoked' WHEN i.expires_at <= weir_now() THEN 'expired'
    ELSE 'pending' END AS status`;

const LASTS = `interval '7 days'`;

export type NewInvite = Pick<Invite, 'tenantId' | 'projectId' | 'email' | 'role' | 'createdBy'> & { digest: Buffer };

@Injectable()
export class InvitesRepository {
  constructor(
    @Inject(CONFIG_POOL) private readonly pool: Pool,
    private readonly people: PeopleRepository,
  ) {}

  /** Takes the place of one to the same address that is pending. @throws WeirError conflict for an address of a member. */
  async insert({ tenantId, projectId, email, role, createdBy, digest }: NewInvite): Promise<Id> {
    const id = newId();
    await inTransaction(this.pool, async (client) => {
      const owned = 'tenant_id IS NOT DISTINCT FROM $1 AND email = $2';
      if ((await client.query(`SELECT 1 FROM people WHERE ${owned}`, [tenantId, email])).rowCount)
        throw new WeirError('conflict', { param: 'email', message: 'A person with this email address is a member already.' });
      await client.query(`UPDATE invites SET revoked_at = weir_now() WHERE ${owned} AND accepted_at IS NULL AND revoked_at IS NULL`, [
        tenantId,
        email,
      ]);
      await client.query(
        `INSERT INTO invites (id, tenant_id, project_id, email, role, digest, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, weir_now(), weir_now() + ${LASTS})`,
        [id, tenantId, projectId, email, role, digest, createdBy],
      );
      await note(client, 'invite.created', tenantId, { invite: ['invite', id], role, actor: createdBy });
    });
    return id;
  }

  async find(tenantId: Id | null, id: Id): Promise<Invite | null> {
    const { rows } = await this.pool.query<Invite>(
      `SELECT ${INVITE} FROM invites i WHERE i.id = $2 AND i.tenant_id IS NOT DISTINCT FROM $1`,
      [tenantId, id],
    );
    return rows[0] ?? null;
  }

  async list(tenantId: Id | null): Promise<Invite[]> {
    const { rows } = await this.pool.query<Invite>(
      `SELECT ${INVITE} FROM invites i WHERE i.tenant_id IS NOT DISTINCT FROM $1 ORDER BY i.id DESC`,
      [tenantId],
    );
    return rows;
  }

  /** @throws WeirError conflict when it was accepted */
  revoke(tenantId: Id | null, id: Id, actor: string): Promise<void> {
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<{ acceptedAt: Date | null; revokedAt: Date | null }>(
        `SELECT accepted_at AS "acceptedAt", revoked_at AS "revokedAt" FROM invites WHERE id = $2 AND tenant_id IS NOT DISTINCT FROM $1 FOR UPDATE`,
        [tenantId, id],
      );
      const [invite] = rows;
      if (invite?.acceptedAt) throw new WeirError('conflict', { message: 'The invite was accepted. Remove the person instead.' });
      if (!invite || invite.revokedAt) return;
      await client.query('UPDATE invites SET revoked_at = weir_now() WHERE id = $1', [id]);
      await note(client, 'invite.revoked', tenantId, { invite: ['invite', id], actor });
    });
  }

  /** The invite that a secret is of. Null: it cannot be accepted, or there is none. */
  async findPending(digest: Buffer): Promise<(Pick<Invite, 'tenantId' | 'email'> & { ssoRequired: boolean }) | null> {
    const { rows } = await this.pool.query(
      `SELECT i.tenant_id AS "tenantId", i.email, o.required IS TRUE AS "ssoRequired" FROM invites i LEFT JOIN tenants t ON t.id = i.tenant_id
         LEFT JOIN single_sign_on o ON o.tenant_id = i.tenant_id AND o.deleted_at IS NULL
       WHERE i.digest = $1 AND i.accepted_at IS NULL AND i.revoked_at IS NULL AND i.expires_at > weir_now() AND t.deleted_at IS NULL
         AND t.suspended_at IS NULL`,
      [digest],
    );
    return rows[0] ?? null;
  }

  /** Makes the person that was invited: once, however many ask at the same moment. Null: it cannot be accepted any more. */
  accept(digest: Buffer, person: Pick<NewPerson, 'name' | 'password'>): Promise<{ tenantId: Id | null; personId: Id } | null> {
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<Invite>(
        `UPDATE invites i SET accepted_at = weir_now() WHERE digest = $1 AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > weir_now()
         RETURNING ${INVITE}`,
        [digest],
      );
      const [invite] = rows;
      if (!invite) return null;
      const { tenantId, projectId, email, role, createdBy } = invite;
      const fields = { ...person, tenantId, projectId, email, role, subject: null, externalId: null };
      return { tenantId, personId: await this.people.insert(fields, createdBy, client) };
    });
  }

  /** Makes a person for whom no invite is needed, and takes back one to the same address. */
  admit(person: NewPerson, actor: string): Promise<Id> {
    return inTransaction(this.pool, async (client) => {
      await client.query(
        `UPDATE invites SET revoked_at = weir_now() WHERE tenant_id IS NOT DISTINCT FROM $1 AND email = $2 AND accepted_at IS NULL AND revoked_at IS NULL`,
        [person.tenantId, person.email],
      );
      return this.people.insert(person, actor, client);
    });
  }
}
