import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Client } from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/postgres/embedded.js';
import { runOnce } from '../support/database.js';
import { leash } from '../support/leash.js';

const HOLD_POSTGRES = path.resolve(__dirname, '../support/hold-postgres.cjs');
const itAsRoot = process.getuid?.() === 0 ? it : it.skip;

describe('the embedded PostgreSQL', () => {
  let root: string;
  let dataDir: string;
  let cleanUp: (() => unknown)[];

  beforeAll(() => {
    root = mkdtempSync(path.join(tmpdir(), 'weir-embedded-'));
    chmodSync(root, 0o755);
  });

  beforeEach(() => {
    dataDir = path.join(root, 'shared'); // setting up a database takes most of a test's time
    cleanUp = [];
  });

  afterEach(async () => {
    for (const step of cleanUp.reverse()) await step();
  });

  afterAll(() => rmSync(root, { recursive: true, force: true }));

  function useFreshDirectory(): string {
    const directory = mkdtempSync(path.join(root, 'fresh-'));
    chmodSync(directory, 0o755);
    dataDir = path.join(directory, 'postgres');
    return directory;
  }

  async function start(): Promise<EmbeddedPostgres> {
    const postgres = await startEmbeddedPostgres({ dataDir, durable: false });
    const release = leash(postgres.pid, root);
    cleanUp.push(() => postgres.stop().then(release));
    return postgres;
  }

  /** A process of its own group that starts the server, as a shell would start the gateway. */
  async function startElsewhere(): Promise<{ postgresPid: number; end(signal: NodeJS.Signals): Promise<void> }> {
    const starter = spawn(process.execPath, [HOLD_POSTGRES, dataDir], { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(starter.stdout, 'data');
    const end = async (signal: NodeJS.Signals) => {
      const exit = once(starter, 'exit');
      process.kill(-starter.pid!, signal);
      await exit;
    };
    return { postgresPid: Number(line), end };
  }

  it('keeps its data from one start to the next', async () => {
    const first = await start();
    await runOnce(first.url, 'create table kept (value int)');
    await first.stop();
    const second = await start();
    await expect(runOnce(second.url, 'insert into kept values (1)')).resolves.toBeUndefined();
  });

  it('leaves no server behind when it is stopped', async () => {
    const postgres = await start();
    await postgres.stop();
    expect(await accepts(postgres.port)).toBe(false);
    expect(existsSync(path.join(dataDir, 'postmaster.pid'))).toBe(false);
  });

  it('can be stopped twice, and while clients are connected', async () => {
    const postgres = await start();
    const client = new Client({ connectionString: postgres.url });
    client.on('error', () => {});
    await client.connect();
    const cut = new Promise((resolve) => client.once('end', resolve)); // once() of node:events would reject on 'error'
    await Promise.all([postgres.stop(), postgres.stop()]);
    await cut;
    expect(await accepts(postgres.port)).toBe(false);
  });

  it('takes over, and then stops, the server of a process that was killed with -9', async () => {
    const killed = await startElsewhere();
    await killed.end('SIGKILL');
    const heir = await start();
    expect(heir.pid).toBe(killed.postgresPid);
    await expect(runOnce(heir.url, 'select 1')).resolves.toBeUndefined();
    await heir.stop();
    expect(await accepts(heir.port)).toBe(false);
  });

  it('does not end at Ctrl-C, which goes to the process group of its starter', async () => {
    const interrupted = await startElsewhere();
    await interrupted.end('SIGINT');
    const heir = await start();
    expect(heir.pid).toBe(interrupted.postgresPid);
  });

  it('gives the same server to two that start at the same time, the very first time', async () => {
    useFreshDirectory();
    const [one, two] = await Promise.all([start(), start()]);
    expect(one.pid).toBe(two.pid);
  });

  it.each([
    ['belongs to another program by now', () => process.pid],
    ['is dead', () => 2 ** 22 + 1],
  ])('starts although the process in a left-over lock %s', async (_, pidInLock) => {
    await (await start()).stop();
    writeFileSync(path.join(dataDir, 'postmaster.pid'), `${pidInLock()}\n${dataDir}\n0\n5432\n\n127.0.0.1\n0 0\nready   \n`);
    const postgres = await start();
    expect(await accepts(postgres.port)).toBe(true);
  });

  it('lets nobody in without the password, which only its owner can read', async () => {
    const postgres = await start();
    const url = new URL(postgres.url);
    url.password = 'guess';
    await expect(runOnce(url.href, 'select 1')).rejects.toThrow('password authentication failed');
    expect(statSync(`${dataDir}.password`).mode & 0o777).toBe(0o600);
  });

  it('says in one line why it cannot start', async () => {
    await (await start()).stop();
    const version = readFileSync(path.join(dataDir, 'PG_VERSION'));
    cleanUp.push(() => writeFileSync(path.join(dataDir, 'PG_VERSION'), version));
    writeFileSync(path.join(dataDir, 'PG_VERSION'), '11\n');
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(/^the embedded PostgreSQL did not start: .*not compatible.*$/);
  });

  it('refuses a directory that holds something else', async () => {
    useFreshDirectory();
    mkdirSync(dataDir);
    writeFileSync(path.join(dataDir, 'letter.txt'), 'dear');
    await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow('is not empty and holds no database');
    expect(readFileSync(path.join(dataDir, 'letter.txt'), 'utf8')).toBe('dear');
  });

  describe('as root in a private home', () => {
    beforeEach(() => chmodSync(useFreshDirectory(), 0o700));

    itAsRoot('keeps its files where its user can reach them, and finds them again', async () => {
      const first = await start();
      cleanUp.push(() => rmSync(first.dataDir, { recursive: true, force: true }));
      await first.stop();
      const second = await start();
      expect(second.dataDir).toBe(first.dataDir);
      expect(second.dataDir).not.toBe(dataDir);
      expect(readFileSync(`${dataDir}.location`, 'utf8').trim()).toBe(first.dataDir);
    });

    itAsRoot('refuses to begin afresh when those files are gone', async () => {
      const postgres = await start();
      await postgres.stop();
      const moved = `${postgres.dataDir}.moved`;
      renameSync(postgres.dataDir, moved);
      cleanUp.push(() => rmSync(moved, { recursive: true, force: true }));
      await expect(startEmbeddedPostgres({ dataDir })).rejects.toThrow(/which is gone/);
    });
  });
});

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
