import { Inject, Injectable } from '@nestjs/common';
import type { PoolClient } from 'pg';
import { WeirError } from '../kernel/errors.js';
import { type Id, newId } from '../kernel/ids.js';
import { CONFIG_POOL, inTransaction, type Pool } from '../platform/postgres/index.js';
import { note } from './events.repository.js';
import type { Person, PersonRole } from './person.js';

export const PERSON = `p.id, p.tenant_id AS "tenantId", p.project_id AS "projectId", p.email, p.name, p.role, p.password IS NOT NULL AS "hasPassword",
  p.totp_confirmed_at IS NOT NULL AS "hasSecondFactor", p.external_id AS "externalId", p.created_at AS "createdAt", p.disabled_at AS "disabledAt"`;

/** What a person signs in with, and whether it may. */
export interface SignInFacts extends Person {
  password: string | null;
  totpSecret: Buffer | null;
  /** The tenant's people sign in through its identity provider only. */
  ssoRequired: boolean;
}

export interface NewPerson {
  tenantId: Id | null;
  projectId: Id | null;
  email: string;
  name: string;
  role: PersonRole;
  password: string | null;
  subject: string | null;
  externalId: string | null;
}

/** What may be changed of a person by those who administer people. */
export interface PersonChanges {
  role?: PersonRole;
  projectId?: Id | null;
  name?: string;
  email?: string;
  isDisabled?: boolean;
  externalId?: string | null;
}

const EMAIL_KEY = 'people_email_key';

@Injectable()
export class PeopleRepository {
  constructor(@Inject(CONFIG_POOL) private readonly pool: Pool) {}

  /** Null: no such person of this owner, a tenant or the platform (null). */
  async find(tenantId: Id | null, id: Id): Promise<Person | null> {
    const { rows } = await this.pool.query<Person>(
      `SELECT ${PERSON} FROM people p WHERE p.id = $2 AND p.tenant_id IS NOT DISTINCT FROM $1`,
      [tenantId, id],
    );
    return rows[0] ?? null;
  }

  /** Of whatever tenant, or the platform. */
  async findAnywhere(id: Id): Promise<Person | null> {
    const { rows } = await this.pool.query<Person>(`SELECT ${PERSON} FROM people p WHERE p.id = $1`, [id]);
    return rows[0] ?? null;
  }

  async list(tenantId: Id | null): Promise<Person[]> {
    const { rows } = await this.pool.query<Person>(
      `SELECT ${PERSON} FROM people p WHERE p.tenant_id IS NOT DISTINCT FROM $1 ORDER BY p.id DESC`,
      [tenantId],
    );
    return rows;
  }

  /** Those with this address who may sign in. @param tenantId null: in whatever tenant, or on the platform. */
  async findForSignIn(email: string, tenantId: Id | null): Promise<SignInFacts[]> {
    const { rows } = await this.pool.query<SignInFacts>(
      `SELECT ${PERSON}, p.password, CASE WHEN p.totp_confirmed_at IS NOT NULL THEN p.totp_secret END AS "totpSecret", o.required IS TRUE AS "ssoRequired"
       FROM people p LEFT JOIN tenants t ON t.id = p.tenant_id LEFT JOIN single_sign_on o ON o.tenant_id = p.tenant_id AND o.deleted_at IS NULL
       WHERE p.email = $1 AND ($2::uuid IS NULL OR p.tenant_id = $2) AND p.disabled_at IS NULL AND t.deleted_at IS NULL LIMIT 2`,
      [email, tenantId],
    );
    return rows;
  }

  /** @throws WeirError conflict when the address is taken. */
  async insert(person: NewPerson, actor: string, client: PoolClient): Promise<Id> {
    const id = newId();
    await takingAddress(
      client.query(
        `INSERT INTO people (id, tenant_id, project_id, email, name, role, password, subject, external_id, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, weir_now())`,
        [id, person.tenantId, person.projectId, person.email, person.name, person.role, person.password, person.subject, person.externalId],
      ),
    );
    await note(client, 'person.added', person.tenantId, { person: ['person', id], role: person.role, actor });
    return id;
  }

