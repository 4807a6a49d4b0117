import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Caller, CallerDirectory } from '../../api-keys/index.js';
import { crashPoint } from '../../platform/faults/index.js';
import { inTenantScope } from '../../platform/postgres/index.js';
import { needsOf, type PlanRequest } from '../../routing/index.js';
import type { CallOptions } from '../call-options.js';
import { readHead } from '../request-head.js';

/** Who is calling. @throws WeirError invalid_api_key, key_conflict, invalid_request, unsupported_media_type */
export const verifyCaller = (callers: CallerDirectory, request: FastifyRequest): Caller => verifyCall(callers, request).caller;

interface Verified {
  caller: Caller;
  options: CallOptions;
  /** When the head of its request was read, by `performance.now()`. */
  arrivedAt: number;
}

const verified = new WeakMap<FastifyRequest, Verified>();

/** Who is calling, and how the call is to be treated. A request is verified once, before its body is read. @throws as verifyCaller */
export function verifyCall(callers: CallerDirectory, request: FastifyRequest): Verified {
  const known = verified.get(request);
  if (known) return known;
  const arrivedAt = performance.now();
  const { key, options } = readHead(request.raw.rawHeaders);
  const call = { caller: callers.verify(key), options, arrivedAt };
  verified.set(request, call);
  crashPoint('after_auth');
  return call;
}

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
