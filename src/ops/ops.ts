import type { FastifyInstance } from 'fastify';
import type { Pool } from 'pg';
import { type Fault, type Health, type Metrics, oneLine } from '../platform/telemetry/index.js';

const READY_TIMEOUT_MS = 1_000;

const postgresFault = (reason: string): Fault => ({ part: 'postgres', status: 'postgres_unreachable', reason });

export interface OpsOptions {
  metrics: Metrics;
  health: Health;
  pool: Pool;
}

/** Liveness, readiness and metrics on the admin listener, for machines: no key, no tenant's data. */
export function registerOps(app: FastifyInstance, { metrics, health, pool }: OpsOptions): void {
  app.get('/livez', async () => ({ status: 'live' }));

  app.get('/readyz', async (_request, reply) => {
    if (health.leaving) return reply.code(503).send({ status: 'draining' });
    const faults = [...(await faultsOf(pool)), ...health.faults()];
    const [first] = faults;
    if (!first) return { status: 'ready' };
    return reply.code(503).send({ status: first.status, failing: faults.map(({ part, reason }) => ({ part, reason })) });
  });

  app.get('/metrics', async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()));
}

async function faultsOf(pool: Pool): Promise<Fault[]> {
  const silent = postgresFault(`Postgres did not answer within ${READY_TIMEOUT_MS} ms`);
  const timeout = new Promise<Fault[]>((resolve) => setTimeout(resolve, READY_TIMEOUT_MS, [silent]).unref());
  return Promise.race([
    timeout,
    pool.query('SELECT 1').then(
      () => [],
      (error: unknown) => [postgresFault(`Postgres cannot be asked: ${oneLine(error)}`)],
    ),
  ]);
}
