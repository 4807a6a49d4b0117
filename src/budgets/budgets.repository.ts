import { Injectable } from '@nestjs/common';
import { Pool, type PoolClient } from 'pg';
import { newId } from '../kernel/ids.js';
import type { Nano } from '../kernel/money.js';
import type { Budget, BudgetPeriod } from './budget.js';

export type NewBudget = Pick<
  Budget,
  'tenantId' | 'scopeKind' | 'scopeValue' | 'limit' | 'periodKind' | 'timezone' | 'mode' | 'externalId'
> & { metadata: Record<string, string> };

export interface BudgetChanges {
  limit?: Nano;
  timezone?: string;
  metadata?: Record<string, string>;
}

const BUDGET = `tenant_id AS "tenantId", id, scope_kind AS "scopeKind", scope_value AS "scopeValue", limit_nano AS "limit", period_kind AS "periodKind",
  timezone, mode, external_id AS "externalId", metadata, version, created_at AS "createdAt"`;
const PERIOD = `id, budget_id AS "budgetId", scope_value AS "scopeValue", starts_at AS "startsAt", CASE WHEN isfinite(ends_at) THEN ends_at END AS "endsAt",
  limit_nano AS "limit", granted, spent, held, opened_at AS "openedAt", closed_at AS "closedAt"`;

@Injectable()
export class BudgetsRepository {
  constructor(private readonly pool: Pool) {}

  /** Makes a budget and opens its first period. */
  insert(budget: NewBudget): Promise<Budget> {
    return this.transaction(async (client) => {
      const { rows } = await client.query<Budget>(
        `INSERT INTO budgets (tenant_id, id, scope_kind, scope_value, limit_nano, period_kind, timezone, mode, external_id, metadata, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, weir_now()) RETURNING ${BUDGET}`,
        [
          budget.tenantId,
          newId(),
          budget.scopeKind,
          budget.scopeValue,
          budget.limit,
          budget.periodKind,
          budget.timezone,
          budget.mode,
          budget.externalId,
          budget.metadata,
        ],
      );
      const { tenantId, id, scopeValue } = rows[0]!;
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

  /** Changes a budget if it still has this version (null: whatever it has). The limit also holds for periods under way. Null: it has another version. */
  update(tenantId: string, id: string, changes: BudgetChanges, version: number | null): Promise<Budget | null> {
    return this.transaction(async (client) => {
      const { rows } = await client.query<Budget>(
        `UPDATE budgets SET limit_nano = coalesce($3, limit_nano), timezone = coalesce($4, timezone), metadata = coalesce($5, metadata), version = version + 1
         WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL AND ($6::integer IS NULL OR version = $6) RETURNING ${BUDGET}`,
        [tenantId, id, changes.limit ?? null, changes.timezone ?? null, changes.metadata ?? null, version],
      );
      if (rows[0] && changes.limit !== undefined) {
        await client.query('UPDATE budget_periods SET limit_nano = $3 WHERE tenant_id = $1 AND budget_id = $2 AND ends_at > weir_now()', [
          tenantId,
          id,
          changes.limit,
        ]);
      }
      return rows[0] ?? null;
    });
  }

  async delete(tenantId: string, id: string): Promise<void> {
    await this.pool.query('UPDATE budgets SET deleted_at = weir_now() WHERE tenant_id = $1 AND id = $2', [tenantId, id]);
  }

  /** The periods of a budget, the latest first. */
  async periods(tenantId: string, budgetId: string, limit: number): Promise<BudgetPeriod[]> {
    const { rows } = await this.pool.query<BudgetPeriod>(
      `SELECT ${PERIOD} FROM budget_periods WHERE tenant_id = $1 AND budget_id = $2 ORDER BY starts_at DESC, id DESC LIMIT $3`,
      [tenantId, budgetId, limit],
    );
    return rows;
  }

  /** The period each budget is in now, by budget id. */
  async current(tenantId: string, budgetIds: string[]): Promise<Map<string, BudgetPeriod>> {
    const { rows } = await this.pool.query<BudgetPeriod>(
      `SELECT DISTINCT ON (budget_id) ${PERIOD} FROM budget_periods
       WHERE tenant_id = $1 AND budget_id = ANY ($2) AND starts_at <= weir_now() AND ends_at > weir_now() ORDER BY budget_id, starts_at DESC`,
      [tenantId, budgetIds],
    );
    return new Map(rows.map((period) => [period.budgetId, period]));
  }

  /** Brings what the current period has spent to zero by a ledger entry of its own. */
  async reset(budget: Budget, actor: string, reason: string | null): Promise<BudgetPeriod> {
    const { rows } = await this.pool.query<BudgetPeriod>(`SELECT ${PERIOD} FROM reset_period($1, $2, $3, $4, $5, $6)`, [
      budget.tenantId,
      budget.id,
      budget.scopeValue,
      actor,
      reason,
      newId(),
    ]);
    return rows[0]!;
  }

  /** Closes one period that is over and opens the next. Answers what happened, in order; empty when nothing is left, or another worker does it. */
  async roll(): Promise<{ event: string; period_id: bigint }[]> {
    const { rows } = await this.pool.query('SELECT event, period_id FROM roll_period()');
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
