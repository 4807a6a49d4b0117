import { Injectable } from '@nestjs/common';
import { Pool, type PoolClient } from 'pg';
import { formatUsd, type Nano } from '../kernel/money.js';
import { sqlFunction } from '../platform/postgres/index.js';
import { type Audit, type Breach, breachOf, type Check, type Depth, type Facts, type Invariant, type LostCalls } from './audit.js';

/** What a statement answers: one row per invariant it proves. */
interface Row {
  invariant: Invariant;
  checked: bigint;
  broken: bigint;
  facts: Facts[] | null;
}

/** Breaches that are told one by one, per invariant. */
const LISTED = 50;
/** How long a statement may take. A snapshot that is held for long keeps dead rows from being removed. */
const TIMEOUT: Record<Depth, string> = { recent: '1s', full: '30min' };
/** The most that a statement of a recent audit reads, however much there is. */
const MOST = {
  periods: 500,
  counters: 2_000,
  holds: 5_000,
  entries: 20_000,
  entriesOfPeriods: 50_000,
  entriesOfTenant: 2_000,
  quarters: 20,
  callsOfQuarter: 500,
};

/** The periods and counters that a recent audit looks at. */
interface Page {
  periods: bigint[];
  counters: bigint[];
}
interface Statement {
  text: string;
  takes?: (page: Page) => unknown[];
}

/** Proves the invariants of the ledger, all in one snapshot that no other process waits for. */
@Injectable()
export class AuditRepository {
  /** Where the next recent audit goes on. */
  private after = { period: 0n, counter: 0n };
  /** Ids of what the last recent audit found broken: the next one looks again. */
  private broken: Page = { periods: [], counters: [] };

  constructor(private readonly pool: Pool) {}

  async audit(depth: Depth): Promise<Audit> {
    const client = await this.pool.connect();
    const startedAt = performance.now();
    try {
      await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
      await client.query(`SET LOCAL statement_timeout = '${TIMEOUT[depth]}'; SET LOCAL work_mem = '64MB'`);
      // Before the snapshot is taken: a partition that is dropped after it would be missed here, and not be archived there.
      await client.query('LOCK TABLE calls, ledger_entries IN ACCESS SHARE MODE');
      const { rows } = await client.query<{ at: Date }>('SELECT weir_now() AS at');
      const checks: Check[] = [];
      const breaches: Breach[] = [];
      const page = depth === 'recent' ? await this.nextPage(client) : null;
      for (const { text, takes } of STATEMENTS[depth]) {
        const found = await check(client, text, page && takes ? takes(page) : []);
        checks.push(...found.checks);
        breaches.push(...found.breaches);
      }
      if (page) this.broken = { periods: idsOf(breaches, 'period'), counters: idsOf(breaches, 'counter') };
      const byInvariant = (a: { invariant: string }, b: { invariant: string }) => a.invariant.localeCompare(b.invariant);
      return {
        depth,
        at: rows[0]!.at,
        tookMs: performance.now() - startedAt,
        checks: checks.sort(byInvariant),
        breaches: breaches.sort((a, b) => a.key.localeCompare(b.key)),
        lost: await lostCalls(client, depth),
      };
    } finally {
      await client.query('ROLLBACK').catch(() => {});
      client.release();
    }
  }

  /** What was in use a moment ago, what was closed then, what was broken, and the next of all others in turn. */
  private async nextPage(client: PoolClient): Promise<Page> {
    const { rows } = await client.query<Record<'used' | 'closed' | 'open' | 'counters', bigint[]>>(PAGE, [
      this.after.period,
      this.after.counter,
    ]);
    const { used, closed, open, counters } = rows[0]!;
    this.after = {
      period: open.length < MOST.periods ? 0n : open.at(-1)!,
      counter: counters.length < MOST.counters ? 0n : counters.at(-1)!,
    };
    return { periods: [...used, ...closed, ...open, ...this.broken.periods], counters: [...counters, ...this.broken.counters] };
  }

  /** Writes an event about a breach; there is one, however often it is found. */
  async report({ tenantId, key, invariant, message, remedy }: Breach): Promise<void> {
    await this.pool.query(`SELECT ${sqlFunction('emit_event')}($1, 'ledger.audit_failed', $2, $3)`, [
      tenantId,
      `ledger.audit_failed:${key}`,
      { invariant, message, remedy },
    ]);
  }
}