  /**
   * Changes a person. Another role, and being disabled, end its sessions.
   * @param allows is asked about the person as it is now, and throws.
   * @throws WeirError last_owner, conflict, and what `allows` throws
   */
  change(tenantId: Id | null, id: Id, changes: PersonChanges, actor: string, allows: (now: Person) => void): Promise<void> {
    return inTransaction(this.pool, async (client) => {
      const now = await lockedWithOwners(client, tenantId, id);
      if (!now) return;
      allows(now);
      const next = {
        role: changes.role ?? now.role,
        projectId: changes.projectId === undefined ? now.projectId : changes.projectId,
        name: changes.name ?? now.name,
        email: changes.email ?? now.email,
        externalId: changes.externalId === undefined ? now.externalId : changes.externalId,
        isDisabled: changes.isDisabled ?? now.disabledAt !== null,
      };
      if (next.role !== 'owner' || next.isDisabled) await assertNotLastOwner(client, now);
      await takingAddress(
        client.query(
          `UPDATE people SET role = $2, project_id = $3, name = $4, email = $5, external_id = $6,
             disabled_at = CASE WHEN $7 THEN coalesce(disabled_at, weir_now()) END WHERE id = $1`,
          [id, next.role, next.projectId, next.name, next.email, next.externalId, next.isDisabled],
        ),
      );
      if (next.role !== now.role || next.projectId !== now.projectId || next.isDisabled)
        await client.query('DELETE FROM admin_sessions WHERE person_id = $1', [id]);
      await note(client, 'person.changed', tenantId, { person: ['person', id], role: next.role, disabled: next.isDisabled, actor });
    });
  }

  /** @param allows is asked about the person as it is now, and throws. @throws WeirError last_owner, and what `allows` throws */
  remove(tenantId: Id | null, id: Id, actor: string, allows: (now: Person) => void): Promise<void> {
    return inTransaction(this.pool, async (client) => {
      const now = await lockedWithOwners(client, tenantId, id);
      if (!now) return;
      allows(now);
      await assertNotLastOwner(client, now);
      await client.query('DELETE FROM people WHERE id = $1', [id]);
      await note(client, 'person.removed', tenantId, { person: ['person', id], actor });
    });
  }

  async passwordOf(id: Id): Promise<string | null> {
    const { rows } = await this.pool.query<{ password: string | null }>('SELECT password FROM people WHERE id = $1', [id]);
    return rows[0]?.password ?? null;
  }

  /** Sets a password, and ends every session of the person but one. */
  setPassword(tenantId: Id | null, id: Id, password: string, sessionId: Id, actor: string): Promise<void> {
    return inTransaction(this.pool, async (client) => {
      await client.query('UPDATE people SET password = $2 WHERE id = $1', [id, password]);
      await client.query('DELETE FROM admin_sessions WHERE person_id = $1 AND id <> $2', [id, sessionId]);
      await note(client, 'person.password_changed', tenantId, { person: ['person', id], actor });
    });
  }

  async secretOf(id: Id): Promise<{ secret: Buffer | null; isConfirmed: boolean }> {
    const { rows } = await this.pool.query<{ secret: Buffer | null; isConfirmed: boolean }>(
      'SELECT totp_secret AS secret, totp_confirmed_at IS NOT NULL AS "isConfirmed" FROM people WHERE id = $1',
      [id],
    );
    return rows[0] ?? { secret: null, isConfirmed: false };
  }

  /** Keeps a secret that is not asked for yet. False: the person has one that is. */
  async keepSecret(id: Id, secret: Buffer): Promise<boolean> {
    const { rowCount } = await this.pool.query('UPDATE people SET totp_secret = $2 WHERE id = $1 AND totp_confirmed_at IS NULL', [
      id,
      secret,
    ]);
    return rowCount === 1;
  }

  /** Asks for codes from now on. @param secret the one that was kept. False: there is another one by now. */
  confirmSecret(tenantId: Id | null, id: Id, secret: Buffer, step: number, recoveryCodes: Buffer[], actor: string): Promise<boolean> {
    return inTransaction(this.pool, async (client) => {
      const { rowCount } = await client.query(
        `UPDATE people SET totp_confirmed_at = weir_now(), totp_last_step = $3, recovery_codes = $4
         WHERE id = $1 AND totp_secret = $2 AND totp_confirmed_at IS NULL`,
        [id, secret, step, recoveryCodes],
      );
      if (rowCount === 1) await note(client, 'person.second_factor_added', tenantId, { person: ['person', id], actor });
      return rowCount === 1;
    });
  }

