import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { Pool } from 'pg';
import { loadTokenizers, PublicServer } from '../gateway/index.js';
import { setBy } from '../kernel/setting-of.js';
import { RetentionRepository } from '../ledger/index.js';
import { registerOps } from '../ops/index.js';
import { SignInLinks, signInUrl } from '../people/index.js';
import type { Config } from '../platform/config/index.js';
import { armCrash } from '../platform/faults/index.js';
import { claimHome, patiently, startEmbeddedPostgres } from '../platform/postgres/index.js';
import { createLogger, Health, type Logger, Metrics } from '../platform/telemetry/index.js';
import { type FirstStart, Setup } from '../setup/index.js';
import { createApp, setsUp } from './app.js';
import { migrateDatabase } from './database.js';
import { makeHome } from './home.js';
import { masterKeysOf } from './master-key.js';
import { openPlatform } from './platform.module.js';

/** Connections to a server that is silent cannot be closed in order; what is safe on disk must not wait for them. */
const UNWIND_MS = 8_000;

/** A running process. */
export interface Weir {
  /** Base URL of the tenants' listener; null without the gateway role. */
  publicUrl: string | null;
  adminUrl: string;
  start: FirstStart | null;
  /** A link to become the first operator who signs in. Null: there are people, the database is shared, or this process has no control role. */
  firstSignIn(): Promise<string | null>;
  /** Takes from a configuration that was read anew what can change while calls go on. */
  reload(config: Config): void;
  /** Says that it is not ready, and serves on: load balancers need a while to look elsewhere. */
  leave(): void;
  /** Takes no new calls and ends those in flight within `limitMs`; resolves when nothing is left running. */
  stop(limitMs: number): Promise<void>;
  /** Ends calls in flight at once; they are booked as cut. */
  cutCalls(): void;
}

/** Closes what was opened, the last first. */
class Stack {
  private readonly steps: (() => Promise<unknown>)[] = [];

  push(step: () => Promise<unknown>): void {
    this.steps.push(step);
  }

  /** A step that fails keeps no other from being done. @throws what failed first. */
  async unwind(): Promise<void> {
    const failures: unknown[] = [];
    for (let step = this.steps.pop(); step; step = this.steps.pop()) await step().catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}

/**
 * Starts a process with its roles. What was started is stopped again when a later step fails; where that is because Postgres is away for the moment,
 * the start begins anew a little later.
 * @param signal gives up the waiting for Postgres.
 */
export async function startWeir(config: Config, log = createLogger(config.logLevel), signal?: AbortSignal): Promise<Weir> {
  let shownOnce: FirstStart | null = null;
  const attempt = async () => {
    const stack = new Stack();
    try {
      return await startOn(stack, config, log, (start) => {
        shownOnce = firstOf(shownOnce, start);
        return shownOnce;
      });
    } catch (error) {
      // A connection that is being made to a server that is gone would keep it.
      await Promise.race([stack.unwind().catch(() => {}), delay(UNWIND_MS, undefined, { ref: false })]);
      throw error;
    }
  };
  return patiently(attempt, log, signal);
}

/** Keys are shown by the start that made them, and a start may have to begin anew after that. */
const firstOf = (before: FirstStart | null, now: FirstStart): FirstStart => ({
  ...now,
  operatorKey: before?.operatorKey ?? now.operatorKey,
});

async function startOn(stack: Stack, config: Config, log: Logger, keep: (start: FirstStart) => FirstStart): Promise<Weir> {
  armCrash(config.crash);
  makeHome(config.home);
  const databaseUrl = config.databaseUrl ?? (await startOwnPostgres(stack, config));
  await migrateDatabase(databaseUrl, config);
  const platform = await openPlatform(config, databaseUrl, masterKeysOf(config), log);
  stack.push(() => platform.close());

  const app = await createApp(config, platform.module, log);
  const health = app.get(Health);
  registerOps(app.getHttpAdapter().getInstance() as unknown as FastifyInstance, {
    metrics: app.get(Metrics),
    health,
    pool: app.get(Pool),
  });
  // Also where only a part of it comes up: what that part opened is closed.
  stack.push(() => app.close());
  await app.init();
  await app.get(RetentionRepository, { strict: false }).ensurePartitions();
  const start = setsUp(config) ? keep(await app.get(Setup, { strict: false }).run()) : null;
  await platform.changes.start();

  const publicServer = config.roles.has('gateway') ? app.get(PublicServer, { strict: false }) : null;
  const publicUrl = publicServer ? await setBy('WEIR_PUBLIC', publicServer.start()) : null;
  const adminUrl = await listenForAdmins(app, config);
  const leave = () => {
    health.leaving = true;
  };
  return {
    publicUrl,
    adminUrl,
    start,
    async firstSignIn() {
      if (config.databaseUrl !== null || !config.roles.has('control')) return null;
      const token = await app.get(SignInLinks, { strict: false }).createFirst();
      return token && signInUrl(config.admin.url?.origin ?? adminUrl, token);
    },
    reload: (next) => platform.reloads.apply(next),
    leave,
    async stop(limitMs) {
      leave();
      await publicServer?.stop(limitMs);
      await Promise.race([stack.unwind(), delay(UNWIND_MS, undefined, { ref: false })]);
    },
    cutCalls: () => publicServer?.cutCalls(),
  };
}

/** Loads what would hold up the first calls that need it. */
export function warmUp({ roles }: Config): void {
  if (roles.has('gateway')) loadTokenizers();
}

/** Postgres of our own, under `home`, with a database for Weir. */
async function startOwnPostgres(stack: Stack, config: Config): Promise<string> {
  const postgres = await startEmbeddedPostgres({ dataDir: join(config.home, 'postgres') });
  // Whoever has it stops it; who is too late leaves it as it is.
  await claimHome(postgres.url, config.home);
  stack.push(() => postgres.stop());
  return postgres.url;
}

async function listenForAdmins(app: NestFastifyApplication, config: Config): Promise<string> {
  await app.init();
  // Not by Nest, which would write a line of its own where the port is taken.
  const url = await setBy('WEIR_ADMIN', app.getHttpAdapter().getInstance().listen({ port: config.admin.port, host: config.admin.host }));
  return url.replace('[::1]', 'localhost').replace(/\/$/, '');
}