function idsOf(breaches: Breach[], kind: 'period' | 'counter'): bigint[] {
  return breaches.flatMap(({ key }) => {
    const [, of, id] = key.split(':');
    return of === kind ? [BigInt(id!)] : [];
  });
}

async function lostCalls(client: PoolClient, depth: Depth): Promise<LostCalls> {
  const { rows } = await client.query<{ calls: number; booked: Nano; held: Nano }>(LOST[depth]);
  const { calls, booked, held } = rows[0]!;
  return { calls, booked: formatUsd(booked), held: formatUsd(held) };
}

async function check(client: PoolClient, statement: string, values: unknown[]): Promise<{ checks: Check[]; breaches: Breach[] }> {
  const startedAt = performance.now();
  const { rows } = await client.query<Row>(statement, values);
  const tookMs = performance.now() - startedAt;
  return {
    checks: rows.map(({ invariant, checked, broken }) => ({ invariant, checked: Number(checked), broken: Number(broken), tookMs })),
    breaches: rows.flatMap(({ invariant, facts }) => (facts ?? []).map((found) => breachOf(invariant, found))),
  };
}

/** A row of the answer. `broken` names a CTE with the facts of what breaks the invariant. */
const answer = (invariant: Invariant, checked: string, broken: string): string =>
  `SELECT '${invariant}' AS invariant, (SELECT count(*) FROM ${checked}) AS checked, (SELECT count(*) FROM ${broken}) AS broken,
     (SELECT jsonb_agg(to_jsonb(b)) FROM (SELECT * FROM ${broken} LIMIT ${LISTED}) b) AS facts`;

const MINUTES = `interval '15 minutes'`;
const PAGE = `SELECT
  ARRAY(SELECT DISTINCT u.id FROM (SELECT period_ids FROM holds ORDER BY id DESC LIMIT ${MOST.periods}) h CROSS JOIN LATERAL unnest(h.period_ids) AS u (id)
    JOIN budget_periods p ON p.id = u.id WHERE p.closed_at IS NULL LIMIT ${MOST.periods}) AS used,
  ARRAY(SELECT id FROM budget_periods WHERE closed_at > weir_now() - ${MINUTES} ORDER BY closed_at DESC LIMIT ${MOST.periods}) AS closed,
  ARRAY(SELECT id FROM budget_periods WHERE closed_at IS NULL AND id > $1 ORDER BY id LIMIT ${MOST.periods}) AS open,
  ARRAY(SELECT id FROM limit_counters WHERE id > $2 ORDER BY id LIMIT ${MOST.counters}) AS counters`;

/** An id's first 48 bits are its time, so the newest holds are together in their index. */
const HOLDS: Record<Depth, string> = {
  full: 'holds',
  recent: `(
      (SELECT * FROM holds WHERE state = 'open' ORDER BY lease_until LIMIT ${MOST.holds}) UNION ALL
      (SELECT * FROM (SELECT * FROM holds
        WHERE id >= (lpad(to_hex((extract(epoch FROM weir_now() - ${MINUTES}) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
        ORDER BY id DESC LIMIT ${MOST.holds}) newest WHERE state <> 'open')
    )`,
};

/** The newest of each tenant, in another order of tenants each time. */
const ENTRIES: Record<Depth, string> = {
  full: 'ledger_entries',
  recent: `(
      SELECT newest.* FROM (SELECT id FROM tenants ORDER BY hashtextextended(id::text, extract(epoch FROM weir_now())::bigint)) t
      CROSS JOIN LATERAL (
        SELECT * FROM ledger_entries WHERE tenant_id = t.id AND admitted_at > weir_now() - ${MINUTES} ORDER BY admitted_at DESC LIMIT ${MOST.entriesOfTenant}
      ) newest LIMIT ${MOST.entries}
    )`,
};

/**
 * The entries of the periods. In a recent audit: the newest of each tenant. A period that began before the oldest of them is left out where
 * there are more, because its sum would not be whole.
 */
