import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { summedUsage, type UsageSums, usageSums } from '../kernel/usage.js';
import { sqlFunction } from '../platform/postgres/index.js';
import type { CallRecord } from './call.js';
import type { CallFacts, CounterRow, Entry, HoldRow, PeriodRow, PriceSource } from './explanation.js';
import type { StoredPlan } from './stored-plan.js';

type EntryRow = Omit<Entry, 'usage'> & UsageSums;

/** What was counted in the last minute. */
const minute = (ring: string) => `${sqlFunction('ring_total')}(c.${ring}, c.second)::float8`;

/** Reads all that is stored of one call: what it held, what it cost, and what it counted against. */
@Injectable()
export class ExplainRepository {
  constructor(private readonly pool: Pool) {}

  async read(call: CallRecord): Promise<CallFacts> {
    const [own, entries, holds] = await Promise.all([this.own(call), this.entries(call), this.holds(call)]);
    const unique = <T>(all: T[]): T[] => [...new Set(all)];
    const rows = [...entries, ...holds];
    const [periods, counters, prices] = await Promise.all([
      this.periods(call.tenantId, unique(rows.flatMap(({ periodIds }) => periodIds))),
      this.counters(call.tenantId, unique(holds.flatMap(({ counterIds }) => counterIds))),
      this.prices(call.tenantId, unique(rows.flatMap(({ priceId }) => priceId ?? []))),
    ]);
    return { call, ...own, entries, holds, periods, counters, prices };
  }

  private async own({ tenantId, id, admittedAt }: CallRecord): Promise<{ plan: StoredPlan | null; held: bigint | null }> {
    const { rows } = await this.pool.query<{ plan: StoredPlan | null; held: bigint | null }>(
      `SELECT plan, held FROM calls WHERE tenant_id = $1 AND id = $2 AND admitted_at >= $3::timestamptz AND admitted_at < $3::timestamptz + interval '1 ms'`,
      [tenantId, id, admittedAt],
    );
    return rows[0] ?? { plan: null, held: null };
  }

  private async entries({ tenantId, id, admittedAt }: CallRecord): Promise<Entry[]> {
    const { rows } = await this.pool.query<EntryRow>(
      `SELECT ${sqlFunction('attempt_of')}(l.kind, l.attempt) AS number, l.kind, l.amount, l.price_id AS "priceId", l.rates, l.estimated, l.provider, l.model,
         l.period_ids AS "periodIds", l.booked_at AS "bookedAt", u.*
       FROM ledger_entries l CROSS JOIN LATERAL (SELECT ${usageSums('e')} FROM (SELECT l.units, l.quantities) AS e) u
       WHERE l.tenant_id = $1 AND l.call_id = $2 AND l.admitted_at >= $3::timestamptz AND l.admitted_at < $3::timestamptz + interval '1 ms'
       ORDER BY number, l.booked_at, l.kind = 'adjustment', l.kind DESC, l.attempt`,
      [tenantId, id, admittedAt],
    );
    return rows.map((row) => ({ ...row, usage: summedUsage(row) }));
  }

  private async holds({ tenantId, id }: CallRecord): Promise<HoldRow[]> {
    const { rows } = await this.pool.query<HoldRow>(
      `SELECT coalesce(h.attempt, 1) AS number, h.context ->> 'provider' AS provider, h.context ->> 'model' AS model, h.amount, h.tokens::float8 AS tokens,
         (h.context ->> 'output_tokens')::float8 AS "outputTokens", (h.context ->> 'price')::uuid AS "priceId", h.period_ids AS "periodIds",
         h.counter_ids AS "counterIds"
       FROM holds h WHERE h.tenant_id = $1 AND (h.id = $2 OR h.call_id = $2) ORDER BY number`,
      [tenantId, id],
    );
    return rows;
  }

  private async periods(tenantId: string, ids: bigint[]): Promise<PeriodRow[]> {
    const { rows } = await this.pool.query<PeriodRow>(
      `SELECT p.id, b.id AS "budgetId", b.scope_kind AS "scopeKind", p.scope_value AS "scopeValue", b.period_kind AS "periodKind", b.mode, b.set_by AS "setBy",
         b.deleted_at IS NOT NULL AS "isDeleted", p.starts_at AS "startsAt", CASE WHEN isfinite(p.ends_at) THEN p.ends_at END AS "endsAt",
         p.limit_nano AS "limit", p.granted, p.spent - p.aged AS spent, p.held
       FROM budget_periods p JOIN budgets b ON b.tenant_id = p.tenant_id AND b.id = p.budget_id
       WHERE p.tenant_id = $1 AND p.id = ANY ($2) ORDER BY p.id`,
      [tenantId, ids],
    );
    return rows;
  }

  private async counters(tenantId: string, ids: bigint[]): Promise<CounterRow[]> {
    const { rows } = await this.pool.query<CounterRow>(
      `SELECT c.id, l.id AS "limitId", l.scope_kind AS "scopeKind", c.scope_value AS "scopeValue", l.set_by AS "setBy",
         l.requests_per_minute AS "requestsPerMinute", l.tokens_per_minute::float8 AS "tokensPerMinute", l.concurrency, c.open,
         ${minute('requests')} AS requests, ${minute('tokens')} AS tokens
       FROM limit_counters c JOIN limits l ON l.tenant_id = c.tenant_id AND l.id = c.limit_id
       WHERE c.tenant_id = $1 AND c.id = ANY ($2) ORDER BY c.id`,
      [tenantId, ids],
    );
    return rows;
  }

  private async prices(tenantId: string, ids: string[]): Promise<PriceSource[]> {
    const { rows } = await this.pool.query<PriceSource>(
      'SELECT id, source, effective_at AS "effectiveAt" FROM prices WHERE id = ANY ($2) AND (tenant_id = $1 OR tenant_id IS NULL)',
      [tenantId, ids],
    );
    return rows;
  }
}
