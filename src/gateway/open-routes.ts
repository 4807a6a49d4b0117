import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Health } from '../platform/telemetry/index.js';

const PATHS: ReadonlySet<string | undefined> = new Set(['/livez', '/readyz', '/openapi.json']);

/** Whether a request asks for something that nobody needs a key for. */
export const needsNoKey = ({ routeOptions }: FastifyRequest): boolean => PATHS.has(routeOptions.url);

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

/** The OpenAPI document, made once. */
export function registerDocument(app: FastifyInstance, document: object): void {
  const bytes = Buffer.from(JSON.stringify(document));
  app.get('/openapi.json', (_request, reply) => reply.type('application/json').send(bytes));
}