const ENTRIES_OF_PERIODS: Record<Depth, string> = {
  full: `entry_of_period AS (SELECT * FROM ledger_entries), period AS (SELECT * FROM candidate)`,
  recent: `tenant AS MATERIALIZED (
    SELECT tenant_id, min(starts_at) - interval '1 hour' AS since, ${MOST.entriesOfPeriods} / count(*) OVER () + 1 AS most FROM candidate GROUP BY tenant_id
  ), entry_of_period AS MATERIALIZED (
    SELECT l.*, t.most FROM tenant t CROSS JOIN LATERAL (
      SELECT tenant_id, admitted_at, kind, amount, provider_cost, period_ids FROM ledger_entries WHERE tenant_id = t.tenant_id AND admitted_at >= t.since
      ORDER BY admitted_at DESC LIMIT (SELECT max(most) FROM tenant)
    ) l
  ), reach AS (
    SELECT tenant_id, min(admitted_at) AS since FROM entry_of_period GROUP BY tenant_id HAVING count(*) >= max(most)
  ), period AS (
    SELECT p.* FROM candidate p LEFT JOIN reach r ON r.tenant_id = p.tenant_id WHERE r.since IS NULL OR p.starts_at - interval '1 hour' > r.since
  )`,
};

const PERIOD_FACTS = 'p.tenant_id, p.id::text AS period_id, p.budget_id, p.scope_value, p.starts_at, p.spent::text, p.held::text';

/** I1 and I3. A truth that comes late is paid from what stayed held for it: it may take no period above its limit. No entry is older than the period it counts for; a lifetime's may be as old as its budget. */
const spending = (depth: Depth): string => `
  WITH candidate AS MATERIALIZED (
    SELECT p.* FROM budget_periods p ${depth === 'recent' ? 'WHERE p.id = ANY ($1::bigint[])' : ''}
  ), ${ENTRIES_OF_PERIODS[depth]}, entry AS (
    SELECT u.period_id, sum(l.amount) AS total, sum(l.provider_cost) AS cost, count(*) AS entries,
      coalesce(sum(l.amount) FILTER (WHERE l.kind IN ('overrun', 'adjustment') AND l.amount > 0), 0) AS above
    FROM entry_of_period l CROSS JOIN LATERAL unnest(l.period_ids) AS u (period_id)
    GROUP BY u.period_id
  ), figure AS (
    SELECT p.*, coalesce(e.total, 0) + p.archived AS total, coalesce(e.cost, 0) + p.archived_cost AS cost, coalesce(e.entries, 0) AS entries, coalesce(e.above, 0) + p.archived_above AS above,
      p.spent + p.held - greatest(p.limit_nano + p.granted, p.most_allowed) - p.aged - coalesce(e.above, 0) - p.archived_above AS beyond
    FROM period p LEFT JOIN entry e ON e.period_id = p.id
  ), i1 AS (
    SELECT ${PERIOD_FACTS}, p.total::text, p.provider_cost::text, p.cost::text, p.entries::text FROM figure p
      WHERE p.spent <> p.total OR p.provider_cost <> p.cost
  ), hard AS (
    SELECT * FROM figure WHERE hard
  ), i3 AS (
    SELECT ${PERIOD_FACTS}, p.limit_nano::text AS "limit", p.granted::text, p.above::text, p.beyond::text FROM hard p WHERE p.beyond > 0
  )
  ${answer('I1', 'period', 'i1')} UNION ALL ${answer('I3', 'hard', 'i3')}`;

