import Fastify from 'fastify';
import { Pool } from 'pg';
import { Health, Metrics } from '../platform/telemetry/index.js';
import { registerOps } from './ops.js';

test('readiness says why Postgres cannot be asked, also where its host has several addresses', async () => {
  const app = Fastify();
  const pool = new Pool({ host: 'localhost', port: 1 });
  registerOps(app, { metrics: new Metrics(), health: new Health(), pool });
  const reply = await app.inject('/readyz');
  expect([reply.statusCode, reply.json()]).toEqual([
    503,
    {
      status: 'postgres_unreachable',
      failing: [{ part: 'postgres', reason: expect.stringMatching(/^Postgres cannot be asked: connect ECONNREFUSED /) }],
    },
  ]);
  await app.close();
});
