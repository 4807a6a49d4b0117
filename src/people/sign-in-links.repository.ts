import { Inject, Injectable } from '@nestjs/common';
import type { Id } from '../kernel/ids.js';
import { CONFIG_POOL, inTransaction, type Pool } from '../platform/postgres/index.js';
import { note } from './events.repository.js';
import { PeopleRepository } from './people.repository.js';

const LASTS = `interval '10 minutes'`;

/** Who the first operator is until it says more. */
const FIRST_OPERATOR = { email: 'operator@localhost', name: 'Operator' };
/** Of two links to become the first operator, one comes second. */
const FIRST_LOCK = 7_204_551;

@Injectable()
export class SignInLinksRepository {
  constructor(
    @Inject(CONFIG_POOL) private readonly pool: Pool,
    private readonly people: PeopleRepository,
  ) {}

  async peopleExist(): Promise<boolean> {
    return (await this.pool.query('SELECT 1 FROM people LIMIT 1')).rowCount !== 0;
  }

  /** @param person null: whoever redeems it becomes the first operator. @returns when it expires */
  insert(digest: Buffer, person: { tenantId: Id | null; id: Id } | null, actor: string): Promise<Date> {
    return inTransaction(this.pool, async (client) => {
      await client.query('DELETE FROM sign_in_links WHERE expires_at <= weir_now() OR ($1::uuid IS NULL AND person_id IS NULL)', [
        person?.id ?? null,
      ]);
      const { rows } = await client.query<{ expiresAt: Date }>(
        `INSERT INTO sign_in_links (digest, tenant_id, person_id, expires_at) VALUES ($1, $2, $3, weir_now() + ${LASTS}) RETURNING expires_at AS "expiresAt"`,
        [digest, person?.tenantId ?? null, person?.id ?? null],
      );
      if (person) await note(client, 'sign_in_link.created', person.tenantId, { person: ['person', person.id], actor });
      return rows[0]!.expiresAt;
    });
  }

  /** Takes a link, once, however many try at the same moment. Null: it is not valid, or not any more. */
  redeem(digest: Buffer): Promise<{ tenantId: Id | null; personId: Id } | null> {
    return inTransaction(this.pool, async (client) => {
      const { rows } = await client.query<{ tenantId: Id | null; personId: Id | null }>(
        `DELETE FROM sign_in_links l WHERE digest = $1 AND expires_at > weir_now() AND NOT EXISTS (
           SELECT FROM people p LEFT JOIN tenants t ON t.id = p.tenant_id WHERE p.id = l.person_id AND (p.disabled_at IS NOT NULL OR t.deleted_at IS NOT NULL))
         RETURNING tenant_id AS "tenantId", person_id AS "personId"`,
        [digest],
      );
      const [link] = rows;
      if (!link) return null;
      if (link.personId !== null) return { tenantId: link.tenantId, personId: link.personId };
      await client.query('SELECT pg_advisory_xact_lock($1)', [FIRST_LOCK]);
      if ((await client.query('SELECT 1 FROM people LIMIT 1')).rowCount !== 0) return null;
      const nobody = { tenantId: null, projectId: null, role: 'operator', password: null, subject: null, externalId: null } as const;
      return { tenantId: null, personId: await this.people.insert({ ...nobody, ...FIRST_OPERATOR }, 'setup', client) };
    });
  }
}