/** I2 and I7. A hold is due when its lease is over and its call too; where its gateway is known to be gone, from when it was made. */
const holding = (depth: Depth): string => `
  WITH hold AS MATERIALIZED (
    SELECT coalesce(h.call_id, h.id) AS call_id, coalesce(h.attempt, 1) AS attempt, h.tenant_id, h.amount, h.period_ids, h.counter_ids, h.lease_until,
      CASE WHEN isfinite(h.lease_until) THEN greatest(h.lease_until, call_ends(h.created_at, h.context)) ELSE h.created_at END AS due
    FROM holds h WHERE h.state = 'open'
  ), open_hold AS (
    SELECT u.period_id, coalesce(sum(h.amount), 0) AS total, count(*) AS holds FROM hold h CROSS JOIN LATERAL unnest(h.period_ids) AS u (period_id) GROUP BY 1
  ), apart AS (
    SELECT u.period_id, sum(a.amount) AS total, count(*) AS calls FROM held_apart a CROSS JOIN LATERAL unnest(a.period_ids) AS u (period_id) GROUP BY 1
  ), figure AS (
    SELECT p.*, coalesce(s.total, 0) + coalesce(a.total, 0) AS total, coalesce(s.holds, 0) AS holds, coalesce(a.calls, 0) AS apart
    FROM budget_periods p LEFT JOIN open_hold s ON s.period_id = p.id LEFT JOIN apart a ON a.period_id = p.id ${depth === 'recent' ? 'WHERE p.id = ANY ($1::bigint[])' : ''}
  ), flight AS (
    SELECT u.counter_id, count(*) AS holds FROM hold h CROSS JOIN LATERAL unnest(h.counter_ids) AS u (counter_id) GROUP BY 1
  ), counter AS (
    SELECT c.tenant_id, c.id, c.limit_id, c.scope_value, c.open, coalesce(f.holds, 0) AS holds FROM limit_counters c LEFT JOIN flight f ON f.counter_id = c.id ${depth === 'recent' ? 'WHERE c.id = ANY ($2::bigint[])' : ''}
  ), holder AS (
    SELECT id FROM figure UNION ALL SELECT id FROM counter
  ), i2 AS (
    SELECT ${PERIOD_FACTS}, p.total::text, p.holds::text, p.apart::text, NULL AS counter_id, NULL AS limit_id, NULL AS open FROM figure p WHERE p.held <> p.total
    UNION ALL
    SELECT c.tenant_id, NULL, NULL, c.scope_value, NULL, NULL, NULL, NULL, c.holds::text, NULL, c.id::text, c.limit_id::text, c.open::text
      FROM counter c WHERE c.open <> c.holds
  ), i7 AS (
    SELECT h.tenant_id, h.call_id, h.attempt::text, h.amount::text, h.due::text, NULL AS period_id, NULL::uuid AS budget_id, NULL AS scope_value,
      NULL::timestamptz AS starts_at, NULL AS held
      FROM hold h WHERE h.due < weir_now() - interval '1 minute'
    UNION ALL
    SELECT p.tenant_id, NULL, NULL, NULL, NULL, p.id::text, p.budget_id, p.scope_value, p.starts_at, p.held::text FROM figure p WHERE p.held <> 0 AND p.holds + p.apart = 0
  )
  ${answer('I2', 'holder', 'i2')} UNION ALL ${answer('I7', 'hold', 'i7')}`;

/**
 * Where a hold is booked. A later attempt is booked for its call, or, where a process of an older version did it, as a call by itself, which is looked
 * up once for each (OFFSET), and for no other hold.
 */
const KEY = `CROSS JOIN LATERAL (
    SELECT h.call_id IS NOT NULL AND NOT ${sqlFunction('is_own_call')}(h.tenant_id, h.id, h.created_at) AS is_later OFFSET 0
  ) o CROSS JOIN LATERAL (
    SELECT CASE WHEN o.is_later THEN h.call_id ELSE h.id END AS call_id, CASE WHEN o.is_later THEN h.attempt ELSE 1 END AS attempt,
      CASE WHEN o.is_later THEN h.admitted_at ELSE h.created_at END AS admitted_at
  ) k`;

