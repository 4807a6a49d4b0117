import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Health } from '../platform/telemetry/index.js';

const PATHS: ReadonlySet<string | undefined> = new Set(['/livez', '/readyz']);

/** Whether a request asks for the health of the process, for which nobody needs a key. */
export const asksForHealth = ({ routeOptions }: FastifyRequest): boolean => PATHS.has(routeOptions.url);

/** Liveness and readiness for load balancers: one word, from memory. What is wrong is said on the admin listener. */
export function registerHealth(app: FastifyInstance, health: Health): void {
  const method = ['GET', 'HEAD'];
  app.route({ method, url: '/livez', handler: (_request, reply) => reply.send('live') });
  app.route({
    method,
    url: '/readyz',
    handler: (_request, reply) => {
      if (health.takesCalls) return reply.send('ready');
      return reply.code(503).send(health.leaving ? 'draining' : 'unready');
    },
  });
}
