import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openPool } from '../support/database.js';
import { type PgBouncer, startPgBouncer } from '../support/pgbouncer.js';
import { type Ready, ROOT, WeirProcess } from '../support/process.js';
import { type Binaries, PostgresServer } from '../support/server-postgres.js';
import { binariesOf, VERSIONS } from './binaries.js';

/**
 * `npm run matrix [-- 15 18]`: each version of Postgres, directly and behind PgBouncer, in two schemas, as three kinds of role: start, a call, a
 * budget, a backup, a restore, and an audit of what was restored. Prints a table.
 */
const WAYS = ['direct', 'transaction', 'session'] as const;
const SCHEMAS = ['public', 'shop'] as const;
const ROLES = ['superuser', 'owner', 'prepared'] as const;
const MASTER_KEY = 'a master key of the matrix, long enough';

type Role = (typeof ROLES)[number];
interface Cell {
  server: PostgresServer;
  tools: Binaries;
  pooler: PgBouncer | null;
  way: (typeof WAYS)[number];
  schema: (typeof SCHEMAS)[number];
  role: Role;
  home: string;
}

let made = 0;

async function main(): Promise<void> {
  const versions = process.argv.slice(2).filter((version) => VERSIONS.includes(version));
  const rows: string[] = [];
  let failures = 0;
  for (const version of versions.length > 0 ? versions : VERSIONS) {
    const { server: binaries, tools } = binariesOf(version);
    const server = await PostgresServer.start(binaries, ['max_connections=300']);
    const users = ['postgres', ...ROLES.flatMap((role) => Array.from({ length: 40 }, (_, n) => `${role}_${n + made}`))];
    for (const way of WAYS) {
      const pooler = way === 'direct' ? null : await startPgBouncer(server.url(), { mode: way, size: 40, users });
      for (const schema of SCHEMAS)
        for (const role of ROLES) {
          const home = mkdtempSync(join(tmpdir(), 'weir-matrix-'));
          chmodSync(home, 0o755);
          const outcome = await tryOut({ server, tools, pooler, way, schema, role, home }).then(
            () => 'works',
            (error: Error) => `FAILS: ${error.message.split('\n').slice(0, 6).join(' ')}`,
          );
          await WeirProcess.endAll();
          rmSync(home, { recursive: true, force: true });
          if (outcome !== 'works') failures++;
          const row = `| ${version} | ${way} | ${schema} | ${role} | ${outcome} |`;
          process.stderr.write(`${row}\n`);
          rows.push(row);
        }
      await pooler?.stop();
    }
    await server.stop();
  }
  process.stdout.write(
    [
      '| Postgres | way | schema | role | start, call, budget, backup, restore, audit |',
      '| --- | --- | --- | --- | --- |',
      ...rows,
      '',
    ].join('\n'),
  );
  process.exitCode = failures > 0 ? 1 : 0;
}

async function tryOut(cell: Cell): Promise<void> {
  const { server, way, pooler, home } = cell;
  const [first, second] = [await createDatabase(cell), await createDatabase(cell)];
  const served = pooler ? pooler.through(first) : first;
  const weir = await start(served, way === 'transaction' ? first : null, home);
  await call(weir.ready);
  const spent = await fetch(`${weir.ready.public}/v1/key`, { headers: { authorization: `Bearer ${weir.ready.api_key}` } });
  if (/"spent":"0\.0+"/.test(await spent.text())) throw new Error('nothing was spent');
  const file = join(home, 'dump');
  tool(cell, 'pg_dump', ['-Fc', '-f', file, plain(first)]);
  await weir.process.kill('SIGINT');
  restore(cell, file, plain(second));
  const again = await start(second, null, home);
  await call(again.ready, weir.ready.api_key!);
  await again.process.kill('SIGINT');
  const env = { PATH: process.env['PATH']!, DATABASE_URL: second, WEIR_HOME: home };
  execFileSync(process.execPath, [join(ROOT, 'dist/audit.js')], { env, stdio: 'pipe' });
  const db = openPool(server.url(new URL(second).pathname.slice(1)));
  const { rows } = await db.query(`SELECT count(*)::int AS calls FROM ${cell.schema}.calls`);
  await db.end();
  if (rows[0].calls !== 2) throw new Error(`${rows[0].calls} calls in the restored ledger`);
}

/** Answers the URL of one that is empty, as the role of the cell. */
async function createDatabase({ server, schema, role }: Cell): Promise<string> {
  const name = `${role}_${made++}`;
  const query = schema === 'public' ? '' : `?schema=${schema}`;
  if (role === 'superuser') {
    await server.run(`CREATE DATABASE ${name}`);
    return server.url(name) + query;
  }
  await server.run(`CREATE ROLE ${name} LOGIN ${role === 'owner' ? 'CREATEROLE' : ''}`);
  await server.run(`CREATE DATABASE ${name} ${role === 'owner' ? `OWNER ${name}` : ''}`);
  if (role === 'prepared') {
    const runtime = schema === 'public' ? `weir_run_${name}` : `weir_run_${name}__${schema}`;
    await server.run(`CREATE ROLE ${runtime} NOLOGIN`);
    await server.run(`GRANT ${runtime} TO ${name}`);
    if (schema === 'public') await server.run(`GRANT USAGE, CREATE ON SCHEMA public TO ${name}`, name);
    else await server.run(`CREATE SCHEMA ${schema} AUTHORIZATION ${name}`, name);
    await server.run(`CREATE SCHEMA ${schema === 'public' ? 'bullmq' : `${schema}_bullmq`} AUTHORIZATION ${name}`, name);
  }
  return server.url(name, name) + query;
}

const plain = (url: string): string => url.split('?')[0]!;

function tool({ tools }: Cell, name: string, args: readonly string[]): void {
  execFileSync(join(tools.directory, name), args, { env: tools.env, stdio: 'pipe' });
}

/** A newer `pg_restore` sets what an older server does not know; who may make no schemas has been given them. Nothing else may go wrong. */
function restore(cell: Cell, file: string, url: string): void {
  try {
    tool(cell, 'pg_restore', ['--no-owner', '--no-privileges', '-d', url, file]);
  } catch (error) {
    const said = String((error as { stderr: Buffer }).stderr);
    const errors = [...said.matchAll(/ERROR:.*/g)].map(([text]) => text);
    const odd = errors.filter(
      (text) => !/"transaction_timeout"|permission denied for database|schema "\w+" already exists|must be owner of/.test(text),
    );
    if (odd.length > 0) throw new Error(`pg_restore: ${odd[0]}`);
  }
}

async function start(url: string, direct: string | null, home: string): Promise<{ process: WeirProcess; ready: Ready }> {
  const weir = WeirProcess.spawn({
    DATABASE_URL: url,
    ...(direct && { DATABASE_DIRECT_URL: direct }),
    WEIR_HOME: home,
    WEIR_MASTER_KEY: MASTER_KEY,
    WEIR_DEMO: '1',
    WEIR_LEDGER_TIMEOUT_MS: '5000',
  });
  return { process: weir, ready: await weir.ready() };
}

async function call({ public: address, api_key }: Ready, key = api_key!): Promise<void> {
  const response = await fetch(`${address}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }] }),
  });
  if (response.status !== 200) throw new Error(`a call answered ${response.status}: ${await response.text()}`);
  await response.text();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