/** What is booked of a hold: hashed when all are looked at, looked up one by one when few are. */
const BOOKED: Record<Depth, string> = {
  full: `LEFT JOIN (SELECT tenant_id, id, count(*) AS calls FROM calls GROUP BY 1, 2) c ON c.tenant_id = h.tenant_id AND c.id = k.call_id
    LEFT JOIN (
      SELECT tenant_id, call_id, attempt, count(*) FILTER (WHERE kind = 'usage') AS usage, count(*) FILTER (WHERE kind <> 'usage') AS others,
        sum(amount) AS booked
      FROM ledger_entries WHERE kind IN ('usage', 'overrun', 'late') GROUP BY 1, 2, 3
    ) e ON e.tenant_id = h.tenant_id AND e.call_id = k.call_id AND e.attempt = k.attempt`,
  recent: `CROSS JOIN LATERAL (SELECT count(*) AS calls FROM calls c WHERE c.tenant_id = h.tenant_id AND c.id = k.call_id AND c.admitted_at >= k.admitted_at) c
    CROSS JOIN LATERAL (
      SELECT count(*) FILTER (WHERE kind = 'usage') AS usage, count(*) FILTER (WHERE kind <> 'usage') AS others, sum(amount) AS booked
      FROM ledger_entries l
      WHERE l.tenant_id = h.tenant_id AND l.admitted_at = k.admitted_at AND l.call_id = k.call_id AND l.attempt = k.attempt
        AND l.kind IN ('usage', 'overrun', 'late')
    ) e`,
};

/** Keeps a subquery from becoming a join that reads the whole of its table. */
const ONE_BY_ONE: Record<Depth, string> = { full: '', recent: 'OFFSET 0' };

const lost = (depth: Depth): string => `
  SELECT count(*)::integer AS calls, coalesce(sum(e.booked), 0)::bigint AS booked, coalesce(sum(h.amount), 0)::bigint AS held
  FROM ${HOLDS[depth]} h ${KEY} CROSS JOIN LATERAL (
    SELECT sum(l.amount) AS booked FROM ledger_entries l
    WHERE l.tenant_id = h.tenant_id AND l.admitted_at = k.admitted_at AND l.call_id = k.call_id
      AND ${sqlFunction('attempt_of')}(l.kind, l.attempt) = k.attempt
  ) e WHERE h.state = 'expired' AND h.late_at IS NULL`;
const LOST: Record<Depth, string> = { full: lost('full'), recent: lost('recent') };

/** I4 and I6. A call that the platform pays for is booked for all that was held, where nobody knows what became of it. */
const booking = (depth: Depth): string => `
  WITH hold AS MATERIALIZED (
    SELECT k.call_id, k.attempt, o.is_later, h.tenant_id, h.state, coalesce(c.calls, 0) AS calls, coalesce(e.usage, 0) AS usage, coalesce(e.others, 0) AS others,
      h.amount, e.booked, h.state = 'expired' AND h.late_at IS NULL AND h.context ->> 'lent' = 'true' AND h.context ? 'output_tokens' AS is_lost_lent
    FROM ${HOLDS[depth]} h ${KEY} ${BOOKED[depth]}
  ), i4 AS (
    SELECT call_id, attempt::text, tenant_id, state, calls::text FROM hold
      WHERE calls <> CASE WHEN state IN ('open', 'refused') AND NOT is_later THEN 0 ELSE 1 END
  ), i6 AS (
    SELECT call_id, attempt::text, tenant_id, state, usage::text, others::text, NULL AS kind, NULL AS total FROM hold
      WHERE usage <> CASE WHEN state IN ('settled', 'expired') THEN 1 ELSE 0 END OR (state NOT IN ('settled', 'expired') AND others > 0)
    UNION ALL
    SELECT call_id, attempt::text, tenant_id, state, NULL, amount::text, 'estimate', booked::text FROM hold WHERE is_lost_lent AND booked < amount
    UNION ALL
    SELECT l.call_id, NULL, l.tenant_id, NULL, NULL, NULL, l.kind, l.amount::text FROM ${ENTRIES[depth]} l
      WHERE l.kind IN ('usage', 'overrun', 'late')
        AND NOT EXISTS (SELECT FROM calls c WHERE c.tenant_id = l.tenant_id AND c.id = l.call_id AND c.admitted_at = l.admitted_at ${ONE_BY_ONE[depth]})
    UNION ALL
    SELECT l.call_id, NULL, l.tenant_id, NULL, NULL, l.actor, l.kind, l.amount::text FROM ${ENTRIES[depth]} l
      CROSS JOIN LATERAL (SELECT FROM calls c WHERE c.tenant_id = l.tenant_id AND c.id = l.call_id AND c.admitted_at = l.admitted_at AND c.lent
        AND c.provider = l.provider ${ONE_BY_ONE[depth]}) c
      JOIN admin_keys k ON k.tenant_id = l.tenant_id AND l.actor = 'akey_' || replace(k.id::text, '-', '')
      WHERE l.kind = 'adjustment'
  )
  ${answer('I4', 'hold', 'i4')} UNION ALL ${answer('I6', 'hold', 'i6')}`;

