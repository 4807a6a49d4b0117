import { Injectable } from '@nestjs/common';
import { Pool, type PoolClient } from 'pg';
import { newId } from '../kernel/ids.js';
import type { Nano } from '../kernel/money.js';
import type { Scope } from '../ledger/index.js';
import { crashOnceSent, crashPoint } from '../platform/faults/index.js';
import { type Budget, type BudgetPeriod, EACH, type Grant } from './budget.js';

export type NewBudget = Pick<
  Budget,
  'tenantId' | 'scopeKind' | 'scopeValue' | 'limit' | 'periodKind' | 'timezone' | 'mode' | 'externalId'
> &
  Partial<Pick<Budget, 'anchor' | 'windowSeconds' | 'thresholds' | 'setBy'>> & { metadata: Record<string, string> };

export interface BudgetChanges {
  limit?: Nano;
  timezone?: string;
  anchor?: Date | null;
  thresholds?: readonly number[];
  mode?: string;
  setBy?: string;
  metadata?: Record<string, string>;
}

/** A budget as it counts calls of one scope; period null: nothing has been held in it yet. */
export interface Counting {
  budget: Budget;
  scopeValue: string;
  period: BudgetPeriod | null;
}

const BUDGET = `tenant_id AS "tenantId", id, scope_kind AS "scopeKind", scope_value AS "scopeValue", limit_nano AS "limit", period_kind AS "periodKind",
  timezone, anchor, window_seconds AS "windowSeconds", thresholds, mode, set_by AS "setBy", external_id AS "externalId", metadata, version, created_at AS "createdAt"`;
