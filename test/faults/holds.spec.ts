import type { Pool } from 'pg';
import { sqlFunction } from '../../src/platform/postgres/index.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { isJust, isRightlyNamed, type Refusal, type State } from './holds/history.js';
import { stress } from './holds/stress.js';

const NO_FAULTS = {
  falseRefusals: 0,
  wrongVerdicts: 0,
  overspent: 0,
  lost: 0,
  duplicates: 0,
  unasked: 0,
  heldAtEnd: '0',
  deadlocks: 0,
  brokenInvariants: [],
};

describe('on a real Postgres', () => {
  let database: TestDatabase;
  let db: Pool;

  beforeAll(async () => {
    database = await createDatabase();
    db = openPool(database.url);
    await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  });

  afterAll(async () => {
    await db.end();
    await database.drop();
  });

  // The same with a million holds, or with a seed that failed: `npm run stress:holds -- --help`
  test('two processes of many callers on shared budgets: no call is refused that fitted, none is admitted that did not, all is booked once', async () => {
    const seed = Number(process.env['WEIR_SEED'] ?? Date.now() % 2 ** 31);
    const findings = await stress(db, { url: database.url, processes: 2, callers: 128, holds: 12_000, seed });
    expect({ seed, ...findings.faults }).toEqual({ seed, ...NO_FAULTS });
    expect(findings.confirmed).toBeGreaterThanOrEqual(12_000);
    expect(findings.refused).toMatchObject({ busy: expect.any(Number), too_large: expect.any(Number) });
  });
});

describe('the judge of refusals', () => {
  // 100 left from 10 ms on, 40 while a call holds 60 of them, then all but 5 is spent.
  const history: State[] = [
    { at: 10, unspent: 100n, held: 0n },
    { at: 20, unspent: 100n, held: 60n },
    { at: 30, unspent: 5n, held: 0n },
  ];
  const refusal = (amount: bigint, startedAt: number, endedAt: number, verdict: Refusal['verdict'] = 'busy'): Refusal => ({
    budgetId: 'b',
    verdict,
    amount,
    startedAt,
    endedAt,
  });

  test.each([
    ['while another call held the rest', refusal(50n, 21, 29), true],
    ['by a hold that began before the answer', refusal(50n, 12, 20), true],
    ['by a hold that ended after the question', refusal(50n, 29, 31), true],
    ['though there was room all the time', refusal(50n, 11, 19), false],
    ['by a hold that came after the answer', refusal(50n, 11, 19.9), false],
    ['by a hold that had ended before the question', refusal(5n, 30, 40), false],
    ['by a budget that nobody ever touched', refusal(5n, 1, 9), false],
  ])('a refusal %s', (_, given, just) => expect(isJust(history, given)).toBe(just));

  test('a verdict must have been true at some instant', () => {
    expect(isRightlyNamed(history, refusal(50n, 21, 29, 'busy'))).toBe(true);
    expect(isRightlyNamed(history, refusal(50n, 21, 29, 'too_large'))).toBe(false);
    expect(isRightlyNamed(history, refusal(50n, 31, 39, 'too_large'))).toBe(true);
    expect(isRightlyNamed(history, refusal(50n, 31, 39, 'exceeded'))).toBe(false);
  });
});
