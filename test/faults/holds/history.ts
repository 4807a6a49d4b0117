import type { Pool } from 'pg';
import type { Verdict } from '../../../src/ledger/index.js';

/** A budget from one commit until the next. Amounts in nano-USD. */
export interface State {
  /** When it began, in ms of the machine's clock. */
  at: number;
  /** What of the limit is not spent. */
  unspent: bigint;
  held: bigint;
}

/** A call that was refused, and the budget it was refused for. */
export interface Refusal {
  budgetId: string;
  verdict: Verdict;
  amount: bigint;
  /** When the call was asked for and answered, in whole ms of the machine's clock, rounded outwards. */
  startedAt: number;
  endedAt: number;
}

/**
 * Writes every change of a budget's counters down, from now on. The row is locked from the decision until the commit, so the sequence numbers of a
 * period are in the order of its commits, and a change may be dated from when it is written: nobody decides on that row before it is committed.
 */
export async function recordHistory(db: Pool): Promise<void> {
  await db.query(`
    CREATE TABLE history (
      number bigint GENERATED ALWAYS AS IDENTITY, budget_id uuid NOT NULL, at double precision NOT NULL, unspent bigint NOT NULL, held bigint NOT NULL);
    CREATE FUNCTION record_history() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    BEGIN
      INSERT INTO history (budget_id, at, unspent, held)
        VALUES (NEW.budget_id, extract(epoch FROM clock_timestamp()) * 1000, NEW.limit_nano + NEW.granted + NEW.aged - NEW.spent, NEW.held);
      RETURN NULL;
    END $$;
    CREATE TRIGGER record_history AFTER INSERT OR UPDATE ON budget_periods FOR EACH ROW EXECUTE FUNCTION record_history()`);
}

/** By budget, in the order of the commits. Every budget has one period only: it is for good. */
export async function readHistory(db: Pool): Promise<Map<string, State[]>> {
  const { rows } = await db.query<State & { budget_id: string }>(
    'SELECT budget_id, at, unspent, held FROM history ORDER BY budget_id, number',
  );
  return Map.groupBy(rows, (row) => row.budget_id);
}

/** A refusal is just when at some instant between question and answer the budget had less left than the call would have taken. */
export const isJust = (history: readonly State[], refusal: Refusal): boolean =>
  anyState(history, refusal, ({ unspent, held }) => unspent - held < refusal.amount);

/** And its verdict is right when at one of these instants the reason was the one that was given. */
export const isRightlyNamed = (history: readonly State[], refusal: Refusal): boolean =>
  anyState(history, refusal, ({ unspent, held }) => refusal.verdict === verdictOn(unspent, held, refusal.amount));

function verdictOn(unspent: bigint, held: bigint, amount: bigint): Verdict {
  if (amount <= unspent - held) return 'held';
  if (unspent <= 0n) return 'exceeded';
  return amount > unspent ? 'too_large' : 'busy';
}

/** Whether a state that lasted into the time of the call is such. */
function anyState(history: readonly State[], { startedAt, endedAt }: Refusal, is: (state: State) => boolean): boolean {
  for (let i = Math.max(0, firstAfter(history, startedAt) - 1); i < history.length && history[i]!.at <= endedAt; i++) {
    if (is(history[i]!)) return true;
  }
  return false;
}

/** The index of the first state that began after this time. */
function firstAfter(history: readonly State[], time: number): number {
  let low = 0;
  let high = history.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (history[middle]!.at <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
