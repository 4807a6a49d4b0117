import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Caller, CallerDirectory } from '../../api-keys/index.js';
import { readHead } from '../request-head.js';

/** Who is calling. @throws WeirError invalid_api_key, key_conflict, invalid_request, unsupported_media_type */
export const verifyCaller = (callers: CallerDirectory, request: FastifyRequest): Caller =>
  callers.verify(readHead(request.raw.rawHeaders).key);

export type Handler = (request: FastifyRequest, reply: FastifyReply) => unknown;
