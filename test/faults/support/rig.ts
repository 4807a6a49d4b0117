import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { GatewaysRepository } from '../../../src/ledger/index.js';
import { createPool } from '../../../src/platform/postgres/index.js';
import { WeirProcess } from '../../support/process.js';
import { ScriptedUpstream } from '../../support/upstream.js';
import { admin, createTenant, eventually, type TestTenant } from '../../support/weir.js';

/** Nano-USD per token. An output token costs a thousand input tokens, so a hold tells its call's output limit. */
export const PRICE = { input: 1_000n, output: 1_000_000n };

/** A gateway with nothing to serve ends within this. */
const END_WITHIN_MS = 15_000;

/** A gateway process and what it leaves on disk. */
export interface Gateway {
  readonly home: string;
  readonly environment: Record<string, string>;
  process: WeirProcess;
  /** Null while it is down. */
  url: string | null;
}

interface Database {
  /** For the product. */
  readonly url: string;
  /** For the spec. */
  readonly db: Pool;
}

/** Posts to the admin REST as the tenant, below `/v1/organization/`. */
type Post = <T = unknown>(path: string, body: object) => Promise<T>;

export interface RigOptions {
  /** Of the tenant, in USD per month; one that is never spent unless given. */
  budget?: string;
  /** USD per million input tokens. */
  inputPrice?: string;
  environment?: Record<string, string>;
  /** Where the gateways find the upstream, `host:port`, if not at its own address. */
  upstreamAt?: (upstream: ScriptedUpstream) => Promise<string>;
  /** More to set up through the admin REST. */
  prepare?: (tenant: TestTenant, post: Post) => Promise<void>;
}

/** What a fault is tried on: a database, a scripted upstream, a tenant with a budget, and gateways that come and go. */
export class Rig {
  readonly gateways: Gateway[] = [];
  tenant!: TestTenant;
  operatorKey!: string;
  /** A load on it ends, too: also one of a test that has failed. */
  stopped = false;
  private tags = 10_000;

  private constructor(
    readonly database: Database,
    readonly upstream: ScriptedUpstream,
    private readonly directory: string,
    private readonly environment: Record<string, string>,
  ) {}

  /** Sets up the tenant with a process that is gone again when this resolves. */
  static async start(database: Database, options: RigOptions = {}): Promise<Rig> {
    const upstream = await ScriptedUpstream.start();
    const hostPort = (await options.upstreamAt?.(upstream)) ?? upstream.hostPort;
    const rig = new Rig(database, upstream, mkdtempSync(join(tmpdir(), 'weir-rig-')), {
      WEIR_MASTER_KEY: 'test master key, at least 32 characters',
      WEIR_EGRESS_ALLOW: hostPort,
      ...options.environment,
    });
    await rig.setUp(hostPort, options);
    return rig;
  }

  get db(): Pool {
    return this.database.db;
  }

  /** A mark for the next call, unlike any other's. */
  nextTag(): number {
    return this.tags++;
  }

  /** Starts a gateway on a home of this name, the same as before if it has run before. */
  async spawn(name: string, environment: Record<string, string> = {}, root?: string): Promise<Gateway> {
    const gateway = this.launch(name, environment, undefined, root);
    this.gateways.push(gateway);
    gateway.url = (await gateway.process.ready()).public;
    return gateway;
  }

  /** Starts a gateway that may end before it is ready. See {@link WeirProcess.spawn} for `stderr` and `root`. */
  launch(name: string, environment: Record<string, string> = {}, stderr?: number, root?: string): Gateway {
    const home = join(this.directory, name);
    const all = { ...this.environment, DATABASE_URL: this.database.url, WEIR_HOME: home, WEIR_ROLES: 'gateway', ...environment };
    return { home, environment: all, process: WeirProcess.spawn(all, undefined, undefined, stderr, root), url: null };
  }

  /** Kills a gateway outright. */
  async kill(gateway: Gateway): Promise<void> {
    gateway.url = null;
    await gateway.process.kill('SIGKILL');
  }

  /** Starts a gateway again on what it left. */
  async restart(gateway: Gateway): Promise<void> {
    gateway.process = WeirProcess.spawn(gateway.environment);
    gateway.url = (await gateway.process.ready()).public;
  }

  /** Ends a gateway in order: every call it serves is over and booked. */
  async end(gateway: Gateway): Promise<void> {
    gateway.url = null;
    const deadline = setTimeout(() => gateway.process.child.kill('SIGKILL'), END_WITHIN_MS);
    const ended = await gateway.process.kill('SIGTERM');
    clearTimeout(deadline);
    if (ended !== 0) throw new Error(`a gateway did not end in order (${ended}): ${gateway.process.stderr}`);
  }

  /** An operator's word that every gateway which holds money and is not known to be gone is gone. */
  async forgetSilent(): Promise<void> {
    const pool = createPool(this.database.url, { max: 1, statementTimeoutMs: 10_000, name: 'operator' });
    const gateways = new GatewaysRepository(pool);
    for (const { id, alive } of await gateways.silent()) if (!alive) await gateways.forget(id, 'operator', 'the test killed it');
    await pool.end();
  }

  /** Money held now, over all budgets. */
  async held(): Promise<bigint> {
    return (await this.db.query<{ held: bigint }>('SELECT coalesce(sum(held), 0)::bigint AS held FROM budget_periods')).rows[0]!.held;
  }

  /** Nothing is left held without anybody moving a clock. */
  async settled(withinMs = 10_000): Promise<void> {
    await eventually(async () => (await this.held()) === 0n, withinMs);
  }

  /** Leaves nothing running. Outright: what a test wants to see of an orderly end it asks for itself. */
  async stop(): Promise<void> {
    this.stopped = true;
    await WeirProcess.endAll('SIGKILL');
    await this.upstream.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async setUp(hostPort: string, { budget = '1000000.00', inputPrice = '1', prepare }: RigOptions): Promise<void> {
    const setup = this.launch('setup', { WEIR_ROLES: 'control,gateway' });
    const ready = await setup.process.ready();
    const weir = { publicUrl: ready.public, adminUrl: ready.admin, operatorKey: ready.operator_key!, db: this.db };
    this.operatorKey = weir.operatorKey;
    this.tenant = await createTenant({ ...weir, databaseUrl: this.database.url, stop: async () => {} });
    const post: Post = (path, body) => admin(weir, this.tenant.adminKey, 'POST', `/v1/organization/${path}`, body);
    await post('prices', { provider: 'up', model: '*', input: inputPrice, output: '1000' });
    const key = 'sk-up-secret-of-the-provider';
    await post('providers', {
      name: 'up',
      type: 'openai',
      base_url: `http://${hostPort}/v1`,
      key,
      models: ['test-model'],
      no_verify: true,
      // A provider that never ends its answer must not be waited for.
      on_client_gone: 'cancel',
    });
    await post('budgets', { scope: { kind: 'tenant' }, limit: budget, period: 'month' });
    await prepare?.(this.tenant, post);
    await this.end(setup);
  }
}
