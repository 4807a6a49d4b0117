import pg from 'pg';
import type { Logger } from '../telemetry/index.js';
import type { Pool } from './pool.js';
import type { ServerClock } from './server-clock.js';

/** Rows without a tenant belong to the platform. */
export const PLATFORM = '00000000-0000-0000-0000-000000000000';

/** Which tenants' configuration to read again; null: everything. */
export type Reload = (tenantIds: string[] | null) => Promise<void>;

const POLL_MS = 5_000;

/**
 * Tells in-memory snapshots which tenants' configuration changed: at once by NOTIFY, and by a poll every five seconds for what a broken
 * connection missed. While Postgres is away the snapshots stay as they are.
 */
export class ConfigChanges {
  private readonly reloads: Reload[] = [];
  private readonly seen = new Map<string, bigint>();
  private listener: pg.Client | null = null;
  private timer: NodeJS.Timeout | null = null;
  private queue: Promise<void> = Promise.resolve();
  /** The reload that waits for the one under way, and whom it will read; null: everything. */
  private next: { tenantIds: Set<string> | null; run: Promise<void> } | null = null;
  private stopped = false;

  constructor(
    private readonly url: string,
    private readonly pool: Pool,
    private readonly clock: ServerClock,
    private readonly log: Logger,
  ) {}

  /** Adds a snapshot. @param first it is loaded before the others: a provider must not be seen before its key. */
  subscribe(reload: Reload, { first = false } = {}): void {
    if (first) this.reloads.unshift(reload);
    else this.reloads.push(reload);
  }

  /** Loads every snapshot, then keeps them current. Rejects when the first load fails. */
  async start(): Promise<void> {
    await this.listen();
    await this.poll();
    await this.reload(null);
    this.timer = setInterval(() => void this.poll().catch(() => {}), POLL_MS).unref();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearInterval(this.timer);
    await this.listener?.end().catch(() => {});
    await this.queue;
  }

  /**
   * Reads the configuration of these tenants again. One reload runs at a time, so an older read never overwrites a newer one; what changes
   * meanwhile is read together by the next, so many changes do not make many reloads.
   */
  private reload(tenantIds: string[] | null): Promise<void> {
    if (this.next) {
      this.next.tenantIds = this.next.tenantIds && tenantIds && new Set([...this.next.tenantIds, ...tenantIds]);
      return this.next.run;
    }
    const next = { tenantIds: tenantIds && new Set(tenantIds), run: this.queue.then(() => this.readAgain()) };
    this.next = next;
    this.queue = next.run.catch((error) => this.log.warn({ err: error }, 'configuration could not be read again'));
    return next.run;
  }

  private async readAgain(): Promise<void> {
    const { tenantIds } = this.next!;
    this.next = null;
    for (const reload of this.reloads) await reload(tenantIds && [...tenantIds]);
  }

  private async listen(): Promise<void> {
    const client = new pg.Client({
      connectionString: this.url,
      application_name: 'weir-listen',
      connectionTimeoutMillis: 2_000,
      keepAlive: true,
    });
    client.on('error', () => {});
    client.on('end', () => {
      this.listener = null;
    });
    client.on('notification', ({ payload }) => {
      if (payload) this.reload([payload]).catch(() => {});
    });
    await client.connect();
    await client.query('LISTEN weir_config');
    this.listener = client;
  }

  /** What changed in the last minute and was not seen yet. A version may become visible after a later one, hence the overlap. */
  private async poll(): Promise<void> {
    const reconnected = this.listener === null && !this.stopped;
    if (reconnected) await this.listen();
    await this.clock.ask();
    const { rows } = await this.pool.query<{ tenant_id: string; version: bigint }>(
      `SELECT tenant_id, version FROM config_changes WHERE $1 OR changed_at > now() - interval '1 minute'`,
      [reconnected || this.seen.size === 0],
    );
    const changed = rows.filter((row) => this.seen.get(row.tenant_id) !== row.version);
    for (const row of changed) this.seen.set(row.tenant_id, row.version);
    if (changed.length > 0 && this.timer) await this.reload(changed.map((row) => row.tenant_id));
  }
}
