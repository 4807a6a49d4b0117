import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException, Inject } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, WeirError } from '../../kernel/errors.js';
import { raised } from '../../platform/postgres/index.js';
import { LOGGER, type Logger } from '../../platform/telemetry/index.js';
import { renderFault } from '../scim/render.js';
import { requestIdOf } from './admin.js';
import { AdminGate } from './admin-gate.js';

/** What Postgres refuses to do for a tenant's admin, see the migration `guard_platform_rules`. */
const PLATFORM_RULE = 'WR001';

/** What Fastify and Nest refuse before a route is reached. */
const CODES: Partial<Record<number, ErrorCode>> = {
  400: 'invalid_json',
  404: 'not_found',
  408: 'request_timeout',
  413: 'request_too_large',
  415: 'unsupported_media_type',
  431: 'header_too_large',
};

/** Renders every failure of the admin REST as `{error: {message, type, param, code, …}}`. What nobody foresaw is logged, and told by a request id only. */
@Catch()
export class ErrorFilter implements ExceptionFilter {
  constructor(
    private readonly gate: AdminGate,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  catch(thrown: unknown, host: ArgumentsHost): void {
    const request = host.switchToHttp().getRequest<FastifyRequest>();
    const error = thrown instanceof WeirError ? thrown : this.refusalOf(thrown, request);
    const reply = host.switchToHttp().getResponse<FastifyReply>();
    const requestId = requestIdOf(reply);
    if (error.code === 'internal_error')
      this.log.error({ err: thrown, request: requestId, method: request.method, route: request.routeOptions.url }, 'admin request failed');
    const { message, type, param, code, fields } = error;
    const isScim = request.url.startsWith('/scim/');
    reply
      .code(error.status)
      .headers(error.headers())
      .type(isScim ? 'application/scim+json' : 'application/json')
      .send({ ...(isScim && renderFault(error)), error: { message, type, param, code, ...fields } });
  }

  private refusalOf(thrown: unknown, request: FastifyRequest): WeirError {
    const code =
      CODES[thrown instanceof HttpException ? thrown.getStatus() : ((thrown as { statusCode?: number } | null)?.statusCode ?? 500)];
    if (code === 'not_found') return this.gate.notFound(request);
    const rule = raised(PLATFORM_RULE, thrown);
    if (rule !== null) return new WeirError('platform_rule', { message: rule });
    return new WeirError(code ?? databaseCode(thrown) ?? 'internal_error', { cause: thrown });
  }
}

function databaseCode(thrown: unknown): ErrorCode | null {
  if (isOutage(thrown)) return 'database_unavailable';
  return thrown instanceof Error && thrown.message.includes('canceling statement due to statement timeout') ? 'query_timeout' : null;
}

/** Postgres is away, starting or shutting down, in the words of pg and of Prisma. */
const isOutage = (thrown: unknown): boolean =>
  /^(ECONNREFUSED|ECONNRESET|ETIMEDOUT|EPIPE|57P0[123]|08...|P1001|P1002|P1008|P1017)$/.test(
    String((thrown as { code?: unknown } | null)?.code),
  );
