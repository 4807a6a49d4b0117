import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, chownSync, copyFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Pool } from 'pg';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/platform/postgres/embedded.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { openPool, runOnce, urlOfDatabase } from './database.js';
import { leash } from './leash.js';
import { limitFileSize } from './needs.js';
import { childrenOf, signalFamily } from './process-family.js';
import { TcpProxy } from './tcp-proxy.js';

/**
 * A PostgreSQL of a spec's own that keeps what it has committed, and that may be frozen and killed. The product reaches it through `proxy`,
 * at an address that survives a restart; the spec looks into it directly, whatever the proxy is doing.
 */
export class DurablePostgres {
  private readonly pools = new Set<Pool>();
  private replica: { server: EmbeddedPostgres; release: () => void } | null = null;

  private constructor(
    private readonly directory: string,
    private server: EmbeddedPostgres,
    private release: () => void,
    /** The way of the product to this server. */
    readonly proxy: TcpProxy,
  ) {}

  static async start(): Promise<DurablePostgres> {
    const directory = mkdtempSync(path.join(tmpdir(), 'weir-faults-'));
    chmodSync(directory, 0o755); // as root, PostgreSQL runs as somebody else, who must be able to get in
    const server = await startEmbeddedPostgres({ dataDir: path.join(directory, 'postgres') });
    const release = leash(server.pid, directory);
    return new DurablePostgres(directory, server, release, await TcpProxy.start(server.port));
  }

  /** An empty database with all migrations applied. */
  async createDatabase(): Promise<DurableDatabase> {
    const name = `test_${randomUUID().replaceAll('-', '')}`;
    await runOnce(this.server.url, `create database ${name}`);
    await migrate(this.directUrl(name), { role: 'weir_app' });
    return new DurableDatabase(this, name);
  }

  /** Every process of the server stops where it is: connections stay open and nothing answers. */
  freeze(): void {
    signalFamily(this.server.pid, 'SIGSTOP');
  }

  thaw(): void {
    signalFamily(this.server.pid, 'SIGCONT');
  }

  /** Its disk is full: no file, and the write-ahead log is one of them, takes a byte beyond its first 64 KiB. Until it is started again. */
  fillDisk(): void {
    limitFileSize([this.server.pid, ...childrenOf(this.server.pid)], 65_536);
  }

  /** Every process of the server dies at once, as when its machine loses power. */
  async kill(): Promise<void> {
    await this.closePools();
    signalFamily(this.server.pid, 'SIGKILL');
    this.release();
  }

  /** Starts it again on what it had written; the product finds it at the same address. */
  async restart(): Promise<void> {
    this.server = await startEmbeddedPostgres({ dataDir: path.join(this.directory, 'postgres') });
    this.release = leash(this.server.pid, this.directory);
    this.proxy.retarget(this.server.port);
  }

  /**
   * Gives it a replica that follows it, from a copy of its files. From here on a commit is confirmed once the replica has it on disk; where it
   * follows asynchronously, at once. Nobody may be connected: it is stopped for the copy.
   */
  async addReplica({ synchronous = true } = {}): Promise<void> {
    const [primary, replica] = [path.join(this.directory, 'postgres'), path.join(this.directory, 'replica')];
    await this.closePools();
    await this.server.stop();
    this.release();
    execFileSync('cp', ['-a', primary, replica]);
    copyFileSync(`${primary}.password`, `${replica}.password`);
    await this.restart();
    const { port, username, password } = new URL(this.server.url);
    const follow = `host=127.0.0.1 port=${port} user=${username} password=${password} application_name=replica`;
    writeOwned(path.join(replica, 'standby.signal'), '', replica);
    writeOwned(path.join(replica, 'postgresql.auto.conf'), `primary_conninfo = '${follow}'\n`, replica);
    const server = await startEmbeddedPostgres({ dataDir: replica });
    this.replica = { server, release: leash(server.pid, this.directory) };
    if (synchronous) {
      await runOnce(this.server.url, `ALTER SYSTEM SET synchronous_standby_names = 'replica'`);
      await runOnce(this.server.url, 'SELECT pg_reload_conf()');
    }
    await this.replicates(`sync_state = '${synchronous ? 'sync' : 'async'}' AND state = 'streaming'`);
  }

  /** The replica has all that is committed by now, and gets nothing more: the network between the two is gone. */
  async cutReplica(): Promise<void> {
    await this.replicates('flush_lsn >= pg_current_wal_lsn()');
    await runOnce(this.replica!.server.url, `ALTER SYSTEM SET primary_conninfo = ''`);
    await runOnce(this.replica!.server.url, 'SELECT pg_reload_conf()');
    await this.replicates(null);
  }

  /** Waits until the replica is in this state; null: gone. */
  private async replicates(condition: string | null): Promise<void> {
    const pool = openPool(this.server.url);
    const wanted = condition === null ? 0 : 1;
    while ((await pool.query(`SELECT 1 FROM pg_stat_replication WHERE ${condition ?? true}`)).rowCount !== wanted);
    await pool.end();
  }

  /** It dies with its machine; its replica takes its place, at the same address. */
  async failOver(): Promise<void> {
    const { server, release } = this.replica!;
    this.replica = null;
    await this.kill();
    [this.server, this.release] = [server, release];
    await runOnce(server.url, 'SELECT pg_promote()'); // resolves when it takes writes
    this.proxy.retarget(server.port);
  }

  async stop(): Promise<void> {
    this.thaw();
    await this.replica?.server.stop();
    this.replica?.release();
    await this.closePools();
    await this.proxy.stop();
    await this.server.stop();
    this.release();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Past the proxy, where the server is now. */
  directUrl(database: string): string {
    return urlOfDatabase(this.server.url, database);
  }

  /** Through the proxy. */
  productUrl(database: string): string {
    const url = new URL(this.directUrl(database));
    url.port = String(this.proxy.port);
    return url.href;
  }

  openPool(database: string): Pool {
    const pool = openPool(this.directUrl(database));
    this.pools.add(pool);
    return pool;
  }

  private async closePools(): Promise<void> {
    const pools = [...this.pools];
    this.pools.clear();
    await Promise.all(pools.map((pool) => pool.end()));
  }
}

/** One database of a {@link DurablePostgres}. */
export class DurableDatabase {
  private pool: Pool | null = null;

  constructor(
    private readonly server: DurablePostgres,
    private readonly name: string,
  ) {}

  /** For the product: through the proxy, the same after a restart. */
  get url(): string {
    return this.server.productUrl(this.name);
  }

  /** Past the proxy, for a process that shall not be touched by its faults. Another one after each restart of the server. */
  get directUrl(): string {
    return this.server.directUrl(this.name);
  }

  /** For the spec: as the owner, directly. Another one after each restart of the server. */
  get db(): Pool {
    if (!this.pool || this.pool.ended) this.pool = this.server.openPool(this.name);
    return this.pool;
  }
}

/** Writes a file of a database as its owner would. */
function writeOwned(file: string, text: string, like: string): void {
  writeFileSync(file, text, { mode: 0o600 });
  const { uid, gid } = statSync(like);
  chownSync(file, uid, gid);
}
