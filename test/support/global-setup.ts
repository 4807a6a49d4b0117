import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEmbeddedPostgres } from '../../src/platform/postgres/embedded.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { POSTGRES_URL_VARIABLE, runOnce, TEMPLATE_DATABASE, urlOfDatabase } from './database.js';
import { leash } from './leash.js';

declare global {
  var stopTestPostgres: (() => Promise<void>) | undefined;
}

/** One PostgreSQL for the whole run, with a migrated template database that the specs clone. */
export default async function globalSetup(): Promise<void> {
  const directory = temporaryDirectory();
  const postgres = await startEmbeddedPostgres({ dataDir: path.join(directory, 'postgres'), durable: false });
  const release = leash(postgres.pid, directory);
  globalThis.stopTestPostgres = async () => {
    await postgres.stop();
    rmSync(directory, { recursive: true, force: true });
    release();
  };
  await runOnce(postgres.url, `create database ${TEMPLATE_DATABASE}`);
  // Clones share its role, so that each need not be given one.
  await migrate(urlOfDatabase(postgres.url, TEMPLATE_DATABASE), { role: 'weir_app' });
  process.env[POSTGRES_URL_VARIABLE] = postgres.url;
}

/** As root, PostgreSQL runs as somebody else, who must be able to get in. */
function temporaryDirectory(): string {
  const directory = mkdtempSync(path.join(tmpdir(), 'weir-test-'));
  chmodSync(directory, 0o755);
  return directory;
}
