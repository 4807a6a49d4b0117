import { Client } from 'pg';
import { migrate, Prisma, ServerClock } from '../../src/platform/postgres/index.js';
import { Queues } from '../../src/platform/queue/index.js';
import { createLogger } from '../../src/platform/telemetry/index.js';
import { PricesService } from '../../src/prices/index.js';
import { PricesRepository } from '../../src/prices/prices.repository.js';
import { CATALOG } from '../../src/providers/index.js';
import { clone, openPool, serverUrl, TEMPLATE_DATABASE, type TestDatabase } from './database.js';

/** What the specs clone to start Weir on. The first that needs it makes it. */
const SEEDED_DATABASE = 'weir_seeded';

let isMade = false;

/**
 * Gives a spec a migrated database with what the first start of any Weir adds: the prices of the catalog, and the tables of the queues. A start takes
 * half as long on it. What is missing here, a start adds.
 */
export async function createSeededDatabase(): Promise<TestDatabase> {
  if (!isMade) await makeOnce();
  isMade = true;
  return clone(`template ${SEEDED_DATABASE}`);
}

/** The workers of Jest take turns. Its name says that it is whole. */
async function makeOnce(): Promise<void> {
  const server = new Client({ connectionString: serverUrl() });
  await server.connect();
  try {
    await server.query('select pg_advisory_lock(hashtext($1))', [SEEDED_DATABASE]);
    const { rowCount } = await server.query('select from pg_database where datname = $1', [SEEDED_DATABASE]);
    if (rowCount) return;
    const { name, url } = await clone(`template ${TEMPLATE_DATABASE}`);
    await seed(url);
    await server.query(`alter database ${name} rename to ${SEEDED_DATABASE}`);
  } finally {
    await server.end();
  }
}

async function seed(url: string): Promise<void> {
  const log = createLogger('silent');
  await migrate(url, { role: 'weir_app', hasQueues: true });
  await new Queues({ redis: null, databaseUrl: url, connections: 1, installation: 'one' }, log).prepare();
  const pool = openPool(url);
  const prisma = new Prisma(pool);
  const prices = new PricesService(new PricesRepository(prisma, pool), new ServerClock(pool), log);
  await prices.seed(CATALOG.map(({ slug, catalogId }) => ({ slug, catalogId })));
  await prisma.$disconnect();
  await pool.end();
}