/** I5. The key of the table has the moment of admission in it, so it does not stop a call from being billed again in another month. */
const duplicates = (depth: Depth): string => `
  WITH entry AS (
    SELECT l.tenant_id, l.call_id, l.attempt::text, l.kind, count(*) AS entries, sum(l.amount)::text AS total
    FROM ${ENTRIES[depth]} l GROUP BY 1, 2, 3, 4
  ), i5 AS (
    SELECT tenant_id, call_id, attempt, kind, entries::text, total FROM entry WHERE entries > 1
  )
  ${answer('I5', 'entry', 'i5')}`;

const SUMS = `array_agg(to_jsonb(s) - 'id' ORDER BY s.project_id, s.api_key_id, s.provider, s.model)`;

/** Spans whose roll-up is compared. In a recent audit: quarters of the last two hours with few calls, of some tenants, another order of them each time. */
const SPANS: Record<Depth, string> = {
  full: `SELECT id AS tenant_id, '-infinity'::timestamptz AS since, 'infinity'::timestamptz AS until FROM tenants`,
  recent: `SELECT q.* FROM (SELECT id FROM tenants ORDER BY hashtextextended(id::text, extract(epoch FROM weir_now())::bigint)) t CROSS JOIN LATERAL (
      SELECT tenant_id, starts_at, starts_at + ${MINUTES} FROM usage_rollups WHERE tenant_id = t.id AND starts_at > weir_now() - interval '2 hours'
      GROUP BY tenant_id, starts_at HAVING sum(calls) <= ${MOST.callsOfQuarter}
    ) q (tenant_id, since, until) LIMIT ${MOST.quarters}`,
};

/** I8. A quarter for which something was booked since the roll-up got to it is not compared: reports read its entries. */
const rolling = (depth: Depth): string => `
  WITH span AS MATERIALIZED (${SPANS[depth]}), fresh AS MATERIALIZED (
    SELECT DISTINCT l.tenant_id, date_bin(${MINUTES}, l.admitted_at, 'epoch') AS starts_at FROM span p
    JOIN ledger_entries l ON l.tenant_id = p.tenant_id AND l.admitted_at >= p.since AND l.admitted_at < p.until
    WHERE l.booked_at >= (SELECT until FROM usage_rolled)
  ), entry AS (
    SELECT s.tenant_id, s.starts_at, sum(s.amount) AS amount, ${SUMS} AS sums
    FROM span p CROSS JOIN LATERAL ${sqlFunction('usage_between')}(p.tenant_id, p.since, p.until) s GROUP BY 1, 2
  ), rolled AS (
    SELECT s.tenant_id, s.starts_at, sum(s.amount) AS amount, ${SUMS} AS sums
    FROM span p JOIN usage_rollups s ON s.tenant_id = p.tenant_id AND s.starts_at >= p.since AND s.starts_at < p.until GROUP BY 1, 2
  ), quarter AS MATERIALIZED (
    SELECT tenant_id, starts_at, r.amount AS rolled, e.amount AS total, r.sums IS DISTINCT FROM e.sums AS differs
    FROM rolled r FULL JOIN entry e USING (tenant_id, starts_at)
    WHERE (tenant_id, starts_at) NOT IN (SELECT tenant_id, starts_at FROM fresh)
  ), i8 AS (
    SELECT tenant_id, starts_at::text, coalesce(rolled, 0)::text AS rolled, coalesce(total, 0)::text AS total FROM quarter WHERE differs
  )
  ${answer('I8', 'quarter', 'i8')}`;

const statements = (depth: Depth): Statement[] => [
  { text: spending(depth), takes: ({ periods }) => [periods] },
  { text: holding(depth), takes: ({ periods, counters }) => [periods, counters] },
  { text: booking(depth) },
  { text: duplicates(depth) },
  { text: rolling(depth) },
];
const STATEMENTS: Record<Depth, Statement[]> = { full: statements('full'), recent: statements('recent') };
