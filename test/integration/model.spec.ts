import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import type { Pool } from 'pg';
import { NO_USAGE } from '../../src/kernel/usage.js';
import { encodeWithHold } from '../../src/ledger/encode-settlement.js';
import type { Checkpoint, HoldAnswer, HoldRequest, Settlement } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { BudgetsRepository } from '../../src/quotas/budgets.repository.js';
import { BudgetsService } from '../../src/quotas/budgets.service.js';
import { SetClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';
import { DEADLINE_SECONDS, LedgerModel, type Rate, type Terms } from '../support/ledger-model.js';
import { Random, sizeOf } from '../support/random.js';

jest.setTimeout(3_600_000);

const RUNS = sizeOf('MODEL_RUNS', 6);
const STEPS = sizeOf('MODEL_STEPS', 200);

const NOON = Date.UTC(2026, 10, 20, 12);
const GATEWAYS = { a: randomUUID(), b: randomUUID() };
type Gateway = keyof typeof GATEWAYS;

/** The tenant is named `t` here and by its id in Postgres. */
const BUDGETS: Terms[] = [
  { kind: 'tenant', value: 't', limit: 900n, hard: true, seconds: 86_400, window: null },
  { kind: 'tenant', value: 't', limit: 60n, hard: false, seconds: 3_600, window: null },
  { kind: 'end_user', value: '*', limit: 200n, hard: true, seconds: 3_600, window: null },
  { kind: 'end_user', value: 'ann', limit: 150n, hard: true, seconds: null, window: 3_600 },
  { kind: 'project', value: 'p', limit: 700n, hard: true, seconds: null, window: null },
];
const RATES: Rate[] = [
  { kind: 'tenant', value: 't', requests: 8, tokens: null, concurrency: 7 },
  { kind: 'end_user', value: '*', requests: null, tokens: 900, concurrency: 4 },
];
const SCOPES = [
  { kind: 'tenant', value: 't' },
  { kind: 'end_user', value: 'ann' },
  { kind: 'end_user', value: 'bob' },
  { kind: 'project', value: 'p' },
];

let database: TestDatabase;
let db: Pool;
let pool: Pool;
let ledger: LedgerRepository;
let budgets: BudgetsService;
let clock: SetClock;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  clock = await SetClock.install(db, new Date(NOON));
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  pool = createPool(database.url, { max: 4, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  ledger = new LedgerRepository(pool);
  budgets = new BudgetsService(new BudgetsRepository(pool));
});

afterEach(async () => expect(await brokenInvariants(db)).toEqual([]));

afterAll(async () => {
  await Promise.all([db.end(), pool.end()]);
  await database.drop();
});

/** The ledger in Postgres, for one tenant with the budgets and limits of the model. */
class Reality {
  readonly requests = new Map<string, HoldRequest>();
  readonly told = new Set<string>();

  private constructor(
    readonly tenantId: string,
    readonly budgetIds: string[],
    private readonly limitIds: string[],
  ) {}

  static async create(): Promise<Reality> {
    await db.query('DELETE FROM gateways'); // its clock begins anew
    const tenantId = await insertTenant(db, []);
    const named = ({ value }: { value: string }) => (value === 't' ? tenantId : value);
    const budgetIds: string[] = [];
    for (const terms of BUDGETS) {
      const periodKind = terms.window ? 'rolling' : terms.seconds === null ? 'lifetime' : terms.seconds === 3_600 ? 'hour' : 'day';
      const scope = { tenantId, scopeKind: terms.kind, scopeValue: named(terms), limit: terms.limit, periodKind, timezone: 'UTC' };
      const rest = {
        mode: terms.hard ? 'deny' : 'observe',
        externalId: null,
        metadata: {},
        ...(terms.window && { windowSeconds: terms.window }),
      };
      budgetIds.push((await budgets.create({ ...scope, ...rest })).id);
    }
    const limitIds = RATES.map(() => randomUUID());
    for (const [i, rate] of RATES.entries()) {
      await db.query(
        `INSERT INTO limits (tenant_id, id, scope_kind, scope_value, requests_per_minute, tokens_per_minute, concurrency) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [tenantId, limitIds[i], rate.kind, named(rate), rate.requests, rate.tokens, rate.concurrency],
      );
    }
    return new Reality(tenantId, budgetIds, limitIds);
  }

  /** As the model names it. */
  nameOf(value: string): string {
    return value === this.tenantId ? 't' : value;
  }

  valueOf(name: string): string {
    return name === 't' ? this.tenantId : name;
  }

  /** Of each period and counter, by the model's name for it: its figures. */
  async state(): Promise<Map<string, string>> {
    const { rows } = await db.query<{ owner: string; value: string; start: number | null; figures: string }>({
      name: 'state',
      text: STATE,
      values: [this.tenantId],
    });
    const key = ({ owner, value, start }: (typeof rows)[number]) => {
      const budget = this.budgetIds.indexOf(owner);
      const at = BUDGETS[budget]?.seconds === null ? 'ever' : start;
      return at === null ? `limit ${this.limitIds.indexOf(owner)} ${this.nameOf(value)}` : `budget ${budget} ${this.nameOf(value)} ${at}`;
    };
    return new Map(rows.map((row) => [key(row), row.figures]));
  }

  /** As a gateway does: a call of which there is no hold is booked by what was held. */
  async settle(end: Settlement, admittedAt: number): Promise<void> {
    const settlements = encoded([end]);
    const whole = new Map([[end.id, encodeWithHold(settlements.get(end.id)!, this.requests.get(end.id)!, admittedAt * 1000)]]);
    if ((await ledger.settle(settlements)).size === 0) expect(await ledger.bookUnheld(GATEWAYS.a, whole)).toMatchObject({ held: [] });
  }

  /** A failover to a server that has not heard of the hold. */
  async lose(id: string): Promise<void> {
    await db.query(
      `WITH gone AS (DELETE FROM holds WHERE id = $1 RETURNING *),
         counted AS (UPDATE limit_counters c SET open = c.open - 1 FROM gone g WHERE c.id = ANY (g.counter_ids))
       UPDATE budget_periods p SET held = p.held - coalesce(g.amount, 0) FROM gone g WHERE p.id = ANY (g.period_ids)`,
      [id],
    );
  }

  /** Nothing is in flight any more, and no budget makes work for those who come after. Answers what is held all the same. */
  async end(): Promise<bigint> {
    const open = [...this.requests.keys()].map((id) => settlement(id, null, { state: 'voided' }));
    await ledger.settle(encoded(open));
    await db.query('UPDATE budgets SET deleted_at = weir_now() WHERE tenant_id = $1', [this.tenantId]);
    const { rows } = await db.query('SELECT coalesce(sum(held), 0)::bigint AS held FROM budget_periods WHERE tenant_id = $1', [
      this.tenantId,
    ]);
    return rows[0].held;
  }
}

const STATE = `
  SELECT budget_id AS owner, scope_value AS value, extract(epoch FROM starts_at)::float8 AS start,
    format('limit %s granted %s spent %s held %s', limit_nano, granted, spent, held) AS figures
  FROM budget_periods WHERE tenant_id = $1
  UNION ALL
  SELECT limit_id, scope_value, NULL, format('requests %s tokens %s open %s', (SELECT sum(v) FROM unnest(${sqlFunction('ring_at')}(requests, second, now)) AS r (v)),
    (SELECT sum(v) FROM unnest(${sqlFunction('ring_at')}(tokens, second, now)) AS r (v)), open)
  FROM limit_counters, floor(extract(epoch FROM weir_now())) AS f (second_now), LATERAL (SELECT second_now::bigint AS now) AS n WHERE tenant_id = $1`;
/** What the worker opens ahead of time; the model knows nothing of it yet. */
const UNTOUCHED = /^limit \d+ granted 0 spent 0 held 0$/;

/** One thing that happens, to the model and in Postgres; afterwards both are in the same state. */
class Step implements fc.AsyncCommand<LedgerModel, Reality> {
  constructor(
    private readonly name: string,
    private readonly happen: (model: LedgerModel, reality: Reality) => Promise<unknown>,
    private readonly needsHold = false,
  ) {}

  check(model: Readonly<LedgerModel>): boolean {
    return !this.needsHold || model.holds.size > 0;
  }

  async run(model: LedgerModel, reality: Reality): Promise<void> {
    await this.happen(model, reality);
    const expected = model.state();
    const found = [...(await reality.state())].filter(([key, figures]) => expected.has(key) || !UNTOUCHED.test(figures));
    const lines = (state: Iterable<[string, string]>) => [...state].map((entry) => entry.join(': ')).sort();
    expect(lines(found)).toEqual(lines(expected));
  }

  toString(): string {
    return this.name;
  }
}

const amounts = fc.oneof({ weight: 19, arbitrary: fc.bigInt(0n, 60n) }, { weight: 1, arbitrary: fc.constant(null) });
const gateways = fc.constantFrom<Gateway>('a', 'b');
const someBudget = fc.nat(BUDGETS.length - 1);
const calls = fc.record({
  amount: amounts,
  tokens: fc.integer({ min: 0, max: 300 }),
  scopes: fc.subarray(SCOPES, { minLength: 1 }),
});

/** As gateways make it, at this second. */
const idAt = (seconds: number): string => {
  const time = (seconds * 1000).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
};

const pickHold = (model: LedgerModel, index: number): string => [...model.holds.keys()].at(-1 - (index % model.holds.size))!;
/** What its gateway tells of a call that has made so much output: never more than is held. */
function toldOf(output: number, held: bigint | null): Checkpoint {
  const cost = BigInt(10 + 2 * output);
  return { inputTokens: 10, outputTokens: output, amount: held !== null && cost > held ? held : held && cost };
}
/** Mostly calls of the last moments; all of them now and then. */
const recent = fc.oneof({ weight: 4, arbitrary: fc.nat(7) }, { weight: 1, arbitrary: fc.nat(1_000) });

async function admit(model: LedgerModel, reality: Reality, gateway: Gateway, ids: string[]): Promise<void> {
  const answers = await ledger.hold(
    GATEWAYS[gateway],
    ids.map((id) => reality.requests.get(id)!),
  );
  for (const [i, id] of ids.entries()) {
    const { amount, tokens, scopes } = reality.requests.get(id)!;
    const named = scopes.map(({ kind, value }) => ({ kind, value: reality.nameOf(value) }));
    const expected = model.admit({ id, gateway, amount, tokens, scopes: named });
    expect(expected.answers).toContain(wordsOf(answers[i]!, reality));
    if (answers[i]!.verdict === 'held') expect(answers[i]!.remaining).toBe(expected.remaining);
  }
}

function wordsOf({ verdict, denial, limitDenial }: HoldAnswer, reality: Reality): string {
  const named = denial ?? limitDenial;
  return named ? `${verdict} ${named.scopeKind} ${reality.nameOf(named.scopeValue)}` : verdict;
}

/** Which counter of a budget is meant; of a template that of either end user. */
const counterOf = (budget: number, other: boolean): string =>
  BUDGETS[budget]!.value === '*' ? (other ? 'bob' : 'ann') : BUDGETS[budget]!.value;

const admission = fc.tuple(gateways, fc.array(calls, { minLength: 1, maxLength: 4 })).map(
  ([gateway, batch]) =>
    new Step(
      `${gateway} holds ${batch.map(({ amount, scopes }) => `${amount} on ${scopes.map(({ value }) => value)}`).join(', ')}`,
      async (model, reality) => {
        const requests = batch.map(({ amount, tokens, scopes }) => ({
          ...holdRequest(
            reality.tenantId,
            amount,
            scopes.map(({ kind, value }) => ({ kind, value: reality.valueOf(value) })),
          ),
          id: idAt(model.now),
          tokens,
          context: { ...holdRequest(reality.tenantId, amount).context, deadline_ms: DEADLINE_SECONDS * 1_000, output_tokens: tokens },
        }));
        for (const request of requests) reality.requests.set(request.id, request);
        await admit(
          model,
          reality,
          gateway,
          requests.map(({ id }) => id),
        );
      },
    ),
);

const repetition = recent.map(
  (index) =>
    new Step(
      `the hold ${index} back is repeated`,
      (model, reality) => {
        const id = pickHold(model, index);
        return admit(model, reality, model.holds.get(id)!.gateway as Gateway, [id]);
      },
      true,
    ),
);

const ending = fc.tuple(recent, fc.option(fc.bigInt(0n, 90n)), fc.nat(200)).map(
  ([index, cost, output]) =>
    new Step(
      cost === null ? `the call ${index} back is voided` : `the call ${index} back has cost ${cost}`,
      async (model, reality) => {
        const id = pickHold(model, index);
        const usage = { ...NO_USAGE, input: 10, output: cost === null ? 0 : output };
        const end = settlement(id, cost, { usage, ...(cost === null && { state: 'voided' }) });
        await reality.settle(end, model.holds.get(id)!.counted.at);
        model.settle(id, cost ?? 0n, usage.input + usage.output);
      },
      true,
    ),
);

const loss = recent.map(
  (index) =>
    new Step(
      `the hold ${index} back is lost in a failover`,
      async (model, reality) => {
        const id = pickHold(model, index);
        if (model.holds.get(id)!.state !== 'open') return;
        await reality.lose(id);
        model.lose(id);
      },
      true,
    ),
);

const beat = fc.tuple(recent, fc.option(fc.nat(20))).map(
  ([index, output]) =>
    new Step(
      `the call ${index} back has ${output === null ? 'an output that says nothing' : `seen ${output} tokens`}`,
      async (model) => {
        const id = pickHold(model, index);
        const told = output === null ? null : toldOf(output, model.holds.get(id)!.amount);
        await ledger.heartbeat([{ id, isSent: true, checkpoint: told, attempts: [] }]);
        model.beat(id, told && { cost: told.amount ?? 0n, tokens: told.inputTokens + told.outputTokens });
      },
      true,
    ),
);

const death = fc.tuple(gateways, fc.array(fc.boolean(), { minLength: 8, maxLength: 8 })).map(
  ([gateway, marks]) =>
    new Step(`${gateway} dies`, async (model) => {
      const sent = model
        .openHolds()
        .filter((_, i) => marks[i % marks.length])
        .map(({ id }) => id);
      await ledger.expireGateway(GATEWAYS[gateway], sent);
      model.die(gateway, sent);
    }),
);

const reaping = fc.constant(
  new Step('the reaper comes', async (model) => {
    await ledger.reap(256);
    model.reap();
  }),
);

const passing = fc
  .oneof(
    fc.integer({ min: 1, max: 5 }),
    fc.integer({ min: 10, max: 70 }),
    // What ends just then: a lease, a call, the minute of a limit, a window.
    fc.constantFrom(30, 55, 56, 60, 61, 3_540, 3_600, 3_660),
    fc.integer({ min: 60, max: 4_000 }),
    fc.integer({ min: 80_000, max: 90_000 }),
  )
  .map(
    (seconds) =>
      new Step(`${seconds} seconds pass`, async (model) => {
        await clock.move(seconds);
        model.now += seconds;
      }),
  );

const rolling = fc.constant(
  new Step('the worker rolls periods', async (_, reality) => {
    for (const { event, period_id } of await budgets.rollPeriods()) {
      const told = `${event} ${period_id}`;
      expect(reality.told).not.toContain(told);
      reality.told.add(told);
    }
  }),
);

const change = fc.tuple(someBudget, fc.bigInt(0n, 1_200n), fc.boolean()).map(
  ([index, limit, deny]) =>
    new Step(`budget ${index} is changed to ${limit}${deny ? '' : ', without denying'}`, async (model, reality) => {
      const hard = deny || index % 2 === 0;
      await budgets.update(reality.tenantId, reality.budgetIds[index]!, { limit, mode: hard ? 'deny' : 'observe' }, null);
      model.change(model.budgets[index]!, { limit, hard });
    }),
);

const granting = fc.tuple(someBudget, fc.bigInt(1n, 60n), fc.boolean()).map(
  ([index, amount, other]) =>
    new Step(`budget ${index} is granted ${amount}`, async (model, reality) => {
      const name = counterOf(index, other);
      await budgets.grant(reality.tenantId, reality.budgetIds[index]!, reality.valueOf(name), amount, 'ops', null);
      model.grant(model.budgets[index]!, name, amount);
    }),
);

const reset = fc.tuple(someBudget, fc.boolean()).map(
  ([index, other]) =>
    new Step(`budget ${index} is reset`, async (model, reality) => {
      const name = counterOf(index, other);
      await budgets.reset(reality.tenantId, reality.budgetIds[index]!, 'ops', null, reality.valueOf(name));
      model.reset(model.budgets[index]!, name);
    }),
);

/** Calls come and end far more often than anybody changes a budget. */
const STEPS_OF_A_DAY = [
  ...Array(6).fill(admission),
  ...Array(6).fill(ending),
  ...Array(2).fill(beat),
  ...Array(3).fill(passing),
  ...[repetition, loss, death, reaping, rolling, change, granting, reset],
] as fc.Arbitrary<Step>[];

test('whatever happens in whatever order, budgets, periods, limits and holds are as the model of them says, and so is every answer', async () => {
  const { seed } = Random.ofRun('model');
  let steps = 0;
  await fc.assert(
    fc.asyncProperty(fc.commands(STEPS_OF_A_DAY, { maxCommands: STEPS, size: 'max' }), async (commands) => {
      await clock.set(new Date(NOON));
      const reality = await Reality.create();
      const model = new LedgerModel(
        BUDGETS.map((terms) => ({ ...terms })),
        RATES,
        NOON / 1000,
      );
      await fc.asyncModelRun(() => ({ model, real: reality }), commands);
      steps += [...commands].length;
      expect(await reality.end()).toBe(0n);
    }),
    { numRuns: RUNS, seed },
  );
  process.stderr.write(`model: ${RUNS} runs, ${steps} steps\n`);
});
