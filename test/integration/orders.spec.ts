import { randomUUID } from 'node:crypto';
import type { Pool } from 'pg';
import type { HoldRequest } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool } from '../../src/platform/postgres/index.js';
import { BudgetsRepository } from '../../src/quotas/budgets.repository.js';
import { BudgetsService } from '../../src/quotas/budgets.service.js';
import { SetClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';
import { Random } from '../support/random.js';

jest.setTimeout(3_600_000);

/** How many orders are tried, or `all`. */
const ORDERS = process.env['FAULT_ORDERS'] ?? '150';

/** Which part of them, e.g. `2/4`: several processes share a long run, each with a Postgres of its own. */
const [PART = 1, PARTS = 1] = (process.env['FAULT_PART'] ?? '1/1').split('/').map(Number);

interface Step {
  name: string;
  run(): Promise<unknown>;
}

let database: TestDatabase;
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;
let budgets: BudgetsService;
let clock: SetClock;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  clock = await SetClock.install(db, new Date('2026-11-20T12:00:00Z'));
  // One partition is as good as the months of a year here, and every statement is planned for one instead of for twelve.
  await db.query(
    'CREATE TABLE calls_default PARTITION OF calls DEFAULT; CREATE TABLE ledger_entries_default PARTITION OF ledger_entries DEFAULT',
  );
  pool = createPool(database.url, { max: 1, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  ledger = new LedgerRepository(pool);
  budgets = new BudgetsService(new BudgetsRepository(pool));
});

afterAll(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

/** A tenant with a budget of 100 per minute, and three who work on it. What one step does is committed before the next begins. */
class World {
  private readonly calls: Record<'settled' | 'voided' | 'lost' | 'open', HoldRequest>;
  private readonly gateways = { alive: randomUUID(), dies: randomUUID() };
  /** What the next call may be held for, as Postgres said after the last step. */
  private headroom = 100n;

  private constructor(
    private readonly tenantId: string,
    private readonly budgetId: string,
  ) {
    const call = (amount: bigint) => holdRequest(tenantId, amount);
    this.calls = { settled: call(60n), voided: call(50n), lost: call(45n), open: call(30n) };
  }

  static async create(): Promise<World> {
    const tenantId = await insertTenant(db, []);
    const terms = { limit: 100n, periodKind: 'minute', timezone: 'UTC', mode: 'deny', externalId: null, metadata: {} };
    const { id } = await budgets.create({ tenantId, scopeKind: 'tenant', scopeValue: tenantId, ...terms });
    return new World(tenantId, id);
  }

  /** Each actor's steps keep their order; how they mix is what is tried. */
  actors(): Step[][] {
    const { alive, dies } = this.gateways;
    return [
      [
        { name: 'hold 60', run: () => this.hold(alive, this.calls.settled) },
        { name: 'settle it for 70, twice', run: () => this.settle(this.calls.settled.id, 70n, 70n) },
        { name: 'hold 50', run: () => this.hold(alive, this.calls.voided) },
        { name: 'void it', run: () => this.settle(this.calls.voided.id, null) },
      ],
      [
        { name: 'another gateway holds 45', run: () => this.hold(dies, this.calls.lost) },
        { name: 'that gateway dies and its holds expire', run: () => this.expire(dies) },
        { name: 'the truth comes late: 40', run: () => this.settle(this.calls.lost.id, 40n) },
        { name: 'its successor holds 30', run: () => this.hold(alive, this.calls.open) },
      ],
      [
        { name: 'lower the limit to 50', run: () => budgets.update(this.tenantId, this.budgetId, { limit: 50n }, null) },
        { name: 'the period ends', run: () => clock.move(60) },
        { name: 'the worker rolls it', run: () => budgets.rollPeriods() },
        { name: 'raise the limit to 120', run: () => budgets.update(this.tenantId, this.budgetId, { limit: 120n }, null) },
      ],
    ];
  }

  /** What is wrong at this point; empty: nothing. */
  async audit(): Promise<string[]> {
    const { rows } = await pool.query<{ broken: string[]; headroom: bigint }>({
      name: 'audit_point',
      text: POINT,
      values: [this.tenantId, Object.values(this.calls).map(({ id }) => id)],
    });
    this.headroom = rows[0]!.headroom;
    return rows[0]!.broken;
  }

  /** Nothing is in flight any more: everything held must have come back. Leaves no work for what comes after it. */
  async end(): Promise<string[]> {
    await db.query({
      name: 'delete_budget',
      text: 'UPDATE budgets SET deleted_at = weir_now() WHERE tenant_id = $1',
      values: [this.tenantId],
    });
    await clock.move(120);
    await ledger.reap(10);
    await this.expire(this.gateways.alive); // known to be gone, it books nothing more
    await budgets.rollPeriods();
    const { rows } = await db.query<{ held: bigint; unclosed: bigint; periods: bigint; wrong: bigint }>({
      name: 'end',
      text: END,
      values: [this.tenantId, Object.values(this.calls).map(({ id }) => id), TRUTHS],
    });
    const { held, unclosed, periods, wrong } = rows[0]!;
    // The second minute has a period where it was used, or where the first was and the worker came.
    if (held === 0n && unclosed === 0n && periods >= 1n && periods <= 2n && wrong === 0n) return this.audit();
    return [`${held} is held, ${unclosed} of ${periods} periods are open, ${wrong} calls cost something else than they should`];
  }

  private async hold(gateway: string, request: HoldRequest): Promise<void> {
    const [answer] = await ledger.hold(gateway, [request]);
    const fits = request.amount! <= this.headroom;
    if ((answer!.verdict === 'held') !== fits)
      throw new Error(`${request.amount} was answered with ${answer!.verdict}, and ${this.headroom} was left`);
  }

  private async settle(id: string, ...amounts: (bigint | null)[]): Promise<void> {
    for (const amount of amounts)
      await ledger.settle(encoded([settlement(id, amount, amount === null ? { state: 'voided', status: 'failed' } : {})]));
  }

  private async expire(gateway: string): Promise<void> {
    await ledger.expireGateway(gateway, [this.calls.lost.id]);
    await ledger.reap(10);
  }
}

/** What each call must have cost in the end, if it was held at all. The last is left to the reaper, who books all that is held. */
const TRUTHS = [70n, 0n, 40n, 30n];
const END = `
  SELECT sum(held)::bigint AS held, count(*) FILTER (WHERE closed_at IS NULL) AS unclosed, count(*) AS periods,
    (SELECT count(*) FROM unnest($2::uuid[], $3::bigint[]) AS c (id, truth) JOIN holds h ON h.id = c.id
      WHERE c.truth <> (SELECT coalesce(sum(l.amount), 0) FROM ledger_entries l WHERE l.tenant_id = $1 AND l.call_id = c.id)) AS wrong
  FROM budget_periods WHERE tenant_id = $1`;

/** I1 to I4 and I6 of one tenant, and what its next call may be held for. */
const POINT = `
  WITH entry AS (
    SELECT u.id, l.kind, l.amount FROM ledger_entries l CROSS JOIN LATERAL unnest(l.period_ids) AS u (id) WHERE l.tenant_id = $1
  ), hold AS (
    SELECT * FROM holds WHERE id = ANY ($2)
  ), figure AS (
    SELECT p.*, (SELECT coalesce(sum(e.amount), 0) FROM entry e WHERE e.id = p.id) AS booked,
      (SELECT coalesce(sum(e.amount), 0) FROM entry e WHERE e.id = p.id AND e.kind = 'overrun') AS above,
      (SELECT coalesce(sum(h.amount), 0) FROM hold h WHERE h.state = 'open' AND p.id = ANY (h.period_ids))
        + (SELECT coalesce(sum(a.amount), 0) FROM held_apart a WHERE p.id = ANY (a.period_ids)) AS open
    FROM budget_periods p WHERE p.tenant_id = $1
  ), broken AS (
    SELECT format('I1: %s is spent, %s booked', spent, booked) AS what FROM figure WHERE spent <> booked
    UNION ALL SELECT format('I2: %s is held, by holds of %s', held, open) FROM figure WHERE held <> open
    UNION ALL SELECT format('I3: %s and %s of %s, and %s above', spent, held, limit_nano, above) FROM figure
      WHERE spent + held > greatest(limit_nano, most_allowed) + above
    UNION ALL SELECT format('I4: a hold that is %s has the wrong number of calls', state) FROM hold h
      WHERE (SELECT count(*) FROM calls c WHERE c.tenant_id = $1 AND c.id = h.id) <> (state <> 'open')::integer
    UNION ALL SELECT format('I6: a hold that is %s has the wrong number of entries', state) FROM hold h
      WHERE (SELECT count(*) FROM ledger_entries l WHERE l.tenant_id = $1 AND l.call_id = h.id AND l.kind = 'usage') <> (state IN ('settled', 'expired'))::integer
    UNION ALL SELECT 'periods overlap' FROM figure p JOIN figure q ON p.id < q.id AND p.starts_at < q.ends_at AND q.starts_at < p.ends_at
  )
  SELECT ARRAY(SELECT what FROM broken) AS broken, coalesce(
    (SELECT limit_nano - spent - held FROM figure WHERE starts_at <= weir_now() AND ends_at > weir_now()),
    (SELECT limit_nano FROM budgets WHERE tenant_id = $1)) AS headroom`;

/** Every way to mix so many steps of each actor, as the numbers of the actors. */
function* mixes(left: number[], order: number[] = []): Generator<number[]> {
  if (left.every((steps) => steps === 0)) yield order;
  for (const [actor, steps] of left.entries()) {
    if (steps > 0) yield* mixes(left.with(actor, steps - 1), [...order, actor]);
  }
}

/** So many different ones of them, each as likely as any other. */
function sampleOf<T>(all: T[], size: number, random: Random): T[] {
  for (let i = 0; i < size; i++) {
    const j = random.int(i, all.length - 1);
    [all[i], all[j]] = [all[j]!, all[i]!];
  }
  return all.slice(0, size);
}

/** What goes wrong with the steps in this order; null: nothing. */
async function faultIn(order: number[]): Promise<string | null> {
  const world = await World.create();
  const actors = world.actors();
  const done: string[] = [];
  try {
    for (const actor of order) {
      const step = actors[actor]!.shift()!;
      done.push(step.name);
      await step.run();
      const broken = await world.audit();
      if (broken.length > 0) throw new Error(broken.join('; '));
    }
    done.push('the end');
    const broken = await world.end();
    if (broken.length > 0) throw new Error(broken.join('; '));
    return null;
  } catch (error) {
    return `${done.join(' → ')}: ${(error as Error).message}`;
  }
}

test('in whatever order holds, settlements, voids, expiries, new limits and a new period are committed, every invariant holds after each of them', async () => {
  const all = [...mixes([4, 4, 4])];
  expect(all).toHaveLength(34_650);
  const chosen = ORDERS === 'all' ? all : sampleOf(all, Math.min(Number(ORDERS), all.length), Random.ofRun('orders'));
  const orders = chosen.filter((_, i) => i % PARTS === PART - 1);
  const faults: string[] = [];
  for (const order of orders) {
    const fault = await faultIn(order);
    if (fault) faults.push(fault);
    if (faults.length === 5) break;
  }
  process.stderr.write(`orders: ${orders.length} tried\n`);
  expect(faults).toEqual([]);
  expect(await brokenInvariants(db)).toEqual([]);
});
