import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { migrate, sqlFunction, startEmbeddedPostgres } from '../../src/platform/postgres/index.js';
import { openPool } from '../../test/support/database.js';
import { leash } from '../../test/support/leash.js';
import { insertTenant } from '../../test/support/ledger.js';
import { type Cores, childrenOf, cpuOfFamily } from '../machine.js';
import { fillWal } from '../wal.js';

/** Nano-USD; nobody gets near it, so that nothing is denied. */
const LIMIT = 10n ** 18n;

/** The Postgres that is measured, and the tenant that everybody calls for. */
export interface Stage {
  url: string;
  /** As the owner of the database. */
  db: Pool;
  tenantId: string;
  /** Each has a budget. */
  scopes: { kind: string; value: string }[];
  /** CPU time of Postgres so far, in µs. */
  postgresCpu(): number;
}

/** A durable Postgres on a core of its own, where the machine has one. `cleanUp` gets what undoes it, the last first. */
export async function setUp(cores: Cores | null, cleanUp: (() => unknown)[]): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  chmodSync(directory, 0o755); // as root, Postgres runs as another user
  cleanUp.push(() => rmSync(directory, { recursive: true, force: true }));
  const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres'), durable: true });
  cleanUp.push(leash(postgres.pid, directory), () => postgres.stop());
  if (cores) moveTo(cores.proxy, postgres.pid);
  await migrate(postgres.url);
  const db = openPool(postgres.url);
  cleanUp.push(() => db.end());
  await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
  await fillWal(db);
  const [project, key] = [randomUUID(), randomUUID()];
  const tenantId = await insertTenant(db, [
    { limit: LIMIT },
    { kind: 'project', value: project, limit: LIMIT },
    { kind: 'api_key', value: key, limit: LIMIT },
  ]);
  const scopes = [
    { kind: 'tenant', value: tenantId },
    { kind: 'project', value: project },
    { kind: 'api_key', value: key },
  ];
  return { url: postgres.url, db, tenantId, scopes, postgresCpu: () => cpuOfFamily(postgres.pid) };
}

/** A server and its helpers; the processes it starts later stay on the core. */
function moveTo(core: number, pid: number): void {
  for (const each of [pid, ...childrenOf(pid)]) execFileSync('taskset', ['-acp', String(core), String(each)], { stdio: 'ignore' });
}
