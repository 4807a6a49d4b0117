import { newId } from '../../src/kernel/ids.js';
import { createPool } from '../../src/platform/postgres/index.js';
import { holdRequest, settlement } from '../../test/support/ledger.js';
import { openLedger } from '../../test/support/open-ledger.js';
import { NaiveLedger } from './naive.js';
import type { Stage } from './stage.js';

/** What each call holds, and what it costs in the end, in nano-USD. */
const HELD = 1_000n;
const SPENT = 800n;

/** A way to hold money and settle it. */
export interface Contestant {
  name: string;
  /** Holds for one call on every scope. Answers its id; null: not confirmed in time, so given up. @throws Error when it is denied */
  hold(): Promise<string | null>;
  /** Books what the call cost. */
  settle(id: string): Promise<void>;
  stop(): Promise<void>;
}

/** As large as the product's. */
const POOL = { max: 12, statementTimeoutMs: 10_000, name: 'naive' };

/** The product's own ledger, as a gateway uses it. */
export function weir({ url, tenantId, scopes }: Stage): Contestant {
  const { ledger, close } = openLedger(url, 'bench');
  const facts = holdRequest(tenantId, HELD, scopes);
  return {
    name: 'Weir',
    async hold() {
      const id = newId();
      const verdict = await ledger.hold({ ...holdRequest(tenantId, HELD, scopes), id }).then(
        (answer) => answer.verdict,
        (error) => error.code as string,
      );
      if (verdict === 'ledger_unavailable') return null;
      if (verdict !== 'held') throw new Error(`a hold was answered with ${verdict}`);
      return id;
    },
    async settle(id) {
      await ledger.settle(facts, settlement(id, SPENT), () => {});
    },
    stop: close,
  };
}

/** One transaction per hold and one per settlement, as it is usually written, on the same tables. */
export function naive({ url, tenantId, scopes }: Stage): Contestant {
  const pool = createPool(url, POOL);
  const ledger = new NaiveLedger(pool, tenantId, scopes);
  return {
    name: 'naive',
    hold: () => ledger.hold(HELD),
    settle: (id) => ledger.settle(id, SPENT),
    stop: () => pool.end(),
  };
}
