// One process of the crowd: its callers hold, settle and void on shared budgets, and it writes down what it was answered.
import { setTimeout as delay } from 'node:timers/promises';
import { Client } from 'pg';
import { newId } from '../../../src/kernel/ids.js';
import type { HoldAnswer, HoldRequest, LedgerService } from '../../../src/ledger/index.js';
import { holdRequest, settlement } from '../../support/ledger.js';
import { openLedger } from '../../support/open-ledger.js';
import { amountOf, type Payer } from './crowd.js';
import type { Refusal } from './history.js';
import { Random } from './random.js';

export interface Task {
  url: string;
  payers: Payer[];
  callers: number;
  /** How many holds it must be granted before it ends. */
  holds: number;
  seed: number;
}

/** What a process says when it is done. */
export interface Account {
  asked: number;
  /** Holds that were not answered in time. */
  unanswered: number;
  refusals: Refusal[];
}

const CHUNK = 10_000;
/** Of a hundred calls: voided, settled for all that was held, settled twice at once. The rest cost a thousandth of their hold. */
const SHARES = { voided: 0.25, whole: 0.02, twice: 0.05 };
/** How often a caller asks for exactly what is left. */
const GREEDY = 1 / 200;

/** What a caller was last granted, and what its budgets have left since. */
interface Grant {
  payer: Payer;
  remaining: bigint;
}

class Actor {
  private readonly account: Account = { asked: 0, unanswered: 0, refusals: [] };
  /** Calls that ended as the ledger confirmed, and what each cost; null: voided. */
  private readonly ends: { id: string; spent: bigint | null }[] = [];
  private granted = 0;

  constructor(
    private readonly task: Task,
    private readonly ledger: LedgerService,
  ) {}

  async run(): Promise<Account> {
    const { callers, seed } = this.task;
    await Promise.all(Array.from({ length: callers }, (_, number) => this.call(new Random(seed + number))));
    await this.confess();
    return this.account;
  }

  private async call(random: Random): Promise<void> {
    let last: Grant | null = null;
    while (this.granted < this.task.holds) {
      const greedy: Grant | null = last && last.remaining > 0n && random.chance(GREEDY) ? last : null;
      const payer: Payer = greedy?.payer ?? random.pick(this.task.payers);
      const request = { ...holdRequest(payer.tenantId, greedy?.remaining ?? amountOf(random), payer.scopes), id: newId() };
      const answer = await this.ask(request);
      if (answer?.verdict !== 'held') {
        await delay(random.below(4));
        continue;
      }
      this.granted++;
      last = { payer, remaining: answer.remaining! };
      if (random.chance(0.3)) await delay(random.below(3));
      await this.end(request, greedy !== null, random);
    }
  }

  /** Null: not answered in time; then the ledger gives it back. */
  private async ask(request: HoldRequest): Promise<HoldAnswer | null> {
    this.account.asked++;
    const startedAt = Date.now();
    const answer = await this.ledger.hold(request).catch(() => null);
    const endedAt = Date.now() + 1;
    if (answer === null) this.account.unanswered++;
    else if (answer.verdict !== 'held') {
      const { budgetId } = answer.denial!;
      this.account.refusals.push({ budgetId, verdict: answer.verdict, amount: request.amount!, startedAt, endedAt });
    }
    return answer;
  }

  private async end(request: HoldRequest, whole: boolean, random: Random): Promise<void> {
    const kind = random.next();
    const isVoid = !whole && kind < SHARES.voided;
    const isWhole = whole || kind > 1 - SHARES.whole;
    const { id, amount } = request;
    const spent = isVoid ? null : isWhole ? amount! : amount! / 1_000n;
    const outcome = settlement(id, spent, isVoid ? { state: 'voided' } : {});
    const times = random.chance(SHARES.twice) ? 2 : 1;
    await Promise.all(Array.from({ length: times }, () => this.ledger.settle(request, outcome, () => {})));
    this.ends.push({ id, spent });
  }

  /** Says to the database what was confirmed to it, to be compared with what it has booked. */
  private async confess(): Promise<void> {
    const client = new Client({ connectionString: this.task.url });
    await client.connect();
    for (let from = 0; from < this.ends.length; from += CHUNK) {
      const part = this.ends.slice(from, from + CHUNK);
      const values = [part.map(({ id }) => id), part.map(({ spent }) => spent)];
      await client.query('INSERT INTO confirmed (id, spent) SELECT * FROM unnest($1::uuid[], $2::bigint[])', values);
    }
    await client.end();
  }
}

process.once('message', async (task: Task) => {
  const { ledger, close } = openLedger(task.url, 'actor');
  const account = await new Actor(task, ledger).run();
  await close();
  process.send!(account, () => process.exit(0));
});
// Nobody is left to report to.
process.once('disconnect', () => process.exit(1));
