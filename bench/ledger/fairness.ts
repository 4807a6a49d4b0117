import { setTimeout as delay } from 'node:timers/promises';
import { newId } from '../../src/kernel/ids.js';
import type { LedgerService } from '../../src/ledger/index.js';
import { SHARDS, shardOf } from '../../src/ledger/shards.js';
import { sqlFunction } from '../../src/platform/postgres/index.js';
import { holdRequest, settlement } from '../../test/support/ledger.js';
import { openLedger } from '../../test/support/open-ledger.js';
import { quantile } from '../load.js';
import type { Options } from './options.js';
import type { Stage } from './stage.js';

const QUIET_TENANTS = 999;
/** Nano-USD; nobody gets near it. */
const LIMIT = 10n ** 18n;
const HELD = 1_000n;
const SPENT = 800n;
/** Who is refused comes back after this long. */
const REFUSED_PAUSE_MS = 20;

/** How long calls of quiet tenants waited for their hold, in ms. */
interface Quiet {
  holds: number;
  /** Given up or turned away. */
  refused: number;
  p50: number;
  p99: number;
}

/** Quiet tenants, alone or beside a hot one. The neighbors share its batches; the others only its Postgres and its process. */
export interface Fairness {
  /** Of the hot tenant; 0: it is not there. */
  callers: number;
  /** Calls of the hot tenant a second. */
  hotPerSecond: number;
  neighbors: Quiet;
  others: Quiet;
}

/** Many quiet tenants with a few calls a second among them, at first alone, then beside a hot tenant with so many callers. */
export async function measureFairness(stage: Stage, { callers, seconds, warmUpSeconds, rate }: Options): Promise<Fairness[]> {
  const tenants = await insertQuietTenants(stage);
  const { ledger, close } = openLedger(stage.url, 'bench');
  try {
    await besides(stage, ledger, tenants, 0, warmUpSeconds, rate);
    const measurements: Fairness[] = [];
    for (const count of [0, ...callers]) {
      await stage.db.query('CHECKPOINT');
      measurements.push(await besides(stage, ledger, tenants, count, seconds, rate));
    }
    return measurements;
  } finally {
    await close();
  }
}

async function insertQuietTenants({ db }: Stage): Promise<string[]> {
  const ids = Array.from({ length: QUIET_TENANTS }, () => newId());
  await db.query(`INSERT INTO tenants (id, name) SELECT id, 'quiet' FROM unnest($1::uuid[]) AS t (id)`, [ids]);
  await db.query(
    `INSERT INTO budgets (tenant_id, id, scope_kind, scope_value, limit_nano, period_kind, timezone, mode)
     SELECT id, gen_random_uuid(), 'tenant', id, $2, 'month', 'UTC', 'deny' FROM unnest($1::uuid[]) AS t (id)`,
    [ids, LIMIT],
  );
  await db.query(`SELECT ${sqlFunction('ensure_period')}(tenant_id, id, scope_value, weir_now()) FROM budgets WHERE tenant_id = ANY ($1)`, [
    ids,
  ]);
  await db.query('ANALYZE');
  return ids;
}

async function besides(
  stage: Stage,
  ledger: LedgerService,
  tenants: string[],
  callers: number,
  seconds: number,
  rate: number,
): Promise<Fairness> {
  const until = performance.now() + seconds * 1000;
  const neighbors: (number | null)[] = [];
  const others: (number | null)[] = [];
  let hotCalls = 0;
  const hot = async () => {
    while (performance.now() < until) {
      if ((await call(ledger, stage.tenantId, stage.scopes)) !== null) hotCalls++;
      else await delay(REFUSED_PAUSE_MS);
    }
  };
  const quiet = async () => {
    const under: Promise<unknown>[] = [];
    const startedAt = performance.now();
    for (let sent = 0; performance.now() < until; sent++) {
      const due = startedAt + (sent * 1000) / rate - performance.now();
      if (due > 0) await delay(due);
      const tenant = tenants[(sent * 7) % tenants.length]!;
      const group = shardOf(tenant) === shardOf(stage.tenantId) ? neighbors : others;
      under.push(call(ledger, tenant, [{ kind: 'tenant', value: tenant }]).then((took) => group.push(took)));
    }
    await Promise.all(under);
  };
  await Promise.all([quiet(), ...Array.from({ length: callers }, hot)]);
  return { callers, hotPerSecond: hotCalls / seconds, neighbors: summary(neighbors), others: summary(others) };
}

/** Answers how long the hold took; null: it was refused. */
async function call(ledger: LedgerService, tenantId: string, scopes: Stage['scopes']): Promise<number | null> {
  const request = { ...holdRequest(tenantId, HELD, scopes), id: newId() };
  const asked = performance.now();
  const answer = await ledger.hold(request).catch(() => null);
  if (!answer) return null;
  if (answer.verdict !== 'held') throw new Error(`a hold was answered with ${answer.verdict}`);
  const took = performance.now() - asked;
  await ledger.settle(request, settlement(request.id, SPENT), () => {});
  return took;
}

function summary(times: (number | null)[]): Quiet {
  const sorted = Float64Array.from(times.filter((time) => time !== null)).sort();
  return { holds: sorted.length, refused: times.length - sorted.length, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
}

/** A block per number of hot callers, each beside what the quiet tenants wait alone. */
export function fairnessTable([alone, ...besides]: Fairness[]): string {
  const line = (name: string, { p50, p99, holds, refused }: Quiet, base: Quiet) =>
    `  ${name.padEnd(34)}${p50.toFixed(2).padStart(10)}${p99.toFixed(2).padStart(10)}${`${(p99 / base.p99).toFixed(1)}x`.padStart(8)}${String(holds).padStart(8)}${refused ? `  ${refused} refused` : ''}`;
  const block = (title: string, { neighbors, others }: Fairness) =>
    [
      `${title.padEnd(36)}  hold p50    p99 ms   ratio   holds`,
      line(`on the hot tenant's shard, 1 of ${SHARDS}`, neighbors, alone!.neighbors),
      line('on the others', others, alone!.others),
    ].join('\n');
  return [
    block('quiet tenants alone', alone!),
    ...besides.map((one) => block(`beside ${one.callers} callers, ${one.hotPerSecond.toFixed(0)} a second`, one)),
  ].join('\n\n');
}
