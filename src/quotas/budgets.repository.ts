import { Injectable } from '@nestjs/common';
import { Pool } from 'pg';
import { newId } from '../kernel/ids.js';
import type { Nano } from '../kernel/money.js';
import type { Scope } from '../ledger/index.js';
import { crashOnceSent, crashPoint } from '../platform/faults/index.js';
import { inTransaction, sqlFunction } from '../platform/postgres/index.js';
import type { Budget, BudgetPeriod, Filled, Grant } from './budget.js';
import { assertCapacity, type MaxRules } from './capacity.repository.js';
import { EACH } from './scope.js';

export type NewBudget = Pick<
  Budget,
  'tenantId' | 'scopeKind' | 'scopeValue' | 'limit' | 'periodKind' | 'timezone' | 'mode' | 'externalId'
> &
  Partial<Pick<Budget, 'anchor' | 'windowSeconds' | 'thresholds' | 'setBy' | 'fourEyes'>> & { metadata: Record<string, string> };

export interface BudgetChanges {
  limit?: Nano;
  timezone?: string;
  anchor?: Date | null;
  thresholds?: readonly number[];
  mode?: string;
  fourEyes?: boolean;
  setBy?: string;
  metadata?: Record<string, string>;
}

/** A budget as it counts calls of one scope. */
export interface Counting {
  budget: Budget;
  scopeValue: string;
  period: BudgetPeriod;
}

/** Of which routes are told at a time. */
const MAX_FILLED = 10_000;

/** What became of a period. */
export interface PeriodEvent {
  event: string;
  period_id: bigint;
}

const BUDGET = `tenant_id AS "tenantId", id, scope_kind AS "scopeKind", scope_value AS "scopeValue", limit_nano AS "limit", period_kind AS "periodKind",
  timezone, anchor, window_seconds AS "windowSeconds", thresholds, mode, four_eyes AS "fourEyes", set_by AS "setBy", external_id AS "externalId", metadata, version, created_at AS "createdAt"`;
const PERIOD = `id, budget_id AS "budgetId", scope_value AS "scopeValue", starts_at AS "startsAt", CASE WHEN isfinite(ends_at) THEN ends_at END AS "endsAt",
  limit_nano AS "limit", granted, spent - aged AS spent, held,
  (SELECT coalesce(sum(a.amount), 0)::bigint FROM held_apart a WHERE budget_periods.id = ANY (a.period_ids)) AS "heldApart", opened_at AS "openedAt", closed_at AS "closedAt"`;
const STATEMENT = `(SELECT jsonb_build_object('calls', s.calls, 'top_models', s.top_models) FROM budget_statements s
  WHERE s.tenant_id = budget_periods.tenant_id AND s.period_id = budget_periods.id) AS statement`;

interface StoredStatement {
  calls: number;
  top_models: { provider: string; model: string; calls: number; amount_nano: string }[];
}
type PeriodRow = Omit<BudgetPeriod, 'statement'> & { statement?: StoredStatement | null };

const toPeriod = ({ statement = null, ...row }: PeriodRow): BudgetPeriod => ({
  ...row,
  statement: statement && {
    calls: statement.calls,
    topModels: statement.top_models.map(({ amount_nano, ...model }) => ({ ...model, amount: BigInt(amount_nano) })),
  },
});

@Injectable()
export class BudgetsRepository {
  constructor(private readonly pool: Pool) {}

  /** Makes a budget. No period: the first call that is held makes it. @throws WeirError too_many */
  insert(budget: NewBudget, max: MaxRules | null): Promise<Budget> {
    return inTransaction(this.pool, async (client) => {
      await assertCapacity(client, 'budgets', budget, max);
      const { rows } = await client.query<Budget>(
        `INSERT INTO budgets (tenant_id, id, scope_kind, scope_value, limit_nano, period_kind, timezone, anchor, window_seconds, thresholds, mode, external_id, metadata, set_by, four_eyes, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, weir_now()) RETURNING ${BUDGET}`,
        [
          budget.tenantId,
          newId(),
          budget.scopeKind,
          budget.scopeValue,
          budget.limit,
          budget.periodKind,
          budget.timezone,
          budget.anchor ?? null,
          budget.windowSeconds ?? null,
          [...(budget.thresholds ?? [])],
          budget.mode,
          budget.externalId,
          budget.metadata,
          budget.setBy ?? 'operator',
          budget.fourEyes ?? false,
        ],
      );
      return rows[0]!;
    });
  }

  async find(tenantId: string, id: string): Promise<Budget | null> {
    const { rows } = await this.pool.query<Budget>(
      `SELECT ${BUDGET} FROM budgets WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL`,
      [tenantId, id],
    );
    return rows[0] ?? null;
  }

