import type { FastifyInstance } from 'fastify';
import type { Pool } from 'pg';
import type { Fault, Health, Metrics } from '../platform/telemetry/index.js';

const READY_TIMEOUT_MS = 1_000;

const POSTGRES_UNREACHABLE: Fault = {
  part: 'postgres',
  status: 'postgres_unreachable',
  reason: `Postgres did not answer within ${READY_TIMEOUT_MS} ms`,
};

export interface OpsOptions {
  metrics: Metrics;
  health: Health;
  pool: Pool;
  /** The process is shutting down: balancers should look elsewhere. */
  isDraining(): boolean;
}

/** Liveness, readiness and metrics on the admin listener, for machines: no key, no tenant's data. */
export function registerOps(app: FastifyInstance, { metrics, health, pool, isDraining }: OpsOptions): void {
  app.get('/livez', async () => ({ status: 'live' }));

  app.get('/readyz', async (_request, reply) => {
    if (isDraining()) return reply.code(503).send({ status: 'draining' });
    const faults = [...((await answersInTime(pool)) ? [] : [POSTGRES_UNREACHABLE]), ...health.faults()];
    const [first] = faults;
    if (!first) return { status: 'ready' };
    return reply.code(503).send({ status: first.status, failing: faults.map(({ part, reason }) => ({ part, reason })) });
  });

  app.get('/metrics', async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()));
}

async function answersInTime(pool: Pool): Promise<boolean> {
  const timeout = new Promise<false>((resolve) => setTimeout(resolve, READY_TIMEOUT_MS, false).unref());
  return Promise.race([
    timeout,
    pool.query('SELECT 1').then(
      () => true,
      () => false,
    ),
  ]);
}
