// The crowd of test/faults/holds.spec.ts at any size, on a durable Postgres of its own. `npm run stress:holds -- --help`
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { migrate, sqlFunction, startEmbeddedPostgres } from '../../../src/platform/postgres/index.js';
import { openPool } from '../../support/database.js';
import { leash } from '../../support/leash.js';
import { stress } from './stress.js';

const HELP = `npm run stress:holds -- [options]

Lets processes of many callers hold, settle and void on shared budgets, and compares what they were told with what was committed.

  --processes N   (4)
  --callers N     per process (256)
  --holds N       granted by all processes together (1000000)
  --seed N        of the calls, to repeat a run ($WEIR_SEED, or by the clock)
  --help
`;

const FLAGS = {
  processes: { type: 'string', default: '4' },
  callers: { type: 'string', default: '256' },
  holds: { type: 'string', default: '1000000' },
  seed: { type: 'string', default: process.env['WEIR_SEED'] ?? String(Date.now() % 2 ** 31) },
  help: { type: 'boolean', default: false },
} as const;

async function main(): Promise<boolean> {
  const { values } = parseArgs({ options: FLAGS });
  if (values.help) {
    process.stdout.write(HELP);
    return true;
  }
  const plan = {
    processes: Number(values.processes),
    callers: Number(values.callers),
    holds: Number(values.holds),
    seed: Number(values.seed),
  };
  process.stdout.write(`${JSON.stringify(plan)}\n`);
  const directory = mkdtempSync(join(tmpdir(), 'weir-stress-'));
  chmodSync(directory, 0o755); // as root, Postgres runs as another user
  const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres'), durable: true });
  const release = leash(postgres.pid, directory);
  const db = openPool(postgres.url);
  try {
    await migrate(postgres.url, { role: 'weir_app' });
    await db.query(`SELECT ${sqlFunction('ensure_partitions')}()`);
    const findings = await stress(db, { url: postgres.url, ...plan });
    process.stdout.write(`${JSON.stringify(findings, null, 2)}\n`);
    return Object.values(findings.faults).every((fault) => (Array.isArray(fault) ? fault.length === 0 : Number(fault) === 0));
  } finally {
    await db.end();
    await postgres.stop();
    rmSync(directory, { recursive: true, force: true });
    release();
  }
}

main().then(
  (clean) => process.exit(clean ? 0 : 1),
  (error: Error) => {
    process.stderr.write(`${error.stack}\n`);
    process.exit(1);
  },
);