  async list(tenantId: string): Promise<Budget[]> {
    const { rows } = await this.pool.query<Budget>(
      `SELECT ${BUDGET} FROM budgets WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY id DESC`,
      [tenantId],
    );
    return rows;
  }

  /**
   * Changes a budget if it still has this version (null: whatever it has). Limit, mode and thresholds also hold for periods under way; time zone and
   * anchor from the next on, so the current one is made where it has no row yet. Null: it has another version.
   */
  update(tenantId: string, id: string, changes: BudgetChanges, version: number | null): Promise<Budget | null> {
    return inTransaction(this.pool, async (client) => {
      const { limit = null, timezone = null, thresholds = null, mode = null, fourEyes = null, setBy = null, metadata = null } = changes;
      if (timezone !== null || changes.anchor !== undefined)
        await client.query(
          `SELECT ${sqlFunction('ensure_period')}(tenant_id, id, scope_value, weir_now()) FROM budgets WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND scope_value <> '${EACH}'`,
          [tenantId, id],
        );
      const { rows } = await client.query<Budget>(
        `UPDATE budgets SET limit_nano = coalesce($3, limit_nano), timezone = coalesce($4, timezone), metadata = coalesce($5, metadata),
           thresholds = coalesce($6, thresholds), mode = coalesce($7, mode), anchor = CASE WHEN $8 THEN $9 ELSE anchor END,
           set_by = coalesce($11, set_by), four_eyes = coalesce($12, four_eyes), version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND ($10::integer IS NULL OR version = $10) RETURNING ${BUDGET}`,
        [
          tenantId,
          id,
          limit,
          timezone,
          metadata,
          thresholds,
          mode,
          changes.anchor !== undefined,
          changes.anchor ?? null,
          version,
          setBy,
          fourEyes,
        ],
      );
      if (rows[0]) await client.query(`SELECT ${sqlFunction('follow_budget')}($1, $2)`, [tenantId, id]);
      return rows[0] ?? null;
    });
  }

  /** Deletes a budget if it still has this version (null: whatever it has). False: it has another version. */
  async delete(tenantId: string, id: string, version: number | null): Promise<boolean> {
    const { rowCount } = await this.pool.query(
      'UPDATE budgets SET deleted_at = weir_now() WHERE tenant_id = $1 AND id = $2 AND ($3::integer IS NULL OR version = $3)',
      [tenantId, id, version],
    );
    return rowCount === 1;
  }

  /** The periods of a budget, the latest first; of a template only those of one value, if it is given. */
  async periods(tenantId: string, budgetId: string, limit: number, scopeValue: string | null): Promise<BudgetPeriod[]> {
    const { rows } = await this.pool.query<PeriodRow>(
      `SELECT ${PERIOD}, ${STATEMENT} FROM budget_periods WHERE tenant_id = $1 AND budget_id = $2 AND ($3::text IS NULL OR scope_value = $3)
       ORDER BY starts_at DESC, id DESC LIMIT $4`,
      [tenantId, budgetId, scopeValue, limit],
    );
    return rows.map(toPeriod);
  }

  /** The periods that budgets are in now, each for its value, in this order. */
  async current(tenantId: string, counted: readonly { budgetId: string; scopeValue: string }[]): Promise<BudgetPeriod[]> {
    const { rows } = await this.pool.query<PeriodRow>(`SELECT ${PERIOD} FROM ${sqlFunction('periods_now')}($1, $2, $3) AS budget_periods`, [
      tenantId,
      counted.map(({ budgetId }) => budgetId),
      counted.map(({ scopeValue }) => scopeValue),
    ]);
    return rows.map(toPeriod);
  }

  /** The budgets that count calls of these scopes, with the value each counts them by. */
  async counting(tenantId: string, scopes: readonly Scope[]): Promise<{ budget: Budget; scopeValue: string }[]> {
    const { rows } = await this.pool.query<Budget & { value: string }>(
      `SELECT ${BUDGET}, value FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS s (kind, value, number)
       JOIN budgets b ON b.tenant_id = $1 AND b.scope_kind = s.kind AND b.scope_value IN (s.value, '*') AND b.deleted_at IS NULL ORDER BY number, id`,
      [tenantId, scopes.map((scope) => scope.kind), scopes.map((scope) => scope.value)],
    );
    return rows.map(({ value, ...budget }) => ({ budget, scopeValue: value }));
  }

