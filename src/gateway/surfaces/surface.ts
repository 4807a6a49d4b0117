import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Caller } from '../../api-keys/index.js';
import { inTenantScope } from '../../platform/postgres/index.js';
import { needsOf, type PlanRequest } from '../../routing/index.js';

export type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;

/** Whether a client of Anthropic's API reads the answer: they all name its version. */
export const isOfAnthropic = ({ headers }: Pick<FastifyRequest, 'headers'>): boolean => headers['anthropic-version'] !== undefined;

/** A request for a model that needs nothing of it. */
export const nothingBut = (name: string, param = 'model'): PlanRequest => ({
  models: [{ name, param }],
  defaultModel: null,
  maxOutputTokens: null,
  session: null,
  timeoutMs: null,
  scopes: [],
  inputTokensBound: 0,
  needs: () => needsOf({}),
});

const READ_MS = 2_000;

/** In the scope of the caller's tenant. */
export const asTenant = <T>(caller: Caller, work: () => Promise<T>): Promise<T> =>
  inTenantScope({ tenantId: caller.tenantId, actsAs: 'tenant', statementTimeoutMs: READ_MS }, work);
