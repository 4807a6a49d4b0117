import type { FastifyInstance } from 'fastify';
import type { Pool } from 'pg';
import type { Metrics } from '../platform/telemetry/index.js';

const READY_TIMEOUT_MS = 1_000;

export interface OpsOptions {
  metrics: Metrics;
  pool: Pool;
  /** The process is shutting down: balancers should look elsewhere. */
  isDraining(): boolean;
}

/** Liveness, readiness and metrics on the admin listener, for machines: no key, no tenant's data. */
export function registerOps(app: FastifyInstance, { metrics, pool, isDraining }: OpsOptions): void {
  app.get('/livez', async () => ({ status: 'live' }));

  app.get('/readyz', async (_request, reply) => {
    if (isDraining()) return reply.code(503).send({ status: 'draining' });
    const reachable = await answersInTime(pool);
    return reply.code(reachable ? 200 : 503).send({ status: reachable ? 'ready' : 'postgres_unreachable' });
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