const PERIOD = `id, budget_id AS "budgetId", scope_value AS "scopeValue", starts_at AS "startsAt", CASE WHEN isfinite(ends_at) THEN ends_at END AS "endsAt",
  limit_nano AS "limit", granted, spent - aged AS spent, held, opened_at AS "openedAt", closed_at AS "closedAt"`;
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

  /** Makes a budget and opens its first period. */
  insert(budget: NewBudget): Promise<Budget> {
    return this.transaction(async (client) => {
      const { rows } = await client.query<Budget>(
        `INSERT INTO budgets (tenant_id, id, scope_kind, scope_value, limit_nano, period_kind, timezone, anchor, window_seconds, thresholds, mode, external_id, metadata, set_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, weir_now()) RETURNING ${BUDGET}`,
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
        ],
      );
      const { tenantId, id, scopeValue } = rows[0]!;
      if (scopeValue !== EACH)
        await client.query('SELECT open_period(ensure_period($1, $2, $3, weir_now()), weir_now())', [tenantId, id, scopeValue]);
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
   * Changes a budget if it still has this version (null: whatever it has). Limit, mode and thresholds also hold for periods under way. Null: it
   * has another version.
   */
  update(tenantId: string, id: string, changes: BudgetChanges, version: number | null): Promise<Budget | null> {
    return this.transaction(async (client) => {
      const { limit = null, timezone = null, thresholds = null, mode = null, setBy = null, metadata = null } = changes;
      const { rows } = await client.query<Budget>(
        `UPDATE budgets SET limit_nano = coalesce($3, limit_nano), timezone = coalesce($4, timezone), metadata = coalesce($5, metadata),
           thresholds = coalesce($6, thresholds), mode = coalesce($7, mode), anchor = CASE WHEN $8 THEN $9 ELSE anchor END,
           set_by = coalesce($11, set_by), version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND ($10::integer IS NULL OR version = $10) RETURNING ${BUDGET}`,
        [tenantId, id, limit, timezone, metadata, thresholds, mode, changes.anchor !== undefined, changes.anchor ?? null, version, setBy],
      );
      if (rows[0]) await client.query('SELECT follow_budget($1, $2)', [tenantId, id]);
      return rows[0] ?? null;
    });
  }

  async delete(tenantId: string, id: string): Promise<void> {
    await this.pool.query('UPDATE budgets SET deleted_at = weir_now() WHERE tenant_id = $1 AND id = $2', [tenantId, id]);
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

  /** The period each budget is in now, by budget id. Of a template every value has one of its own: none is given here. */
  async current(tenantId: string, budgetIds: string[]): Promise<Map<string, BudgetPeriod>> {
    const { rows } = await this.pool.query<PeriodRow>(
      `SELECT DISTINCT ON (budget_id) ${PERIOD} FROM budget_periods
       WHERE tenant_id = $1 AND budget_id = ANY ($2) AND starts_at <= weir_now() AND ends_at > weir_now() ORDER BY budget_id, starts_at DESC`,
      [tenantId, budgetIds],
    );
    return new Map(rows.map((row) => [row.budgetId, toPeriod(row)]));
  }

  /** The budgets that count calls of these scopes, with the value each counts them by. */
  async counting(tenantId: string, scopes: readonly Scope[]): Promise<Counting[]> {
    const { rows } = await this.pool.query<Budget & { value: string; period: bigint | null }>(
      `SELECT ${BUDGET}, value, (
         SELECT p.id FROM budget_periods p WHERE p.tenant_id = $1 AND p.budget_id = b.id AND p.scope_value = value
           AND p.starts_at <= weir_now() AND p.ends_at > weir_now() ORDER BY p.starts_at DESC LIMIT 1
       ) AS period
       FROM unnest($2::text[], $3::text[]) WITH ORDINALITY AS s (kind, value, number)
       JOIN budgets b ON b.tenant_id = $1 AND b.scope_kind = s.kind AND b.scope_value IN (s.value, '*') AND b.deleted_at IS NULL ORDER BY number, id`,
      [tenantId, scopes.map((scope) => scope.kind), scopes.map((scope) => scope.value)],
    );
    const { rows: found } = await this.pool.query<PeriodRow>(
      `SELECT ${PERIOD} FROM budget_periods WHERE tenant_id = $1 AND id = ANY ($2)`,
      [tenantId, rows.flatMap((row) => row.period ?? [])],
    );
    const periods = new Map(found.map((row) => [row.id, toPeriod(row)]));
    return rows.map(({ value, period, ...budget }) => ({
      budget,
      scopeValue: value,
      period: (period === null ? null : periods.get(period)) ?? null,
    }));
  }

  /** Brings what the current period has spent to zero by a ledger entry of its own. */
  async reset(budget: Budget, scopeValue: string, actor: string, reason: string | null): Promise<BudgetPeriod> {
    const { rows } = await this.pool.query<PeriodRow>(`SELECT ${PERIOD} FROM reset_period($1, $2, $3, $4, $5, $6)`, [
      budget.tenantId,
      budget.id,
      scopeValue,
      actor,
      reason,
      newId(),
    ]);
    return toPeriod(rows[0]!);
  }

  /** Raises what the current period may spend by exactly this much. */
  async grant(budget: Budget, scopeValue: string, amount: Nano, actor: string, reason: string | null): Promise<Grant> {
    const id = newId();
    const values = [budget.tenantId, budget.id, scopeValue, id, amount, actor, reason];
    await this.pool.query('SELECT grant_period($1, $2, $3, $4, $5, $6, $7)', values);
    return (await this.grants(budget.tenantId, budget.id, 1, id))[0]!;
  }

  /** The grants of a budget, the latest first. */
  async grants(tenantId: string, budgetId: string, limit: number, id: string | null = null): Promise<Grant[]> {
    const { rows } = await this.pool.query<Grant>(
      `SELECT g.id, g.period_id AS "periodId", p.scope_value AS "scopeValue", g.amount, g.actor, g.reason, g.created_at AS "createdAt"
       FROM grants g JOIN budget_periods p ON p.id = g.period_id
       WHERE g.tenant_id = $1 AND p.budget_id = $2 AND ($3::uuid IS NULL OR g.id = $3) ORDER BY g.created_at DESC, g.id DESC LIMIT $4`,
      [tenantId, budgetId, id, limit],
    );
    return rows;
  }

  /** Writes the statements that are due. Answers how many there were. */
  async writeStatements(limit: number): Promise<number> {
    const { rows } = await this.pool.query<{ written: number }>('SELECT write_statements($1) AS written', [limit]);
    return rows[0]!.written;
  }

  /** Closes one period that is over and opens the next. Answers what happened, in order; empty when nothing is left, or another worker does it. */
  async roll(): Promise<{ event: string; period_id: bigint }[]> {
    crashOnceSent('roll_sent');
    const { rows } = await this.pool.query('SELECT event, period_id FROM roll_period()');
    crashPoint('rolled');
    return rows;
  }

  /** Milliseconds until the next period ends; null: none will. Never negative. */
  async untilNextBoundary(): Promise<number | null> {
    const { rows } = await this.pool.query<{ ms: number | null }>(
      `SELECT greatest(0, extract(epoch FROM min(ends_at) - weir_now()) * 1000)::float8 AS ms FROM budget_periods WHERE closed_at IS NULL AND isfinite(ends_at)`,
    );
    return rows[0]!.ms;
  }

  private async transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      return result;
    } catch (error) {
      await client.query('ROLLBACK').catch(() => {});
      throw error;
    } finally {
      client.release();
    }
  }
}
