import { createHmac } from 'node:crypto';
import { type DynamicModule, Module } from '@nestjs/common';
import { Pool } from 'pg';
import { CONFIG, type Config, Reloads } from '../platform/config/index.js';
import { Keyring, type MasterKeys } from '../platform/crypto/index.js';
import { DestinationGuard, Egress, ProxyConnector } from '../platform/egress/index.js';
import {
  assertBoundRole,
  CONFIG_POOL,
  ConfigChanges,
  createScopedPool,
  createTenantPool,
  DATABASE_URL,
  DIRECT_URL,
  keepFunctions,
  Locks,
  Prisma,
  renewEndpoint,
  ServerClock,
  Transactions,
} from '../platform/postgres/index.js';
import { INSTALLATION, installationId } from '../platform/queue/index.js';
import { droppedLines, Health, LOGGER, type Logger, Metrics, Tracing } from '../platform/telemetry/index.js';

const POOL = { setting: 'WEIR_DATABASE_CALL_CONNECTIONS', statementTimeoutMs: 10_000, name: 'gateway' };
const PRISMA_POOL = { setting: 'WEIR_DATABASE_CONFIG_CONNECTIONS', statementTimeoutMs: 10_000, connectTimeoutMs: 5_000, name: 'config' };
/** Connections of the admin API: opened when the first request comes. */
const CONTROL_POOL = { setting: 'WEIR_DATABASE_ADMIN_CONNECTIONS', statementTimeoutMs: 10_000, connectTimeoutMs: 5_000, name: 'control' };

/** What every module stands on, opened before Nest starts. */
export interface Platform {
  module: DynamicModule;
  changes: ConfigChanges;
  reloads: Reloads;
  close(): Promise<void>;
}

/** @throws UnboundRole, MasterKeyMismatch, or the connection's error */
export async function openPlatform(config: Config, databaseUrl: string, masterKeys: MasterKeys, log: Logger): Promise<Platform> {
  const { call, config: configuration, admin } = config.databaseConnections;
  const tenantPool = createTenantPool(databaseUrl, { ...CONTROL_POOL, max: admin });
  const pool = createScopedPool(databaseUrl, { ...POOL, max: call }, tenantPool);
  const keyring = await openKeyring(pool, masterKeys, log).catch(async (error) => {
    await pool.end();
    throw error;
  });
  const stopKeeping = keepFunctions(pool, log);
  const prismaPool = createScopedPool(databaseUrl, { ...PRISMA_POOL, max: configuration }, tenantPool);
  const prisma = new Prisma(prismaPool, await schemaOf(pool));
  const clock = new ServerClock(pool);
  const directUrl = config.databaseDirectUrl ?? databaseUrl;
  const changes = new ConfigChanges(directUrl, pool, clock, log);
  const guard = new DestinationGuard(config.egressAllow);
  const proxy = config.egressProxy && new ProxyConnector(config.egressProxy, guard, config.timeouts.connectMs, log);
  const egress = new Egress(guard, config.timeouts, nameOf(keyring), proxy);
  const reloads = new Reloads();
  reloads.onReload((next) => {
    log.level = next.logLevel;
    if (next.databaseUrl) renewEndpoint(databaseUrl, next.databaseUrl);
    if (next.databaseDirectUrl) renewEndpoint(directUrl, next.databaseDirectUrl);
    Object.assign(config.timeouts, next.timeouts);
    guard.allow(next.egressAllow);
    if (next.egressProxy) proxy?.use(next.egressProxy, next.timeouts.connectMs);
    egress.renew();
  });
  const metrics = new Metrics();
  const health = new Health();
  const tracing = config.tracing && Tracing.open(config.tracing, metrics, log);
  watchConfiguration(changes, metrics, health);
  metrics.watchPool('gateway', pool);
  metrics.watchPool('config', prismaPool);
  metrics.watchTotal('weir_log_lines_dropped_total', 'Log lines that nobody took in time.', () => droppedLines(log));
  const providers = [
    { provide: CONFIG, useValue: config },
    { provide: Reloads, useValue: reloads },
    { provide: LOGGER, useValue: log },
    { provide: DATABASE_URL, useValue: databaseUrl },
    { provide: DIRECT_URL, useValue: directUrl },
    { provide: Metrics, useValue: metrics },
    { provide: Tracing, useValue: tracing },
    { provide: Health, useValue: health },
    { provide: Pool, useValue: pool },
    { provide: CONFIG_POOL, useValue: prismaPool },
    { provide: Locks, useValue: new Locks(pool) },
    { provide: Prisma, useValue: prisma },
    { provide: Transactions, useValue: new Transactions(prisma) },
    { provide: ServerClock, useValue: clock },
    { provide: ConfigChanges, useValue: changes },
    { provide: Keyring, useValue: keyring },
    { provide: INSTALLATION, useValue: await installationId(keyring, pool) },
    { provide: DestinationGuard, useValue: guard },
    { provide: Egress, useValue: egress },
  ];
  return {
    module: { module: PlatformModule, global: true, providers, exports: providers },
    changes,
    reloads,
    async close() {
      stopKeeping();
      const traced = tracing?.close();
      await changes.stop();
      await egress.close();
      await prisma.$disconnect();
      await traced;
      await Promise.all([pool.end(), prismaPool.end(), tenantPool.end()]);
    },
  };
}

function watchConfiguration(changes: ConfigChanges, metrics: Metrics, health: Health): void {
  health.watch('configuration', 'configuration_stale', () => changes.alarm.reason, { stopsCalls: true });
  metrics.watch('weir_config_age_seconds', 'Seconds since keys, providers and prices in memory were known to be current.', () => {
    return Math.max(0, changes.ageMs) / 1000;
  });
  metrics.watchTotal('weir_config_reload_failures_total', 'Reads of the configuration that failed.', () => changes.alarm.raised);
}

async function schemaOf(pool: Pool): Promise<string> {
  return (await pool.query<{ name: string }>('SELECT current_schema() AS name')).rows[0]!.name;
}

/** The same for all gateways on one database, and tells nothing about it. */
const nameOf = ({ pepper }: Keyring): string => `weir-${createHmac('sha256', pepper).update('via').digest('hex').slice(0, 16)}`;

async function openKeyring(pool: Pool, masterKeys: MasterKeys, log: Logger): Promise<Keyring> {
  await assertBoundRole(pool);
  return Keyring.open(pool, masterKeys, log);
}

@Module({})
class PlatformModule {}