  /** Counters of tenants of which at least so many percent, a number for each tenant, are spent now. */
  async filled(tenantIds: readonly string[], percents: readonly number[]): Promise<Filled[]> {
    const { rows } = await this.pool.query<Filled>(
      `SELECT p.tenant_id AS "tenantId", p.budget_id AS "budgetId", b.scope_kind AS "scopeKind", p.scope_value AS "scopeValue", u.percent
       FROM unnest($1::uuid[], $2::integer[]) AS t (tenant_id, least)
       JOIN budget_periods p ON p.tenant_id = t.tenant_id AND p.closed_at IS NULL AND p.starts_at <= weir_now() AND p.ends_at > weir_now()
       JOIN budgets b ON b.tenant_id = p.tenant_id AND b.id = p.budget_id AND b.deleted_at IS NULL
       CROSS JOIN LATERAL (SELECT coalesce((p.spent - p.aged) * 100::float8 / nullif(p.limit_nano + p.granted, 0), 100) AS percent) u
       WHERE u.percent >= t.least LIMIT ${MAX_FILLED}`,
      [tenantIds, percents],
    );
    return rows;
  }

  /** Brings what the current period has spent to zero by a ledger entry of its own. */
  async reset(budget: Budget, scopeValue: string, actor: string, reason: string | null): Promise<BudgetPeriod> {
    const { rows } = await this.pool.query<PeriodRow>(
      `SELECT ${PERIOD} FROM ${sqlFunction('reset_period')}($1, $2, $3, $4, $5, $6) AS budget_periods`,
      [budget.tenantId, budget.id, scopeValue, actor, reason, newId()],
    );
    return toPeriod(rows[0]!);
  }

  /** Raises what the current period may spend by exactly this much. */
  async grant(budget: Budget, scopeValue: string, amount: Nano, actor: string, reason: string | null): Promise<Grant> {
    const id = newId();
    const values = [budget.tenantId, budget.id, scopeValue, id, amount, actor, reason];
    await this.pool.query(`SELECT ${sqlFunction('grant_period')}($1, $2, $3, $4, $5, $6, $7)`, values);
    return (await this.grants(budget.tenantId, budget.id, 1, id))[0]!;
  }

  /** The grants of a budget, the latest first. */
  async grants(tenantId: string, budgetId: string, limit: number, id: string | null = null): Promise<Grant[]> {
    const { rows } = await this.pool.query<Grant>(
      `SELECT g.id, g.period_id AS "periodId", p.scope_value AS "scopeValue", g.amount, g.taken_back AS "takenBack", g.expires_at AS "expiresAt", g.approval_id AS "approvalId", g.actor, g.reason, g.created_at AS "createdAt"
       FROM grants g JOIN budget_periods p ON p.id = g.period_id
       WHERE g.tenant_id = $1 AND p.budget_id = $2 AND ($3::uuid IS NULL OR g.id = $3) ORDER BY g.created_at DESC, g.id DESC LIMIT $4`,
      [tenantId, budgetId, id, limit],
    );
    return rows;
  }

  /** Tenants with periods that are over, or whose statements are due; who waits longest first. */
  async tenantsTo(what: 'roll' | 'state', limit: number): Promise<string[]> {
    const { rows } = await this.pool.query<{ id: string }>(`SELECT id FROM ${sqlFunction(`tenants_to_${what}`)}($1) AS t (id)`, [limit]);
    return rows.map((row) => row.id);
  }

  /** Writes a tenant's statements that are due. Answers how many there were. */
  async writeStatements(tenantId: string, limit: number): Promise<number> {
    const { rows } = await this.pool.query<{ written: number }>(`SELECT ${sqlFunction('write_statements')}($1, $2) AS written`, [
      tenantId,
      limit,
    ]);
    return rows[0]!.written;
  }

  /** Closes one period of a tenant that is over. Answers what happened, in order; empty when nothing is left, or another worker does it. */
  async roll(tenantId: string): Promise<PeriodEvent[]> {
    crashOnceSent('roll_sent');
    const { rows } = await this.pool.query<PeriodEvent>(`SELECT event, period_id FROM ${sqlFunction('roll_period')}($1)`, [tenantId]);
    crashPoint('rolled');
    return rows;
  }

  /** Milliseconds until the next period ends; null: none will. Never negative. */
  async untilNextBoundary(): Promise<number | null> {
    const { rows } = await this.pool.query<{ ms: number | null }>(
      `SELECT extract(epoch FROM min(ends_at) - weir_now())::float8 * 1000 AS ms FROM budget_periods WHERE closed_at IS NULL AND isfinite(ends_at)`,
    );
    const { ms } = rows[0]!;
    return ms && Math.max(0, ms);
  }
}
