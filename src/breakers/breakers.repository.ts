import { Inject, Injectable } from '@nestjs/common';
import { CONFIG_POOL, PLATFORM, type Pool, sqlFunction } from '../platform/postgres/index.js';
import type { BreakerScope, Trouble } from './open-breaker.js';

/** What processes tell each other of. */
export const BREAKER = 'breaker';

/** A breaker that is not closed, as it was noted last. */
export type StoredBreaker = Omit<BreakerScope, 'type'> & Trouble & { openUntil: Date; isOpen: boolean };

const PURGE_BATCH = 1_000;
/** More than anybody wants to read. */
const MAX_SHOWN = 1_000;
const MAX_RECALLED = 10_000;

/**
 * A CTE `told` that tells whose provider it is of the breakers in `noted`. A breaker has its id from opening to closing, however often it is noted, so
 * each is told once.
 */
const told = (kind: string, more = ''): string => `, told AS MATERIALIZED (
  SELECT n.id, ${sqlFunction('emit_event')}(coalesce(p.tenant_id, '${PLATFORM}'), '${kind}', '${kind}:' || n.id, jsonb_build_object(
    'provider_id', p.id, 'provider', p.name, 'model', n.model${more && `, ${more}`}))
  FROM noted n JOIN providers p ON p.id = n.provider_id
)`;

const SCOPE = `h.provider_id AS "providerId", h.credential_id AS "credentialId", h.model, h.tenant_id AS "tenantId", h.reason, h.failures`;

/** Breakers that are not closed. Nothing is decided by these rows: they are for whoever looks, and for processes that start. */
@Injectable()
export class BreakersRepository {
  constructor(@Inject(CONFIG_POOL) private readonly pool: Pool) {}

  /** Notes that a breaker is open, and tells every process. @param news what they are told. */
  async noteOpened(scope: BreakerScope, { reason, failures }: Trouble, seconds: number, news: string): Promise<void> {
    const { providerId, credentialId, model, tenantId } = scope;
    await this.pool.query(
      `WITH noted AS (
         INSERT INTO target_health (id, provider_id, credential_id, model, tenant_id, reason, failures, open_until, changed_at)
         SELECT gen_random_uuid(), p.id, $2, $3, $4, $5, $6, now() + make_interval(secs => $7), now()
         FROM providers p WHERE p.id = $1 AND p.deleted_at IS NULL
         ON CONFLICT (provider_id, model, credential_id, tenant_id) DO UPDATE SET
           reason = excluded.reason, failures = excluded.failures, open_until = excluded.open_until, changed_at = excluded.changed_at
         RETURNING id, provider_id, model, reason, failures
       ) ${told('provider.unhealthy', `'reason', n.reason, 'failures', n.failures`)}
       SELECT pg_notify('weir_health', $8) FROM told`,
      [providerId, credentialId, model, tenantId, reason, failures, seconds, `${BREAKER} ${news}`],
    );
  }

  /** Notes that a breaker is closed, and tells every process. */
  async noteClosed({ providerId, credentialId, model, tenantId }: BreakerScope, news: string): Promise<void> {
    await this.pool.query(
      `WITH noted AS (
         DELETE FROM target_health WHERE provider_id = $1 AND credential_id IS NOT DISTINCT FROM $2 AND model = $3
           AND tenant_id IS NOT DISTINCT FROM $4 RETURNING id, provider_id, model
       ) ${told('provider.recovered')}
       SELECT pg_notify('weir_health', $5) FROM told`,
      [providerId, credentialId, model, tenantId, `${BREAKER} ${news}`],
    );
  }

  /** The breakers that are open, and for how long. */
  async open(): Promise<{ scope: BreakerScope; trouble: Trouble; seconds: number }[]> {
    const { rows } = await this.pool.query<BreakerScope & Trouble & { seconds: number }>(
      `SELECT ${SCOPE}, p.type, extract(epoch FROM h.open_until - now())::float8 AS seconds
       FROM target_health h JOIN providers p ON p.id = h.provider_id WHERE h.open_until > now() ORDER BY h.open_until DESC LIMIT $1`,
      [MAX_RECALLED],
    );
    return rows.map(({ reason, failures, seconds, ...scope }) => ({ scope, trouble: { reason, failures }, seconds }));
  }

  /** The breakers of these providers that are not closed, by provider, the last to open first. */
  async ofProviders(providerIds: readonly string[]): Promise<Map<string, StoredBreaker[]>> {
    const { rows } = await this.pool.query<StoredBreaker>(
      `SELECT ${SCOPE}, h.open_until AS "openUntil", h.open_until > now() AS "isOpen" FROM target_health h
       WHERE h.provider_id = ANY ($1) ORDER BY h.open_until DESC LIMIT $2`,
      [providerIds, MAX_SHOWN],
    );
    return Map.groupBy(rows, ({ providerId }) => providerId);
  }

  /** Removes what nobody has called for ten minutes; no more than begins within `patienceMs`. Answers how many. */
  async purge(patienceMs: number): Promise<number> {
    const until = performance.now() + patienceMs;
    let total = 0;
    for (let found = PURGE_BATCH; found >= PURGE_BATCH && performance.now() < until; total += found) {
      const { rowCount } = await this.pool.query(
        `DELETE FROM target_health WHERE id = ANY (ARRAY(
           SELECT id FROM target_health WHERE open_until < now() - interval '10 minutes' ORDER BY open_until LIMIT $1 FOR UPDATE SKIP LOCKED))`,
        [PURGE_BATCH],
      );
      found = rowCount ?? 0;
    }
    return total;
  }
}
