import type pg from 'pg';
import { Alarm, type Logger } from '../telemetry/index.js';
import { isPostgresAway } from './patience.js';
import type { Pool } from './pool.js';
import { RoutedClient } from './routed-client.js';
import type { ServerClock } from './server-clock.js';
import { outsideTenantScope } from './tenant-scope.js';

/** Which tenants' configuration to read again; null: everything. */
export type Reload = (tenantIds: string[] | null) => Promise<void>;

/** What processes tell each other beside changes of the configuration. */
interface Topic {
  /** Takes what another process told, or this one. */
  hear(news: string): void;
  /** Reads what may have been missed. */
  recall(): Promise<void>;
}

/** Something of a tenant's may no longer be used: what nobody has read yet. */
export type Withdrawal = (tenantId: string, what: string) => void;

const POLL_MS = 5_000;
/** While a read fails, or nobody tells of changes. */
const HURRIED_POLL_MS = 1_000;
/** Changes this young are looked at in each poll: a version may become visible after a later one. */
const OVERLAP_MS = 60_000;
const TENANTS_AT_ONCE = 500;
/** A tenant that changed; with what of it may no longer be used. */
const CHANGED = 'weir_config';
/** A topic, and the news of it. */
const NEWS = 'weir_health';
const PAYLOAD = /^([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?: (.+))?$/;

/**
 * Keeps in-memory snapshots current: what changed is read at once where a NOTIFY tells of it, and in a poll every five seconds where a broken
 * connection missed it. What could not be read stays due and is tried again every second; until then an alarm is raised. The same connection
 * hears what processes tell each other.
 */
export class ConfigChanges {
  private readonly reloads: Reload[] = [];
  private readonly withdrawals: Withdrawal[] = [];
  private readonly topics = new Map<string, Topic>();
  private readonly seen = new Map<string, bigint>();
  /** Tenants that changed and were not read since. */
  private readonly due = new Set<string>();
  private loaded = false;
  /** A listener that is new may have missed something, however old. */
  private lookAtAll = true;
  private confirmedAt = Number.NEGATIVE_INFINITY;
  private listener: pg.Client | null = null;
  private timer: NodeJS.Timeout | null = null;
  private running: Promise<void> = Promise.resolve();
  private next: Promise<void> | null = null;
  private stopped = false;
  readonly alarm: Alarm;

  constructor(
    private readonly url: string,
    private readonly pool: Pool,
    private readonly clock: ServerClock,
    log: Logger,
  ) {
    this.alarm = new Alarm(
      log,
      'the configuration could not be read again, so changes of it are not seen here',
      'the configuration is read again',
    );
  }

  /** Adds a snapshot. @param first it is loaded before the others: a provider must not be seen before its key. */
  subscribe(reload: Reload, { first = false } = {}): void {
    if (first) this.reloads.unshift(reload);
    else this.reloads.push(reload);
  }

  /** Whom to tell of what may no longer be used, at once: before it is read, however much is read before it. */
  onWithdrawn(withdrawal: Withdrawal): void {
    this.withdrawals.push(withdrawal);
  }

  /** Passes on what is told of a topic by `pg_notify('weir_health', '<topic> <news>')`. Without a listener it is recalled in each poll. */
  hear(topic: string, ears: Topic): void {
    this.topics.set(topic, ears);
  }

  /** Loads every snapshot, then keeps them current. Rejects when the first load fails. */
  async start(): Promise<void> {
    await this.listen();
    await this.catchUp();
  }

  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.listener?.end().catch(() => {});
    await this.running.catch(() => {});
  }

  /** How long ago it was certain that every snapshot had what Postgres had. */
  get ageMs(): number {
    return performance.now() - this.confirmedAt;
  }

  /**
   * Resolves when every snapshot has what was committed before this was called; rejects when that cannot be read. Reads run one after another,
   * so an older one never overwrites a newer one, and all who ask during one share the next.
   */
  catchUp(): Promise<void> {
    if (this.next !== null) return this.next;
    const next = this.running
      .catch(() => {})
      .then(() => {
        this.next = null;
        // Whoever asks may work in the scope of one tenant; what is read is for all.
        return outsideTenantScope(() => this.read());
      });
    this.next = next;
    this.running = next;
    return next;
  }

  private async read(): Promise<void> {
    if (this.timer) clearTimeout(this.timer);
    const startedAt = performance.now();
    try {
      await this.listenAgain();
      await this.clock.ask();
      const versions = await this.changedVersions();
      if (this.loaded) await this.readTenants(versions);
      else await this.readAll(versions);
      if (this.lookAtAll || this.listener === null) await this.recall();
      this.lookAtAll = false;
      this.confirmedAt = startedAt;
      this.alarm.clear();
    } catch (error) {
      if (!this.stopped) this.alarm.raise(error, { ...(!isPostgresAway(error) && { err: error }), unconfirmed_tenants: this.due.size });
      throw error;
    } finally {
      this.pollLater();
    }
  }

  private pollLater(): void {
    if (this.stopped || !this.loaded) return;
    const hurry = this.alarm.reason !== null || this.listener === null;
    this.timer = setTimeout(() => this.catchUp().catch(() => {}), hurry ? HURRIED_POLL_MS : POLL_MS).unref();
  }

  private async readAll(versions: Map<string, bigint>): Promise<void> {
    for (const reload of this.reloads) await reload(null);
    this.loaded = true;
    this.note(versions.keys(), versions);
  }

  private async recall(): Promise<void> {
    for (const topic of this.topics.values()) await topic.recall();
  }

  /** What changes meanwhile is read along, so that a revocation does not wait behind ten thousand other changes. */
  private async readTenants(versions: Map<string, bigint>): Promise<void> {
    for (const tenantId of versions.keys()) this.due.add(tenantId);
    const waiting = [...this.due];
    this.due.clear();
    while (waiting.length > 0) {
      const some = [...new Set([...this.due, ...waiting.splice(0, TENANTS_AT_ONCE)])];
      this.due.clear();
      try {
        await this.readAgain(some);
      } catch (error) {
        for (const tenantId of [...some, ...waiting]) this.due.add(tenantId);
        throw error;
      }
      this.note(some, versions);
    }
  }

  /** What fails in one snapshot does not keep another from what it can have. */
  private async readAgain(tenantIds: string[]): Promise<void> {
    const failures: unknown[] = [];
    for (const reload of this.reloads) await reload(tenantIds).catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  private note(tenantIds: Iterable<string>, versions: Map<string, bigint>): void {
    for (const tenantId of tenantIds) {
      const version = versions.get(tenantId);
      if (version !== undefined) this.seen.set(tenantId, version);
    }
  }

  private async changedVersions(): Promise<Map<string, bigint>> {
    const everything = this.lookAtAll || this.ageMs > OVERLAP_MS / 2;
    const { rows } = await this.pool.query<{ tenant_id: string; version: bigint }>(
      `SELECT tenant_id, version FROM config_changes ${everything ? '' : 'WHERE changed_at > now() - make_interval(secs => $1)'}`,
      everything ? [] : [OVERLAP_MS / 1000],
    );
    return new Map(rows.filter((row) => this.seen.get(row.tenant_id) !== row.version).map((row) => [row.tenant_id, row.version]));
  }

  /** Without a listener changes are still found by polls, a second late at most. */
  private async listenAgain(): Promise<void> {
    if (this.listener || this.stopped) return;
    await this.listen().catch(() => {});
  }

  private async listen(): Promise<void> {
    const client = new RoutedClient({
      url: this.url,
      application_name: 'weir-listen',
      connectionTimeoutMillis: 2_000,
      keepAlive: true,
    });
    client.on('end', () => {
      this.listener = null;
    });
    client.on('notification', ({ channel, payload = '' }) => {
      if (channel === NEWS) return this.passOn(payload);
      const [, tenantId, what] = PAYLOAD.exec(payload) ?? [];
      if (!tenantId) return;
      if (what) for (const withdrawal of this.withdrawals) withdrawal(tenantId, what);
      this.due.add(tenantId);
      this.catchUp().catch(() => {});
    });
    await client.connect();
    await client.query(`LISTEN ${CHANGED}; LISTEN ${NEWS}`);
    this.listener = client;
    this.lookAtAll = true;
  }

  private passOn(payload: string): void {
    const space = payload.indexOf(' ');
    this.topics.get(payload.slice(0, space))?.hear(payload.slice(space + 1));
  }
}
