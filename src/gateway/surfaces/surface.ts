import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Caller, CallerDirectory } from '../../api-keys/index.js';
import { crashPoint } from '../../platform/faults/index.js';
import type { CallOptions } from '../call-options.js';
import { readHead } from '../request-head.js';

/** Who is calling. @throws WeirError invalid_api_key, key_conflict, invalid_request, unsupported_media_type */
export const verifyCaller = (callers: CallerDirectory, request: FastifyRequest): Caller => verifyCall(callers, request).caller;

/** Who is calling, and how the call is to be treated. @throws as verifyCaller */
export function verifyCall(callers: CallerDirectory, request: FastifyRequest): { caller: Caller; options: CallOptions } {
  const { key, options } = readHead(request.raw.rawHeaders);
  const caller = callers.verify(key);
  crashPoint('after_auth');
  return { caller, options };
}

export type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;
