import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { HoldRequest, Settlement } from '../../src/ledger/index.js';
import { encodeSettlement } from '../../src/ledger/ledger.repository.js';

/** What the checker found wrong; empty when the ledger's invariants hold. */
export async function brokenInvariants(db: Pool): Promise<string[]> {
  const { rows } = await db.query<{ broken: string }>(`
    SELECT format('I1 period %s: spent %s, entries %s', p.id, p.spent, e.total) AS broken FROM budget_periods p
      CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount), 0) AS total FROM ledger_entries l WHERE p.id = ANY (l.period_ids)) e WHERE p.spent <> e.total
    UNION ALL
    SELECT format('I2 period %s: held %s, open holds %s', p.id, p.held, h.total) FROM budget_periods p
      CROSS JOIN LATERAL (SELECT coalesce(sum(h.amount), 0) AS total FROM holds h WHERE h.state = 'open' AND p.id = ANY (h.period_ids)) h WHERE p.held <> h.total
    UNION ALL
    SELECT format('I3 period %s: spent %s + held %s > limit %s + grants %s + overruns %s', p.id, p.spent, p.held, p.limit_nano, p.granted, o.total) FROM budget_periods p
      CROSS JOIN LATERAL (SELECT coalesce(sum(l.amount), 0) AS total FROM ledger_entries l WHERE l.kind IN ('overrun', 'late', 'adjustment') AND l.amount > 0 AND p.id = ANY (l.period_ids)) o
      WHERE p.hard AND p.spent + p.held > p.limit_nano + p.granted + p.aged + o.total
    UNION ALL
    SELECT format('I4 call %s: hold is %s, %s call rows', h.id, h.state, count(c.id)) FROM holds h LEFT JOIN calls c ON c.id = h.id WHERE h.state <> 'refused'
      GROUP BY h.id HAVING (h.state = 'open') <> (count(c.id) = 0) OR count(c.id) > 1
    UNION ALL
    SELECT format('I5 call %s has %s entries of kind %s', l.call_id, count(*), l.kind) FROM ledger_entries l GROUP BY l.call_id, l.attempt, l.kind HAVING count(*) > 1`);
  return rows.map((row) => row.broken);
}

const CONTEXT = {
  surface: 'chat.completions',
  stream: false,
  requested_model: 'p/m',
  provider: 'p',
  model: 'm',
  credential: null,
  price: null,
  input_tokens: 10,
};
const RATES = { input: 1_000_000, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output: 2_000_000 };

/** A hold of one call on the budgets of one tenant. */
export const holdRequest = (
  tenantId: string,
  amount: bigint | null,
  scopes: HoldRequest['scopes'] = [{ kind: 'tenant', value: tenantId }],
): HoldRequest => ({
  id: randomUUID(),
  tenantId,
  amount,
  tokens: 100,
  scopes,
  context: { ...CONTEXT, project: tenantId, key: tenantId, rates: amount === null ? null : RATES },
});

/** The end of a call that cost this much. */
export const settlement = (id: string, amount: bigint | null, changes: Partial<Settlement> = {}): Settlement => ({
  id,
  state: 'settled',
  amount,
  status: 'completed',
  httpStatus: 200,
  errorCode: null,
  finishReason: 'stop',
  estimated: false,
  servedModel: 'm',
  attempts: [],
  firstByteMs: 1,
  durationMs: 2,
  usage: { input: 1, cacheRead: 0, cacheWrite5m: 0, cacheWrite1h: 0, output: 1, reasoning: null },
  usageRaw: { prompt_tokens: 1 },
  rates: RATES,
  ...changes,
});

/** Settlements as the ledger's statement takes them. */
export const encoded = (settlements: Settlement[]): Map<string, string> =>
  new Map(settlements.map((one) => [one.id, encodeSettlement(one)]));

/** A tenant with a budget on each of these scopes. Answers its id. */
export async function insertTenant(
  db: Pool,
  budgets: { kind?: string; value?: string; limit: bigint; period?: string; timezone?: string }[],
): Promise<string> {
  const tenantId = randomUUID();
  await db.query(`INSERT INTO tenants (id, name) VALUES ($1, 'test')`, [tenantId]);
  for (const { kind = 'tenant', value = tenantId, limit, period = 'month', timezone = 'UTC' } of budgets) {
    await db.query(
      `INSERT INTO budgets (tenant_id, id, scope_kind, scope_value, limit_nano, period_kind, timezone, mode) VALUES ($1, $2, $3, $4, $5, $6, $7, 'deny')`,
      [tenantId, randomUUID(), kind, value, limit, period, timezone],
    );
  }
  return tenantId;
}
