import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Pool } from 'pg';
import { WeirProcess } from '../../support/process.js';
import { ScriptedUpstream } from '../../support/upstream.js';
import { admin, createTenant, eventually, type TestTenant } from '../../support/weir.js';

/** Nano-USD per token. An output token costs a thousand input tokens, so a hold tells its call's output limit. */
export const PRICE = { input: 1_000n, output: 1_000_000n };

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

/** What a fault is tried on: a database, a scripted upstream, a tenant with a budget, and gateways that come and go. */
export class Rig {
  readonly gateways: Gateway[] = [];
  tenant!: TestTenant;
  private tags = 10_000;

  private constructor(
    readonly database: Database,
    readonly upstream: ScriptedUpstream,
    private readonly directory: string,
    private readonly environment: Record<string, string>,
  ) {}

  /**
   * Sets up the tenant with a process that is gone again when this resolves.
   * @param options.upstreamPort where the gateways find the upstream, if not at its own port
   */
  static async start(
    database: Database,
    options: { budget?: string; environment?: Record<string, string>; upstreamAt?: (upstream: ScriptedUpstream) => Promise<string> } = {},
  ): Promise<Rig> {
    const upstream = await ScriptedUpstream.start();
    const hostPort = (await options.upstreamAt?.(upstream)) ?? upstream.hostPort;
    const rig = new Rig(database, upstream, mkdtempSync(join(tmpdir(), 'weir-rig-')), {
      WEIR_MASTER_KEY: 'test master key, at least 32 characters',
      WEIR_EGRESS_ALLOW: hostPort,
      ...options.environment,
    });
    const setup = await rig.spawn('setup', { WEIR_ROLES: 'control,gateway' });
    rig.tenant = await rig.createTenant(setup, hostPort, options.budget ?? '1000000.00');
    await rig.end(setup);
    rig.gateways.length = 0;
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
  async spawn(name: string, environment: Record<string, string> = {}): Promise<Gateway> {
    const gateway = this.launch(name, environment);
    this.gateways.push(gateway);
    gateway.url = (await gateway.process.ready()).public;
    return gateway;
  }

  /** Starts a gateway that may end before it is ready. */
  launch(name: string, environment: Record<string, string> = {}): Gateway {
    const home = join(this.directory, name);
    const all = { ...this.environment, DATABASE_URL: this.database.url, WEIR_HOME: home, WEIR_ROLES: 'gateway', ...environment };
    return { home, environment: all, process: WeirProcess.spawn(all), url: null };
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
    const ended = await gateway.process.kill('SIGTERM');
    if (ended !== 0) throw new Error(`a gateway did not end in order (${ended}): ${gateway.process.stderr}`);
  }

  /** Money held now, over all budgets. */
  async held(): Promise<bigint> {
    return (await this.db.query<{ held: bigint }>('SELECT coalesce(sum(held), 0)::bigint AS held FROM budget_periods')).rows[0]!.held;
  }

  /** Nothing is left held without anybody moving a clock. */
  async settled(withinMs = 10_000): Promise<void> {
    await eventually(async () => (await this.held()) === 0n, withinMs);
  }

  async stop(): Promise<void> {
    await WeirProcess.endAll();
    await this.upstream.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async createTenant(gateway: Gateway, hostPort: string, budget: string): Promise<TestTenant> {
    const ready = JSON.parse(gateway.process.stdout.split('\n')[0]!) as { public: string; admin: string; operator_key: string };
    const weir = { publicUrl: ready.public, adminUrl: ready.admin, operatorKey: ready.operator_key, db: this.db };
    const tenant = await createTenant({ ...weir, databaseUrl: this.database.url, stop: async () => {} });
    const call = (path: string, body: object) => admin(weir, tenant.adminKey, 'POST', `/v1/organization/${path}`, body);
    await call('prices', { provider: 'up', model: '*', input: '1', output: '1000' });
    await call('providers', {
      name: 'up',
      type: 'openai',
      base_url: `http://${hostPort}/v1`,
      key: 'sk-up-secret-of-the-provider',
      models: ['test-model'],
    });
    await call('budgets', { scope: { kind: 'tenant' }, limit: budget, period: 'month' });
    return tenant;
  }
}
