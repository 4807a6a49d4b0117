import { join } from 'node:path';
import { type Audit, AuditRepository, type Depth, INVARIANTS } from '../ledger/index.js';
import type { Config } from '../platform/config/index.js';
import { createPool, hasEmbeddedPostgres, patiently, startEmbeddedPostgres } from '../platform/postgres/index.js';
import { createLogger } from '../platform/telemetry/index.js';

/** Undefined column, function, table: the database was made by another version. */
const OTHER_VERSION = /^42(703|883|P01)$/;
/** The run-time role is missing, or has no rights: a restore brings neither. */
const UNPREPARED = /^(22023|42501)$/;

/**
 * Audits the ledger of an installation, whether it is running or not. Changes nothing in it; an embedded Postgres that does not run is started
 * for as long as it takes. A Postgres that recovers is waited for.
 * @throws Error with one line to show to the operator.
 */
export async function auditLedger(config: Config, depth: Depth): Promise<Audit> {
  const log = createLogger(config.logLevel);
  const auditPatiently = (url: string) => patiently(() => auditAt(url, depth), log);
  if (config.databaseUrl) return auditPatiently(config.databaseUrl);
  const dataDir = join(config.home, 'postgres');
  if (!hasEmbeddedPostgres(dataDir)) throw new Error(`there is no database under ${config.home}; set DATABASE_URL or WEIR_HOME to yours`);
  const postgres = await startEmbeddedPostgres({ dataDir });
  try {
    return await auditPatiently(postgres.url);
  } finally {
    // A Weir that was started meanwhile has taken it over, and will stop it.
    if (!postgres.wasRunning && (await isUnused(postgres.url))) await postgres.stop();
  }
}

async function auditAt(databaseUrl: string, depth: Depth): Promise<Audit> {
  const pool = createPool(databaseUrl, { max: 1, statementTimeoutMs: 60_000, name: 'audit' });
  try {
    return await new AuditRepository(pool).audit(depth);
  } catch (error) {
    const { code, message } = error as { code?: unknown; message: string };
    if (OTHER_VERSION.test(String(code)))
      throw new Error('the database has no Weir, or another version of it; check DATABASE_URL, or start this version on it once', {
        cause: error,
      });
    if (UNPREPARED.test(String(code)))
      throw new Error(
        `the database is not ready for the run-time role, as after a restore: ${message}; start Weir on it once, or run "node dist/main.js migrate", then audit again`,
        { cause: error },
      );
    throw error;
  } finally {
    await pool.end();
  }
}

async function isUnused(databaseUrl: string): Promise<boolean> {
  const pool = createPool(databaseUrl, { max: 1, statementTimeoutMs: 10_000, name: 'audit' });
  const others = `SELECT FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'weir-audit'`;
  return pool
    .query(others)
    .then(({ rowCount }) => rowCount === 0)
    .finally(() => pool.end());
}

/** A table of what was looked at, then what is wrong and what to do about it. */
export function auditText({ depth, at, tookMs, checks, breaches, lost }: Audit): string {
  const rows = checks.map(({ invariant, checked, broken, tookMs: ms }) =>
    [
      invariant,
      INVARIANTS[invariant].padEnd(56),
      String(checked).padStart(10),
      String(broken).padStart(8),
      `${ms.toFixed(0)} ms`.padStart(10),
    ].join('  '),
  );
  const broken = checks.reduce((sum, check) => sum + check.broken, 0);
  const verdict = broken === 0 ? 'Every invariant holds' : `${broken} ${broken === 1 ? 'breach' : 'breaches'}`;
  return [
    `    ${'always true'.padEnd(56)}  ${'looked at'.padStart(10)}  ${'breaches'.padStart(8)}  ${'time'.padStart(10)}`,
    ...rows,
    '',
    ...breaches.flatMap(({ invariant, message, remedy }) => [`${invariant}  ${message}`, `    ${remedy}`, '']),
    ...(lost.calls > 0
      ? [`${lost.calls} calls of gateways that were lost are booked as estimates: $${lost.booked}, where $${lost.held} were held.`]
      : []),
    ...(breaches.length < broken ? [`The first ${breaches.length} are shown.`] : []),
    `${verdict} (${depth} audit of ${at.toISOString()}, ${tookMs.toFixed(0)} ms).`,
    '',
  ].join('\n');
}
