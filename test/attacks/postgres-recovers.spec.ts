import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEmptyDatabase, openPool, type TestDatabase } from '../support/database.js';
import { ROOT, WeirProcess } from '../support/process.js';

/** What a Postgres says that recovers after a crash, as bytes of its protocol. */
const STARTING_UP = errorResponse({ S: 'FATAL', V: 'FATAL', C: '57P03', M: 'the database system is starting up' });

function errorResponse(fields: Record<string, string>): Buffer {
  const body = Buffer.from(
    `${Object.entries(fields)
      .map(([field, text]) => `${field}${text}\0`)
      .join('')}\0`,
  );
  const head = Buffer.from('E\0\0\0\0');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

/** The way to Postgres, which is away from one connection on, for some connections. */
class Recovering {
  accepted = 0;
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly port: number,
  ) {}

  /** @param away from which connection to which, counted from 1. @param how `refused`: the connection is reset, as a port that is not listened on. */
  static async start(target: URL, away: { from: number; to: number }, how: 'recovers' | 'is cut'): Promise<Recovering> {
    let recovering: Recovering;
    const server = createServer((client) => {
      const number = ++recovering.accepted;
      const isAway = number >= away.from && number <= away.to;
      recovering.keep(client);
      if (isAway && how === 'is cut') {
        recovering.cutAll();
        return;
      }
      if (isAway) return void client.once('data', () => client.end(STARTING_UP));
      const upstream = connect(Number(target.port), target.hostname);
      recovering.keep(upstream);
      client.pipe(upstream).pipe(client);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    recovering = new Recovering(server, (server.address() as AddressInfo).port);
    return recovering;
  }

  /** Every open connection is reset, as when the server crashes. */
  cutAll(): void {
    for (const socket of this.sockets) socket.resetAndDestroy();
  }

  async stop(): Promise<void> {
    this.cutAll();
    this.server.close();
    await once(this.server, 'close');
  }

  private keep(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.sockets.delete(socket));
  }
}

jest.setTimeout(60_000);

let database: TestDatabase;
let home: string;

beforeEach(async () => {
  database = await createEmptyDatabase();
  home = mkdtempSync(join(tmpdir(), 'weir-recovers-'));
});

afterEach(async () => {
  await WeirProcess.endAll('SIGKILL');
  await database.drop();
  rmSync(home, { recursive: true, force: true });
});

const through = (port: number): string => {
  const url = new URL(database.url);
  url.host = `127.0.0.1:${port}`;
  return url.href;
};
const MASTER_KEY = 'test master key, at least 32 characters';
const start = (port: number) => WeirProcess.spawn({ WEIR_HOME: home, WEIR_MASTER_KEY: MASTER_KEY, DATABASE_URL: through(port) });
const waits = (stderr: string) => stderr.split('\n').filter((line) => line.includes('the start waits for it'));

test('a process that is started while Postgres recovers waits, says so once in ten seconds, and is ready when Postgres is', async () => {
  const way = await Recovering.start(new URL(database.url), { from: 1, to: 3 }, 'recovers');
  const weir = start(way.port);
  expect(await weir.ready()).toMatchObject({ operator_key: expect.stringMatching(/^weir_op_/) });
  expect(waits(weir.stderr)).toHaveLength(1);
  for (const line of waits(weir.stderr))
    expect(JSON.parse(line)).toMatchObject({ level: 'warn', cause: 'the database system is starting up' });
  expect(await weir.kill('SIGTERM')).toBe(0);
  await way.stop();
});

test('a Postgres whose port is not open yet is waited for', async () => {
  const closed = await Recovering.start(new URL(database.url), { from: 0, to: 0 }, 'recovers');
  await closed.stop();
  const weir = start(closed.port);
  while (waits(weir.stderr).length < 1) await once(weir.child.stderr!, 'data');
  const target = new URL(database.url);
  const server = createServer((client) => {
    const upstream = connect(Number(target.port), target.hostname);
    client.on('error', () => {});
    upstream.on('error', () => {});
    client.pipe(upstream).pipe(client);
  }).listen(closed.port, '127.0.0.1');
  await weir.ready();
  await weir.kill('SIGKILL');
  server.close();
});

/** Connections are opened by migrations first, then by pools, queues, snapshots and the ledger. */
test.each([1, 2, 10, 13])(
  'Postgres crashes when connection %d of a start is opened: the start begins anew, is ready, and the key it made is shown',
  async (number) => {
    const way = await Recovering.start(new URL(database.url), { from: number, to: number }, 'is cut');
    const weir = start(way.port);
    const { operator_key } = await weir.ready();
    expect(operator_key).toMatch(/^weir_op_/);
    const db = openPool(database.url);
    expect((await db.query(`SELECT 1 FROM admin_keys WHERE last4 = $1`, [operator_key!.slice(-4)])).rowCount).toBe(1);
    await db.end();
    expect(await weir.kill('SIGTERM')).toBe(0);
    await way.stop();
  },
);

test('the audit waits for a Postgres that recovers, too', async () => {
  const made = start(Number(new URL(database.url).port));
  await made.ready();
  await made.kill('SIGTERM');
  const way = await Recovering.start(new URL(database.url), { from: 1, to: 2 }, 'recovers');
  const { code, stdout, stderr } = await audit({ DATABASE_URL: through(way.port), WEIR_HOME: home, WEIR_LOG_LEVEL: 'warn' });
  expect(stdout).toContain('Every invariant holds');
  expect(code).toBe(0);
  expect(waits(stderr)).toHaveLength(1);
  await way.stop();
});

async function audit(environment: Record<string, string>): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child: ChildProcess = spawn(process.execPath, [join(ROOT, 'dist', 'audit.js')], {
    env: { PATH: process.env['PATH']!, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout!.on('data', (chunk) => (stdout += chunk));
  child.stderr!.on('data', (chunk) => (stderr += chunk));
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout, stderr };
}
