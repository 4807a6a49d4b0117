import { tmpdir } from 'node:os';
import { newId } from '../kernel/ids.js';
import { readConfig } from '../platform/config/index.js';
import { ServerClock } from '../platform/postgres/index.js';
import { createLogger, Metrics } from '../platform/telemetry/index.js';
import type { HoldAnswer } from './hold-answer.js';
import type { HoldRequest, Settlement } from './ledger.js';
import type { LedgerRepository } from './ledger.repository.js';
import { LedgerService } from './ledger.service.js';

const [HOT, QUIET, OTHER] = ['0', '4', '8'].map((end) => `00000000-0000-7000-8000-0000000000${end.padStart(2, '0')}`) as [
  string,
  string,
  string,
];
const HELD: HoldAnswer = {
  verdict: 'held',
  denial: null,
  limitDenial: null,
  remaining: null,
  warnedPercent: null,
  rates: null,
  rows: 0,
  isApproved: false,
};

/** Postgres as far as the ledger sees it: it answers a batch when it is told to. */
class StoppedPostgres {
  readonly batches: string[][] = [];
  private answer: (() => void)[] = [];
  private running = false;

  async hold(_gateway: string, requests: HoldRequest[]): Promise<HoldAnswer[]> {
    await this.batch(requests.map(({ tenantId }) => tenantId));
    return requests.map(() => HELD);
  }

  async settle(settlements: Map<string, string>): Promise<Map<string, null>> {
    await this.batch([...settlements.values()].map((text) => JSON.parse(text).served_model));
    return new Map([...settlements.keys()].map((id) => [id, null]));
  }

  /** Answers the batch under way, and waits for the next one. */
  async next(): Promise<string[]> {
    this.answer.shift()?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
    return this.batches.at(-1)!;
  }

  /** It runs again: all that wait are answered. */
  async run(): Promise<void> {
    this.running = true;
    for (const answer of this.answer) answer();
    for (let before = -1; before < this.batches.length; await this.next()) before = this.batches.length;
  }

  private batch(tenants: string[]): Promise<void> {
    this.batches.push(tenants);
    if (this.running) return Promise.resolve();
    return new Promise((resolve) => this.answer.push(resolve));
  }
}

let postgres: StoppedPostgres;
let ledger: LedgerService;

beforeEach(() => {
  postgres = new StoppedPostgres();
  const config = { timeouts: { ...readConfig({}, tmpdir()).timeouts, ledgerMs: 60_000 } };
  const clock = { now: () => Date.now() } as ServerClock;
  ledger = new LedgerService(postgres as unknown as LedgerRepository, clock, new Metrics(), createLogger('silent'), config);
});

afterEach(() => postgres.run());

const request = (tenantId: string): HoldRequest => ({
  id: newId(),
  tenantId,
  amount: 1n,
  tokens: 1,
  scopes: [],
  context: {} as HoldRequest['context'],
});
/** Asks for so many holds. Answers those that were refused, with their codes. */
function ask(tenantId: string, count: number): { refused: string[] } {
  const refused: string[] = [];
  for (let i = 0; i < count; i++) ledger.hold(request(tenantId)).catch((error) => refused.push(error.code));
  return { refused };
}
const count = (batch: string[], tenantId: string) => batch.filter((one) => one === tenantId).length;

test.each([1, 300, 900])('with %d calls of a hot tenant waiting, a quiet call of the same shard is in the next batch', async (waiting) => {
  ask(HOT, 1);
  expect(await postgres.next()).toEqual([HOT]);
  ask(HOT, waiting);
  ask(QUIET, 1);
  const batch = await postgres.next();
  expect(count(batch, QUIET)).toBe(1);
  expect(batch).toHaveLength(Math.min(256, waiting + 1));
});

test('tenants take turns in a batch, and what all have to wait for is one batch of theirs', async () => {
  ask(HOT, 1);
  await postgres.next();
  ask(HOT, 600);
  ask(QUIET, 200);
  ask(OTHER, 30);
  const first = await postgres.next();
  expect([HOT, QUIET, OTHER].map((tenant) => count(first, tenant))).toEqual([113, 113, 30]);
  const second = await postgres.next();
  expect([HOT, QUIET].map((tenant) => count(second, tenant))).toEqual([169, 87]);
});

test('where a hot tenant fills the queue, its calls are refused and nobody else’s', async () => {
  ask(HOT, 1);
  await postgres.next();
  const hot = ask(HOT, 1_500);
  const quiet = ask(QUIET, 20);
  const moreOfHot = ask(HOT, 10);
  await Promise.resolve();
  await new Promise(setImmediate);
  expect(hot.refused).toEqual(Array.from({ length: 500 }, () => 'overloaded'));
  expect(moreOfHot.refused).toHaveLength(10);
  expect(quiet.refused).toEqual([]);
  await postgres.next();
  const later = ask(HOT, 300);
  await new Promise(setImmediate);
  expect(later.refused).toHaveLength(300 - 236);
});

test('a tenant gets no more than its part of a full queue', async () => {
  ask(HOT, 1);
  await postgres.next();
  ask(HOT, 1_000);
  const second = ask(QUIET, 1_000);
  const third = ask(OTHER, 1_000);
  await new Promise(setImmediate);
  expect([second.refused.length, third.refused.length]).toEqual([500, 1_000 - 334]);
});

test('settlements take turns as well', async () => {
  const settle = (tenantId: string, times: number) => {
    for (let i = 0; i < times; i++) {
      const settlement = { id: newId(), state: 'settled', amount: 1n, servedModel: tenantId, attempts: [], usage: {}, durationMs: 1 };
      void ledger.settle(request(tenantId), settlement as unknown as Settlement, () => {});
    }
  };
  settle(HOT, 1);
  await postgres.next();
  settle(HOT, 900);
  settle(QUIET, 1);
  expect(count(await postgres.next(), QUIET)).toBe(1);
});
