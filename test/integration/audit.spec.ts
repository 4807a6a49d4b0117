import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import { newId } from '../../src/kernel/ids.js';
import { AuditRepository } from '../../src/ledger/audit.repository.js';
import { Auditor } from '../../src/ledger/auditor.js';
import type { Depth } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { createLogger, Metrics } from '../../src/platform/telemetry/index.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';

const GATEWAY = randomUUID();
let database: TestDatabase;
/** As the owner, who can do what no process of the product may. */
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;
let auditor: AuditRepository;
let tenant: string;
let open: string;
let settled: string;
let voided: string;

beforeEach(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 4, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  ledger = new LedgerRepository(pool);
  auditor = new AuditRepository(pool);
  tenant = await insertTenant(db, [{ limit: 1_000n }]);
  const requests = [100n, 100n, 100n].map((amount) => holdRequest(tenant, amount));
  await ledger.hold(GATEWAY, requests);
  [open, settled, voided] = requests.map(({ id }) => id) as [string, string, string];
  await ledger.settle(encoded([settlement(settled, 150n), settlement(voided, null, { state: 'voided', status: 'failed' })]));
});

afterEach(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

const publicCall = (id: string) => `call_${id.replaceAll('-', '')}`;
/** What both depths say, which must be the same. */
async function breaches(): Promise<{ invariant: string; message: string }[]> {
  const found = await Promise.all((['full', 'recent'] as Depth[]).map((depth) => auditor.audit(depth)));
  const [full, recent] = found.map((audit) => audit.breaches.map(({ invariant, message }) => ({ invariant, message })));
  expect(recent).toEqual(full);
  return full!;
}
const broken = async () => (await breaches()).map(({ invariant }) => invariant);

test('a ledger that nobody tampered with breaks nothing, and everything was looked at', async () => {
  expect(await breaches()).toEqual([]);
  const { checks } = await auditor.audit('full');
  expect(checks.map(({ invariant, checked, broken }) => [invariant, checked, broken])).toEqual([
    ['I1', 1, 0],
    ['I2', 1, 0],
    ['I3', 1, 0],
    ['I4', 3, 0],
    ['I5', 2, 0],
    ['I6', 3, 0],
    ['I7', 1, 0],
    ['I8', 0, 0],
  ]);
});

test('I1: what was spent past the entries is named, with both figures', async () => {
  await db.query('UPDATE budget_periods SET spent = spent - 50');
  expect(await breaches()).toEqual([
    {
      invariant: 'I1',
      message: expect.stringMatching(/^Period per_\d+ of budget bud_\w{32}.* has spent \$0\.0000001, but its 2 entries .*\$0\.00000015\.$/),
    },
  ]);
});

test('I1: what providers cost beside the entries is named, with both figures', async () => {
  await db.query('UPDATE budget_periods SET provider_cost = provider_cost - 50');
  expect(await breaches()).toEqual([
    {
      invariant: 'I1',
      message: expect.stringMatching(/ notes a provider cost of \$0\.0000001, but its 2 entries .*\$0\.00000015\.$/),
    },
  ]);
});

test('I2: what is held beside the open holds is named, with both figures', async () => {
  await db.query('UPDATE budget_periods SET held = held + 50');
  expect(await breaches()).toEqual([
    { invariant: 'I2', message: expect.stringContaining('holds $0.00000015, but its 1 open holds come to $0.0000001.') },
  ]);
});

test('I2: a limit that counts other calls in flight than there are is named', async () => {
  await db.query(`INSERT INTO limits (tenant_id, id, scope_kind, scope_value, concurrency) VALUES ($1, $1, 'tenant', 'ten_x', 5)`, [
    tenant,
  ]);
  const { rows } = await db.query(
    `INSERT INTO limit_counters (tenant_id, limit_id, scope_value, open) VALUES ($1, $1, 'ten_x', 2) RETURNING id`,
    [tenant],
  );
  await db.query('UPDATE holds SET counter_ids = ARRAY[$1::bigint] WHERE id = $2', [rows[0].id, open]);
  expect(await breaches()).toEqual([{ invariant: 'I2', message: expect.stringContaining('counts 2 calls in flight, but 1 are.') }]);
});

test('I3: a budget that is spent beyond its limit is named, with how much', async () => {
  await db.query('ALTER TABLE budget_periods DISABLE TRIGGER budget_periods_allowance');
  await db.query('UPDATE budget_periods SET limit_nano = 120');
  expect(await breaches()).toEqual([{ invariant: 'I3', message: expect.stringContaining('$0.00000008 beyond') }]);
});

test('I3: a budget whose limit was lowered below what is spent, or that only now denies, was not overspent', async () => {
  await db.query('UPDATE budget_periods SET limit_nano = 1');
  expect(await breaches()).toEqual([]);
  await db.query('UPDATE budget_periods SET hard = false, limit_nano = 0, most_allowed = NULL');
  await db.query('UPDATE budget_periods SET hard = true, most_allowed = NULL');
  expect(await breaches()).toEqual([]);
});

test('I3: a budget that only observes may be spent beyond its limit', async () => {
  await db.query('UPDATE budget_periods SET hard = false, limit_nano = 1');
  expect(await breaches()).toEqual([]);
});

test('what left a rolling window, what became known late and what was corrected break nothing', async () => {
  await db.query(`UPDATE holds SET created_at = created_at - interval '1 min', lease_until = now() - interval '1 s' WHERE id = $1`, [open]);
  await ledger.reap(10);
  await ledger.settle(encoded([settlement(open, 2_000n)]));
  expect((await db.query(`SELECT FROM ledger_entries WHERE kind = 'late'`)).rowCount).toBe(1);
  expect(await breaches()).toEqual([]);
  await db.query('UPDATE budget_periods SET aged = 2000, limit_nano = 1, most_allowed = NULL');
  expect(await breaches()).toEqual([]);
});

test('a call that was refused because its hold was not confirmed in time has no call row, and needs none', async () => {
  await ledger.abandon(GATEWAY, [{ id: newId(), tenantId: tenant }]);
  expect(await breaches()).toEqual([]);
});

test('I4: a hold that is over without a call, or open with one, is named', async () => {
  await db.query('DELETE FROM calls WHERE id = $1', [voided]);
  expect(await breaches()).toEqual([
    {
      invariant: 'I4',
      message: expect.stringContaining(`${publicCall(voided)} of ten_${tenant.replaceAll('-', '')} is voided, but there are 0`),
    },
  ]);
  await db.query(`UPDATE holds SET state = 'open', lease_until = now() + interval '1 minute' WHERE id = $1`, [settled]);
  expect(await broken()).toEqual(['I2', 'I4', 'I4', 'I6']);
});

test('I5: a call that is billed twice is named', async () => {
  await db.query(
    `INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, amount, period_ids)
     SELECT tenant_id, call_id, attempt, kind, admitted_at + interval '1 second', booked_at, 0, '{}' FROM ledger_entries WHERE kind = 'overrun'`,
  );
  expect(await breaches()).toEqual(
    expect.arrayContaining([
      { invariant: 'I5', message: expect.stringMatching(/^Call_\w{32} of ten_\w{32} has 2 entries of kind overrun for attempt 1/) },
    ]),
  );
});

test('I6: a call that used something and is not billed is named', async () => {
  await db.query(`DELETE FROM ledger_entries WHERE kind = 'usage'`);
  await db.query('UPDATE budget_periods SET spent = 50, provider_cost = 0');
  expect(await breaches()).toEqual([{ invariant: 'I6', message: expect.stringContaining(`${publicCall(settled)}`) }]);
});

test('I6: a call that used nothing and is billed is named', async () => {
  await db.query(
    `INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, amount, period_ids)
     SELECT tenant_id, id, 1, 'usage', created_at, now(), 0, '{}' FROM holds WHERE state = 'voided'`,
  );
  expect(await breaches()).toEqual([{ invariant: 'I6', message: expect.stringContaining('is voided, but it has 1 usage entries') }]);
});

test('I6: a call that the platform pays for, of a lost gateway, that is booked below its hold is named, until its truth is known', async () => {
  const lent = holdRequest(tenant, 100n);
  lent.context.lent = true;
  const dead = randomUUID();
  await ledger.hold(dead, [lent]);
  await ledger.expireGateway(dead, [lent.id]);
  await ledger.reap(10);
  const { breaches: none, lost } = await auditor.audit('full');
  expect(none).toEqual([]);
  expect(lost).toEqual({ calls: 1, booked: '0.0000001', held: '0.0000001' });
  await db.query('UPDATE ledger_entries SET amount = 90 WHERE call_id = $1', [lent.id]);
  await db.query('UPDATE budget_periods SET spent = spent - 10');
  expect(await breaches()).toEqual([
    {
      invariant: 'I6',
      message: expect.stringMatching(/its gateway was lost, but it is booked at \$0\.00000009 instead of the \$0\.0000001 /),
    },
  ]);
  await ledger.settle(encoded([settlement(lent.id, 40n)]));
  expect(await breaches()).toEqual([]);
  expect((await auditor.audit('full')).lost.calls).toBe(0);
});

test('I6: an entry for a call that never was is named', async () => {
  await db.query(
    `INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, amount, period_ids)
     VALUES ($1, gen_random_uuid(), 1, 'late', now(), now(), 7, '{}')`,
    [tenant],
  );
  expect(await breaches()).toEqual([{ invariant: 'I6', message: expect.stringContaining('kind late over $0.000000007') }]);
});

test('I7: a hold that nobody reaps is named, once its lease is over for a minute', async () => {
  await db.query(`UPDATE holds SET created_at = created_at - interval '1 hour', lease_until = now() - interval '50 s' WHERE id = $1`, [
    open,
  ]);
  expect(await breaches()).toEqual([]);
  await db.query(`UPDATE holds SET lease_until = now() - interval '70 s' WHERE id = $1`, [open]);
  expect(await breaches()).toEqual([{ invariant: 'I7', message: expect.stringContaining(publicCall(open)) }]);
});

test('I7: money that is held for no call is named', async () => {
  await ledger.settle(encoded([settlement(open, 1n)]));
  await db.query('UPDATE budget_periods SET held = 5');
  expect(await breaches()).toEqual([
    { invariant: 'I2', message: expect.any(String) },
    { invariant: 'I7', message: expect.stringContaining('holds $0.000000005, but nothing of it is in flight.') },
  ]);
});

test('calls that are held, booked and lost while an audit looks break nothing', async () => {
  let done = false;
  const traffic = async () => {
    for (let i = 0; i < 150; i++) {
      const request = holdRequest(tenant, 1n);
      if ((await ledger.hold(GATEWAY, [request]))[0]!.verdict === 'held')
        await ledger.settle(encoded([settlement(request.id, BigInt(i % 3))]));
    }
  };
  const audits = (async () => {
    let count = 0;
    for (; !done; count++) for (const depth of ['full', 'recent'] as Depth[]) expect((await auditor.audit(depth)).breaches).toEqual([]);
    return count;
  })();
  await Promise.all([traffic(), traffic()]);
  done = true;
  expect(await audits).toBeGreaterThan(3);
});

test('a recent audit leaves out what was closed long ago; a full one does not', async () => {
  await db.query(`UPDATE budget_periods SET spent = 7, closed_at = now() - interval '1 hour'`);
  expect((await auditor.audit('recent')).breaches).toEqual([]);
  expect((await auditor.audit('full')).breaches).toHaveLength(1);
});

test('amounts beyond 2^53 nano-dollars are told exactly', async () => {
  await db.query('UPDATE budget_periods SET spent = 9007199254740993, limit_nano = 9007199254740999');
  expect((await breaches())[0]!.message).toContain('$9007199.254740993');
});

describe('the watch', () => {
  const events = async () =>
    (await db.query(`SELECT tenant_id, payload ->> 'invariant' AS invariant FROM outbox WHERE kind = 'ledger.audit_failed'`)).rows;
  const gauge = async (metrics: Metrics, name: string) => (await metrics.registry.getSingleMetric(name)!.get()).values[0]!.value;
  const watch = () => {
    const metrics = new Metrics();
    const watcher = new Auditor(new AuditRepository(pool), metrics, createLogger('silent'));
    return {
      metrics,
      run: async () => {
        while ((await watcher.watch()) === null) await new Promise((resolve) => setTimeout(resolve, 5));
      },
    };
  };

  test('tells a breach to the outbox once, and shows it until it is repaired', async () => {
    const { metrics, run } = watch();
    await run();
    const first = await gauge(metrics, 'weir_audit_last_success_timestamp_seconds');
    expect(Math.abs(first - Date.now() / 1000)).toBeLessThan(5);
    await db.query('UPDATE budget_periods SET spent = 0');
    await run();
    await run();
    await watch().run();
    expect(await events()).toEqual([{ tenant_id: tenant, invariant: 'I1' }]);
    expect(await gauge(metrics, 'weir_audit_breaches')).toBe(1);
    await db.query('UPDATE budget_periods SET spent = 150');
    await run();
    expect(await gauge(metrics, 'weir_audit_breaches')).toBe(0);
    expect(await gauge(metrics, 'weir_audit_last_success_timestamp_seconds')).toBeGreaterThan(first);
  });

  test('waits for the reaper before it calls an old lease a breach', async () => {
    await moveClock(db, '10 minutes');
    const { run } = watch();
    await run();
    expect(await events()).toEqual([]);
    await run();
    expect(await events()).toEqual([{ tenant_id: tenant, invariant: 'I7' }]);
  });

  test('rests twenty times as long as it took', async () => {
    const auditor = new Auditor(new AuditRepository(pool), new Metrics(), createLogger('silent'));
    const { tookMs } = (await auditor.watch())!;
    const startedAt = performance.now();
    while ((await auditor.watch()) === null) await new Promise((resolve) => setTimeout(resolve, 1));
    expect(performance.now() - startedAt).toBeGreaterThan(19 * tookMs);
  });
});
