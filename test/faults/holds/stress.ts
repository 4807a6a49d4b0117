import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Pool } from 'pg';
import { brokenInvariants } from '../../support/ledger.js';
import type { Account, Task } from './actor.js';
import { insertPayers, resetSpent } from './crowd.js';
import { isJust, isRightlyNamed, readHistory, recordHistory } from './history.js';
import { Random } from './random.js';

export interface Plan {
  url: string;
  processes: number;
  /** Per process. */
  callers: number;
  /** Granted by all processes together. */
  holds: number;
  seed: number;
}

export interface Findings {
  asked: number;
  /** Granted, ended, and confirmed. */
  confirmed: number;
  refused: Record<string, number>;
  unanswered: number;
  resets: number;
  commits: number;
  seconds: number;
  /** What must be nothing. */
  faults: {
    falseRefusals: number;
    wrongVerdicts: number;
    overspent: number;
    lost: number;
    duplicates: number;
    unasked: number;
    heldAtEnd: string;
    deadlocks: number;
    brokenInvariants: string[];
  };
}

/** Lets processes of many callers loose on shared budgets, and compares what they were told with what was committed. */
export async function stress(db: Pool, { url, processes, callers, holds, seed }: Plan): Promise<Findings> {
  const random = new Random(seed);
  await recordHistory(db);
  await db.query('CREATE TABLE confirmed (id uuid NOT NULL, spent bigint)');
  const payers = await insertPayers(db, processes * callers, random);
  const startedAt = performance.now();
  const task = { url, payers, callers, holds: Math.ceil(holds / processes) };
  const children = Array.from({ length: processes }, startActor);
  const crowd = Promise.all(children.map((child, number) => act(child, { ...task, seed: seed + 1 + number * callers })));
  const { resets, accounts } = await watch(children, crowd, () => resetSpent(db, random));
  const seconds = (performance.now() - startedAt) / 1000;
  const { confirmed, ...booked } = await compareBookings(db);
  return {
    asked: sum(accounts, ({ asked }) => asked),
    confirmed,
    refused: countBy(accounts.flatMap(({ refusals }) => refusals.map(({ verdict }) => verdict))),
    unanswered: sum(accounts, ({ unanswered }) => unanswered),
    resets,
    seconds,
    ...(await replay(db, accounts, booked)),
  };
}

function startActor(): ChildProcess {
  const execArgv = ['-r', join(__dirname, '../../support/register-typescript.cjs')];
  return fork(join(__dirname, 'actor.ts'), { execArgv, serialization: 'advanced' });
}

/** Lets a process of the crowd do its task. */
async function act(child: ChildProcess, task: Task): Promise<Account> {
  child.send(task);
  const [account] = await Promise.race([
    once(child, 'message') as Promise<[Account]>,
    once(child, 'exit').then(([code]) => Promise.reject(new Error(`a process of the crowd ended with ${code}`))),
  ]);
  return account;
}

/** Resets budgets until the crowd is done. Leaves no process behind. */
async function watch(children: ChildProcess[], crowd: Promise<Account[]>, reset: () => Promise<number>) {
  let running = true;
  const end = () => {
    running = false;
  };
  void crowd.then(end, end);
  try {
    let resets = 0;
    for (; running; await delay(30)) resets += await reset();
    return { resets, accounts: await crowd };
  } finally {
    for (const child of children) child.kill();
  }
}

const BOOKED = `
  WITH entries AS (
    SELECT call_id AS id, sum(amount) AS amount, count(*) AS count FROM ledger_entries WHERE kind <> 'manual' GROUP BY call_id
  )
  SELECT (SELECT count(*) FROM confirmed)::int AS confirmed,
    (SELECT count(*) FROM confirmed c LEFT JOIN entries e USING (id) WHERE c.spent IS DISTINCT FROM e.amount)::int AS lost,
    (SELECT count(*) FROM entries WHERE count > 1)::int AS duplicates,
    (SELECT count(*) FROM entries e WHERE NOT EXISTS (SELECT FROM confirmed c WHERE c.id = e.id))::int AS unasked,
    (SELECT sum(abs(held)) FROM budget_periods)::text AS "heldAtEnd",
    (SELECT deadlocks FROM pg_stat_database WHERE datname = current_database())::int AS deadlocks`;

interface Booked {
  confirmed: number;
  lost: number;
  duplicates: number;
  unasked: number;
  heldAtEnd: string;
  deadlocks: number;
}

async function compareBookings(db: Pool): Promise<Booked> {
  return (await db.query<Booked>(BOOKED)).rows[0]!;
}

/** Looks every refusal up in the history of its budget, and the history for more than its limit. */
async function replay(db: Pool, accounts: Account[], booked: Omit<Booked, 'confirmed'>): Promise<Pick<Findings, 'commits' | 'faults'>> {
  const history = await readHistory(db);
  const states = [...history.values()].flat();
  const refusals = accounts.flatMap((account) => account.refusals);
  const of = ({ budgetId }: { budgetId: string }) => history.get(budgetId) ?? [];
  return {
    commits: states.length,
    faults: {
      falseRefusals: refusals.filter((refusal) => !isJust(of(refusal), refusal)).length,
      wrongVerdicts: refusals.filter((refusal) => !isRightlyNamed(of(refusal), refusal)).length,
      overspent: states.filter(({ unspent, held }) => held > unspent).length,
      ...booked,
      brokenInvariants: await brokenInvariants(db),
    },
  };
}

const sum = (accounts: Account[], of: (account: Account) => number): number => accounts.reduce((total, account) => total + of(account), 0);

const countBy = (words: string[]): Record<string, number> =>
  Object.fromEntries([...Map.groupBy(words, (word) => word)].map(([word, all]) => [word, all.length]));
