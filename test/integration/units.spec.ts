// First: what follows the table is imported after it.
import '../support/made-up-unit.js';
import { randomUUID } from 'node:crypto';
import { CallObject, CallsRepository, ReportsRepository, renderCall } from '../../src/calls/index.js';
import { renderPrice } from '../../src/control/prices/render.js';
import { CreatePrice, PriceObject, ratesOf } from '../../src/control/prices/schema.js';
import { renderUsage } from '../../src/control/usage/render.js';
import { UsagePage } from '../../src/control/usage/schema.js';
import { inputTotal, NO_USAGE, showUsage, type Usage } from '../../src/kernel/usage.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { costOf, loadRates, storeRates, worstCaseCost } from '../../src/prices/index.js';
import { createDatabase, openPool } from '../support/database.js';
import { brokenInvariants, encoded, holdRequest, insertTenant, settlement } from '../support/ledger.js';
import { MADE_UP } from '../support/made-up-unit.js';

const WRITTEN = 1_000_000;
const USAGE = { ...NO_USAGE, input: 1_000_000, [MADE_UP.field]: WRITTEN, output: 1_000_000 } as Usage;
const GIVEN = { provider: 'p', model: 'm', input: '1', output: '2' };

const ratesGiven = (given: object) => ratesOf(CreatePrice.parse({ ...GIVEN, ...given }));
const priceAt = (rates: ReturnType<typeof ratesOf>) => ({
  id: randomUUID(),
  tenantId: null,
  provider: 'p',
  model: 'm',
  rates,
  tiers: [],
  source: 'operator',
  notes: null,
  effectiveAt: new Date(0),
  createdAt: new Date(0),
});

test('a unit that is a row of the table is priced, alone or by what it falls back to', () => {
  expect(inputTotal(USAGE)).toBe(2_000_000);
  const rates = ratesGiven({ cache_write_1w: '4' });
  expect(costOf(USAGE, rates)).toBe(7_000_000_000n);
  expect(costOf(USAGE, ratesGiven({ cache_write_1h: '3' }))).toBe(6_000_000_000n);
  // The most that input can cost is all of it in the new unit.
  expect(worstCaseCost(priceAt(rates), 2_000_000, 1_000_000)).toBe(10_000_000_000n);

  const stored = storeRates(rates);
  expect(stored).toMatchObject({ [MADE_UP.rate.stored]: 4_000_000_000 });
  expect(loadRates(stored)).toEqual(rates);
  // A price from before the unit was known.
  const { [MADE_UP.rate.stored as 'input']: _, ...older } = stored;
  expect(costOf(USAGE, loadRates(older as typeof stored))).toBe(4_000_000_000n);
  expect(PriceObject.parse(renderPrice(priceAt(rates), null))).toMatchObject({ [MADE_UP.rate.api]: '4.00' });
});

test('it is booked, corrected by the truth that comes late, and reported, with no migration', async () => {
  const database = await createDatabase();
  const db = openPool(database.url);
  const pool = createPool(database.url, { max: 2, statementTimeoutMs: 10_000, name: 'test' });
  try {
    await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
    const [ledger, calls] = [new LedgerRepository(pool), new CallsRepository(pool)];
    const rates = ratesGiven({ cache_write_1w: '4' });
    const amount = costOf(USAGE, rates);
    const tenant = await insertTenant(db, [{ limit: 100_000_000_000n }]);
    const [settled, lost, gateway] = [holdRequest(tenant, 10_000_000_000n), holdRequest(tenant, 10_000_000_000n), randomUUID()];
    await ledger.hold(gateway, [settled, lost]);
    const ends = [settled, lost].map(({ id }) => settlement(id, amount, { usage: USAGE, rates: storeRates(rates) }));
    await ledger.settle(encoded([ends[0]!]));
    await ledger.expireGateway(gateway, [lost.id]);
    await ledger.reap(10);
    await ledger.settle(encoded([ends[1]!]));

    const shown = { ...showUsage(USAGE, 'call'), [MADE_UP.shown.call]: WRITTEN };
    for (const { id } of ends) {
      const call = renderCall((await calls.find(tenant, id))!, 'tenant');
      expect(call).toMatchObject({ usage: shown, cost: '7.00' });
      CallObject.parse(call);
    }
    expect(Object.keys(CallObject.shape.usage.shape)).toContain(MADE_UP.shown.call);

    const now = Math.ceil(Date.now() / 1000);
    const query = {
      start: now - 3_600,
      end: now + 3_600,
      bucketWidth: '1d',
      timeZone: 'UTC',
      groupBy: [],
      filters: {},
    } as const;
    const page = renderUsage(await new ReportsRepository(pool).usage(tenant, { ...query, limit: 2 }));
    UsagePage.parse(page);
    expect(page.data.flatMap(({ results }) => results)).toMatchObject([
      { input_tokens: 4_000_000, [MADE_UP.shown.sums]: 2 * WRITTEN, output_tokens: 2_000_000, num_model_requests: 2 },
    ]);

    const span = { from: new Date(0), to: new Date(Date.now() + 3_600_000), provider: null, model: null };
    const booked = await ledger.bookedCalls(tenant, span, null, 10);
    expect(booked.map(({ usage }) => usage)).toEqual([USAGE, USAGE]);
    expect(await brokenInvariants(db)).toEqual([]);
  } finally {
    await Promise.all([db.end(), pool.end()]);
    await database.drop();
  }
});
