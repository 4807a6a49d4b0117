import { tmpdir } from 'node:os';
import { LedgerService } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { readConfig } from '../../src/platform/config/index.js';
import { createPool, ServerClock } from '../../src/platform/postgres/index.js';
import { createLogger, Metrics } from '../../src/platform/telemetry/index.js';

/** The product's ledger as a gateway uses it, with a pool like the gateway's. */
export function openLedger(url: string, name: string, ledgerMs?: number): { ledger: LedgerService; close(): Promise<void> } {
  const pool = createPool(url, { max: 12, statementTimeoutMs: 10_000, name });
  const ledger = new LedgerService(new LedgerRepository(pool), new ServerClock(pool), new Metrics(), createLogger('warn'), {
    timeouts: readConfig(ledgerMs === undefined ? {} : { WEIR_LEDGER_TIMEOUT_MS: String(ledgerMs) }, tmpdir()).timeouts,
  });
  const close = async () => {
    await ledger.quiet();
    await pool.end();
  };
  return { ledger, close };
}
