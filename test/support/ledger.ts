import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { newId } from '../../src/kernel/ids.js';
import { UNITS } from '../../src/kernel/units.js';
import { NO_USAGE, quantitySql, type Usage } from '../../src/kernel/usage.js';
import { encodeSettlement } from '../../src/ledger/encode-settlement.js';
import { AuditRepository, type HoldRequest, type Settlement } from '../../src/ledger/index.js';

/**
 * What the product's own auditor finds wrong; empty when the ledger's invariants hold. Where tests move the clock and no worker runs, leases end
 * and nobody reaps: that is no breach of the ledger's.
 */
export async function brokenInvariants(db: Pool): Promise<string[]> {
  const { breaches } = await new AuditRepository(db).audit('full');
  const broken = breaches.filter(({ key }) => !key.startsWith('I7:call:'));
  return broken.map(({ invariant, message }) => `${invariant}: ${message}`);
}

const CONTEXT = {
  deadline_ms: 0,
  surface: 'chat.completions',
  stream: false,
  requested_model: 'p/m',
  provider: 'p',
  provider_id: '0198f0a0-0000-7000-8000-000000000001',
  lent: false,
  model: 'm',
  credential: null,
  price: null,
  input_tokens: 10,
  output_tokens: 45,
};
const RATES = { input: 1_000_000, cache_read: 0, cache_write_5m: 0, cache_write_1h: 0, output: 2_000_000 };

/** SQL: how much of a unit a ledger entry has; NULL: there is no entry. */
export const quantity = (entry: string, field: keyof Usage): string => {
  const unit = UNITS.find((one) => one.field === field)!;
  return `CASE WHEN ${entry}.units IS NOT NULL THEN coalesce(${quantitySql(entry, unit)}, 0) END`;
};

/** A hold of one call on the budgets of one tenant. */
export const holdRequest = (
  tenantId: string,
  amount: bigint | null,
  scopes: HoldRequest['scopes'] = [{ kind: 'tenant', value: tenantId }],
): HoldRequest => ({
  id: newId(),
  tenantId,
  amount,
  tokens: 100,
  scopes,
  context: { ...CONTEXT, project: tenantId, key: tenantId, rates: amount === null ? null : RATES },
});

/** A hold of a later attempt of a call, on its first one's scopes where no others are given. */
export const nextAttempt = (
  first: HoldRequest,
  attempt: number,
  amount: bigint | null,
  target: Partial<HoldRequest['context']> = {},
  scopes: HoldRequest['scopes'] = first.scopes,
): HoldRequest => ({ ...first, id: newId(), amount, scopes, context: { ...first.context, ...target, call: first.id, attempt } });

/** The end of a call that cost this much. */
export const settlement = (id: string, amount: bigint | null, changes: Partial<Settlement> = {}): Settlement => ({
  id,
  state: 'settled',
  amount,
  providerCost: amount,
  status: 'completed',
  httpStatus: 200,
  errorCode: null,
  finishReason: 'stop',
  estimated: false,
  servedModel: 'm',
  attempts: [],
  firstByteMs: 1,
  durationMs: 2,
  usage: { ...NO_USAGE, input: 1, output: 1 },
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