  removeSecret(tenantId: Id | null, id: Id, actor: string): Promise<void> {
    return inTransaction(this.pool, async (client) => {
      await client.query(
        `UPDATE people SET totp_secret = NULL, totp_confirmed_at = NULL, totp_last_step = NULL, recovery_codes = '{}' WHERE id = $1`,
        [id],
      );
      await note(client, 'person.second_factor_removed', tenantId, { person: ['person', id], actor });
    });
  }

  /** True once per step: a code that was seen is not taken again. */
  async useStep(id: Id, step: number): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'UPDATE people SET totp_last_step = $2 WHERE id = $1 AND (totp_last_step IS NULL OR totp_last_step < $2)',
      [id, step],
    );
    return rowCount === 1;
  }

  /** True once per code. */
  async useRecoveryCode(id: Id, digest: Buffer): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'UPDATE people SET recovery_codes = array_remove(recovery_codes, $2) WHERE id = $1 AND $2 = ANY (recovery_codes)',
      [id, digest],
    );
    return rowCount === 1;
  }

  /** Who the identity provider means: the person it was before, or else who has the address and was nobody there yet. */
  async findForSso(tenantId: Id, subject: string, email: string | null): Promise<Person | null> {
    const { rows } = await this.pool.query<Person>(
      `SELECT ${PERSON} FROM people p WHERE p.tenant_id = $1 AND (p.subject = $2 OR (p.subject IS NULL AND p.email = $3))
       ORDER BY p.subject NULLS LAST LIMIT 1`,
      [tenantId, subject, email],
    );
    return rows[0] ?? null;
  }

  /**
   * Notes who a person is at the identity provider, the first time. Whoever had its record until then may be somebody else with the address: its sessions,
   * sign-in links, password and second factor end.
   */
  bind(tenantId: Id, id: Id, subject: string, actor: string): Promise<void> {
    return inTransaction(this.pool, async (client) => {
      const { rowCount } = await client.query(
        `UPDATE people SET subject = $2, password = NULL, totp_secret = NULL, totp_confirmed_at = NULL, totp_last_step = NULL, recovery_codes = '{}'
         WHERE id = $1 AND subject IS NULL`,
        [id, subject],
      );
      if (rowCount === 0) return;
      await client.query('DELETE FROM admin_sessions WHERE person_id = $1', [id]);
      await client.query('DELETE FROM sign_in_links WHERE person_id = $1', [id]);
      await note(client, 'person.bound', tenantId, { person: ['person', id], actor });
    });
  }
}

/** Owners of the tenant are locked in the order of their ids: of two who remove each other, one comes second. */
async function lockedWithOwners(client: PoolClient, tenantId: Id | null, id: Id): Promise<Person | null> {
  await client.query(
    `SELECT 1 FROM people WHERE tenant_id IS NOT DISTINCT FROM $1 AND (id = $2 OR role = 'owner') ORDER BY id FOR UPDATE`,
    [tenantId, id],
  );
  const { rows } = await client.query<Person>(`SELECT ${PERSON} FROM people p WHERE p.id = $2 AND p.tenant_id IS NOT DISTINCT FROM $1`, [
    tenantId,
    id,
  ]);
  return rows[0] ?? null;
}

/** @throws WeirError last_owner */
async function assertNotLastOwner(client: PoolClient, person: Person): Promise<void> {
  if (person.role !== 'owner' || person.disabledAt) return;
  const { rowCount } = await client.query(
    `SELECT 1 FROM people WHERE tenant_id = $1 AND id <> $2 AND role = 'owner' AND disabled_at IS NULL LIMIT 1`,
    [person.tenantId, person.id],
  );
  if (rowCount === 0) throw new WeirError('last_owner');
}

/** @throws WeirError conflict */
async function takingAddress<T>(query: Promise<T>): Promise<T> {
  return query.catch((error: unknown) => {
    if ((error as { constraint?: string }).constraint !== EMAIL_KEY) throw error;
    throw new WeirError('conflict', { param: 'email', message: 'A person with this email address is a member already.' });
  });
}
