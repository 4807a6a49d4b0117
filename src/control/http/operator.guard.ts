import { type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { Strategy } from 'passport-custom';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { WeirError } from '../../kernel/errors.js';
import { found } from '../../kernel/found.js';
import { parsePublicId } from '../../kernel/ids.js';
import { TenantsRepository } from '../../tenants/index.js';
import { Access, type Audience, KeepsToProject, ReadsKeptLedger, rolesOf } from './access.js';
import type { AdminRequest } from './admin.js';
import { AdminGate } from './admin-gate.js';

const STRATEGY = 'admin-key';
const TENANT_HEADER = 'x-weir-tenant';

/** What a request is verified with. Passport keeps one strategy per process, so this comes with each request and not with the strategy. */
interface Verification {
  gate: AdminGate;
}

@Injectable()
export class AdminKeyStrategy extends PassportStrategy(Strategy, STRATEGY) {
  constructor() {
    super({ passOptionsToCallback: true });
  }

  validate(request: FastifyRequest, { gate }: Verification): Promise<AdminCaller> {
    return gate.verify(request);
  }
}

/** Lets a request through whose key may call the route, and settles which tenant it acts inside. */
@Injectable()
export class OperatorGuard extends AuthGuard(STRATEGY) {
  constructor(
    private readonly reflector: Reflector,
    private readonly gate: AdminGate,
    private readonly tenants: TenantsRepository,
  ) {
    super();
  }

  /**
   * @throws WeirError invalid_admin_key, address_not_allowed, too_many_bad_keys, forbidden, insufficient_role, invalid_request, not_found, tenant_suspended, tenant_deleted
   */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    await super.canActivate(context);
    const request = context.switchToHttp().getRequest<AdminRequest & { user: AdminCaller }>();
    const caller = request.user;
    const declared = [context.getHandler(), context.getClass()];
    const audience = this.reflector.getAllAndOverride(Access, declared);
    const readsLedger = this.reflector.getAllAndOverride(ReadsKeptLedger, declared) === true;
    if (caller.kind !== 'operator' && caller.isSuspended && request.method !== 'GET') throw new WeirError('tenant_suspended');
    const tenantId = await this.placeOf(caller, audience, request.headers[TENANT_HEADER], readsLedger);
    assertMay(caller, audience, request.method);
    if (audience !== 'any' && !this.reflector.getAllAndOverride(KeepsToProject, declared)) assertInProject(caller, request);
    request.admin = { caller, tenantId };
    return true;
  }

  override getAuthenticateOptions(): Verification {
    return { gate: this.gate };
  }

  /** The tenant that a request acts inside; null: it acts on the platform. */
  private async placeOf(
    caller: AdminCaller,
    audience: Audience,
    named: string | string[] | undefined,
    readsLedger: boolean,
  ): Promise<string | null> {
    switch (audience) {
      case 'any':
        return caller.tenantId;
      case 'operator':
        if (caller.kind !== 'operator')
          throw new WeirError('forbidden', { message: 'Only an operator key may do that; this key administers one tenant.' });
        return null;
      default:
        return this.tenantOf(caller.tenantId, named, readsLedger);
    }
  }

  private async tenantOf(own: string | null, named: string | string[] | undefined, readsLedger: boolean): Promise<string> {
    if (named === undefined) {
      if (own !== null) return own;
      throw new WeirError('invalid_request', {
        param: TENANT_HEADER,
        message: `Say which tenant to act in: send the header "${TENANT_HEADER}: ten_…".`,
      });
    }
    const id = parsePublicId('tenant', String(named));
    const isVisible = id !== null && (own === null || id === own);
    const tenant = found('tenant', isVisible ? await this.tenants.find(id) : null, TENANT_HEADER);
    if (tenant.deletedAt && !readsLedger) throw new WeirError('tenant_deleted', { param: TENANT_HEADER });
    return tenant.id;
  }
}

/** @throws WeirError insufficient_role */
function assertMay(caller: AdminCaller, audience: Audience, method: string): void {
  const roles = rolesOf(audience, method);
  if (roles === null || caller.kind === 'operator' || roles.includes(caller.role)) return;
  throw new WeirError('insufficient_role', { message: `This needs the role ${roles.join(' or ')}; yours is ${caller.role}.` });
}

/** @throws WeirError forbidden, not_found */
function assertInProject(caller: AdminCaller, { params }: AdminRequest): void {
  if (caller.kind === 'operator' || caller.projectId === null) return;
  const named = (params as Record<string, string>)['project_id'];
  if (named === undefined)
    throw new WeirError('forbidden', {
      message: 'Your key works in one project, and this is not of a project alone. Use a key of all projects.',
    });
  found('project', parsePublicId('project', named) === caller.projectId ? named : null, 'project_id');
}
