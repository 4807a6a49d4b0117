import { type CallHandler, type ExecutionContext, Injectable, type NestInterceptor } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Observable } from 'rxjs';
import { actorOf, actsAs } from '../../kernel/admin-caller.js';
import { EVERY_TENANT, inTenantScope } from '../../platform/postgres/index.js';
import { isOpen } from './access.js';
import { adminOf, requestIdOf } from './admin.js';

/** How long one statement of a route, or of all routes of a controller, may take in ms, where the default does not fit. */
export const StatementTimeout = Reflector.createDecorator<number>();

const READ_MS = 2_000;
const WRITE_MS = 10_000;

/**
 * Runs a request in the scope of the tenant it acts inside: Postgres then shows it no row of another tenant, also where a query forgets to
 * ask for its own only. What an operator does on the platform sees every tenant.
 */
@Injectable()
export class TenantScopeInterceptor implements NestInterceptor {
  constructor(private readonly reflector: Reflector) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    const declared = this.reflector.getAllAndOverride(StatementTimeout, [context.getHandler(), context.getClass()]);
    const statementTimeoutMs = declared ?? (request.method === 'GET' ? READ_MS : WRITE_MS);
    // Who signs in may be of any tenant.
    if (isOpen(request)) return inTenantScope({ tenantId: EVERY_TENANT, actsAs: 'tenant', statementTimeoutMs }, () => next.handle());
    const { tenantId, caller } = adminOf(context);
    const requestId = requestIdOf(context.switchToHttp().getResponse<FastifyReply>());
    const actor = JSON.stringify({ kind: caller.kind, id: actorOf(caller), request: requestId, address: request.ip });
    const scope = { tenantId: tenantId ?? EVERY_TENANT, actsAs: actsAs(caller), statementTimeoutMs, actor };
    return inTenantScope(scope, () => next.handle());
  }
}
