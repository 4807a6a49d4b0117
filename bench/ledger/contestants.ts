import { newId } from '../../src/kernel/ids.js';
import { LedgerService } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool } from '../../src/platform/postgres/index.js';
import { createLogger, Metrics } from '../../src/platform/telemetry/index.js';
import { holdRequest, settlement } from '../../test/support/ledger.js';
import { NaiveLedger } from './naive.js';
import type { Stage } from './stage.js';

/** What each call holds, and what it costs in the end, in nano-USD. */
const HELD = 1_000n;
const SPENT = 800n;

/** A way to hold money and settle it. */
export interface Contestant {
  name: string;
  /** Holds for one call on every scope. Answers its id. @throws Error when it is denied */
  hold(): Promise<string>;
  /** Books what the call cost. */
  settle(id: string): Promise<void>;
  stop(): Promise<void>;
}

/** As the product's own. */
const POOL = { max: 12, statementTimeoutMs: 10_000 };

/** The product's own ledger, as a gateway uses it. */
export function weir({ url, tenantId, scopes }: Stage): Contestant {
  const pool = createPool(url, { ...POOL, name: 'bench' });
  const ledger = new LedgerService(new LedgerRepository(pool), new Metrics(), createLogger('warn'));
  return {
    name: 'Weir',
    async hold() {
      const id = newId();
      const { verdict } = await ledger.hold({ ...holdRequest(tenantId, HELD, scopes), id });
      if (verdict !== 'held') throw new Error(`a hold was answered with ${verdict}`);
      return id;
    },
    settle: (id) => ledger.settle(tenantId, settlement(id, SPENT), () => {}),
    async stop() {
      await ledger.quiet();
      await pool.end();
    },
  };
}

/** One transaction per hold and one per settlement, as it is usually written, on the same tables. */
export function naive({ url, tenantId, scopes }: Stage): Contestant {
  const pool = createPool(url, { ...POOL, name: 'naive' });
  const ledger = new NaiveLedger(pool, tenantId, scopes);
  return {
    name: 'naive',
    hold: () => ledger.hold(HELD),
    settle: (id) => ledger.settle(id, SPENT),
    stop: () => pool.end(),
  };
}
