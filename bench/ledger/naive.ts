import type { Pool, PoolClient } from 'pg';
import { newId } from '../../src/kernel/ids.js';
import { storeUsage } from '../../src/kernel/usage.js';
import { sqlFunction } from '../../src/platform/postgres/index.js';
import { holdRequest, settlement } from '../../test/support/ledger.js';

interface Scope {
  kind: string;
  value: string;
}

/**
 * The ledger as it is usually written: a transaction per hold and one per settlement, a statement per budget and row. It books the same rows
 * into the same tables and takes its locks in the order of the periods, so it deadlocks neither. Its statements are prepared and its periods
 * known beforehand, which favors it.
 */
export class NaiveLedger {
  private periods: Promise<string[]> | null = null;

  constructor(
    private readonly pool: Pool,
    private readonly tenantId: string,
    private readonly scopes: readonly Scope[],
  ) {}

  /** @throws Error when a budget has not enough left */
  hold(amount: bigint): Promise<string> {
    const { context } = holdRequest(this.tenantId, amount, this.scopes);
    return this.transaction(async (client) => {
      this.periods ??= this.findPeriods(client);
      const periods = await this.periods;
      for (const period of periods) {
        const { rowCount } = await client.query({ name: 'hold_period', text: HOLD_PERIOD, values: [period, amount] });
        if (rowCount === 0) throw new Error('denied');
      }
      const id = newId();
      await client.query({ name: 'insert_hold', text: INSERT_HOLD, values: [id, this.tenantId, amount, periods, context] });
      return id;
    });
  }

  settle(id: string, amount: bigint): Promise<void> {
    const { usage, rates, attempts, usageRaw } = settlement(id, amount);
    return this.transaction(async (client) => {
      // First the periods, then the hold: the order of every transaction.
      for (const period of await this.periods!) await client.query({ name: 'lock_period', text: LOCK_PERIOD, values: [period] });
      const { rows } = await client.query({ name: 'resolve_hold', text: RESOLVE_HOLD, values: [id] });
      if (rows.length === 0) return;
      const { amount: held, period_ids: periods } = rows[0] as { amount: bigint; period_ids: bigint[] };
      for (const period of periods) {
        await client.query({ name: 'settle_period', text: SETTLE_PERIOD, values: [period, held, amount] });
      }
      await client.query({ name: 'insert_call', text: INSERT_CALL, values: [id, JSON.stringify(attempts), usageRaw] });
      const { units, quantities } = storeUsage(usage);
      const entry = [id, units, quantities, rates, amount];
      await client.query({ name: 'insert_entry', text: INSERT_ENTRY, values: entry });
    });
  }

  private async transaction<T>(work: (client: PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query('BEGIN');
      const result = await work(client);
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  private async findPeriods(client: PoolClient): Promise<string[]> {
    const { rows } = await client.query<{ id: bigint }>(FIND_PERIODS, [this.tenantId]);
    return rows.map((row) => String(row.id));
  }
}

const FIND_PERIODS = `
  SELECT ${sqlFunction('ensure_period')}(tenant_id, id, scope_value, weir_now()) AS id FROM budgets WHERE tenant_id = $1 AND deleted_at IS NULL ORDER BY 1`;
const HOLD_PERIOD = 'UPDATE budget_periods SET held = held + $2 WHERE id = $1 AND spent + held + $2 <= limit_nano + granted';
const INSERT_HOLD = `
  INSERT INTO holds (id, tenant_id, gateway_id, amount, period_ids, context, created_at, lease_until)
  VALUES ($1, $2, $2, $3, $4, $5, weir_now(), weir_now() + interval '30 seconds')`;
const LOCK_PERIOD = 'SELECT 1 FROM budget_periods WHERE id = $1 FOR UPDATE';
const RESOLVE_HOLD = `
  UPDATE holds SET state = 'settled', resolved_at = weir_now() WHERE id = $1 AND state = 'open' RETURNING amount, period_ids`;
const SETTLE_PERIOD = 'UPDATE budget_periods SET held = held - $2, spent = spent + $3 WHERE id = $1';
const INSERT_CALL = `
  INSERT INTO calls (tenant_id, id, admitted_at, finished_at, project_id, api_key_id, surface, stream, requested_model, served_model, provider,
    status, http_status, finish_reason, estimated, attempts, first_byte_ms, duration_ms, usage_raw, held)
  SELECT tenant_id, id, created_at, weir_now(), (context ->> 'project')::uuid, (context ->> 'key')::uuid, context ->> 'surface',
    (context ->> 'stream')::boolean, context ->> 'requested_model', 'm', context ->> 'provider', 'completed', 200, 'stop', false, $2, 1, 2, $3, amount
  FROM holds WHERE id = $1`;
const INSERT_ENTRY = `
  INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, units,
    quantities, rates, amount, estimated, period_ids)
  SELECT tenant_id, id, 1, 'usage', created_at, weir_now(), (context ->> 'project')::uuid, (context ->> 'key')::uuid, context ->> 'provider',
    context ->> 'model', $2, $3, $4, $5, false, period_ids
  FROM holds WHERE id = $1`;
