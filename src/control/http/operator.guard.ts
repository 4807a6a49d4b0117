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
import { Access, type Audience, isOpen, KeepsToProject, ReadsKeptLedger, rolesOf } from './access.js';
import type { AdminRequest } from './admin.js';
import { AdminGate } from './admin-gate.js';

const BY_KEY = 'admin-key';
const BY_SESSION = 'session';
const TENANT_HEADER = 'x-weir-tenant';

/** What a request is verified with. Passport keeps one strategy per process, so this comes with each request and not with the strategy. */
interface Verification {
  gate: AdminGate;
}

@Injectable()
export class AdminKeyStrategy extends PassportStrategy(Strategy, BY_KEY) {
  constructor() {
    super({ passOptionsToCallback: true });
  }

  validate(request: FastifyRequest, { gate }: Verification): Promise<AdminCaller | null> {
    return gate.byKey(request);
  }
}

@Injectable()
export class SessionStrategy extends PassportStrategy(Strategy, BY_SESSION) {
  constructor() {
    super({ passOptionsToCallback: true });
  }

  validate(request: FastifyRequest, { gate }: Verification): Promise<AdminCaller | null> {
    return gate.bySession(request);
  }
}

/** Lets a request through whose key or person may call the route, and settles which tenant it acts inside. */
@Injectable()
export class OperatorGuard extends AuthGuard([BY_KEY, BY_SESSION]) {
  constructor(
    private readonly reflector: Reflector,
    private readonly gate: AdminGate,
    private readonly tenants: TenantsRepository,
  ) {
    super();
  }

  /**
   * @throws WeirError invalid_admin_key, address_not_allowed, session_over, cross_site_request, too_many_bad_keys, forbidden, insufficient_role, invalid_request, not_found, tenant_suspended, tenant_deleted
   */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<AdminRequest & { user: AdminCaller }>();
    if (isOpen(request)) return true;
    await super.canActivate(context);
    const caller = request.user;
    const declared = [context.getHandler(), context.getClass()];
    const audience = this.reflector.getAllAndOverride(Access, declared);
    const readsLedger = this.reflector.getAllAndOverride(ReadsKeptLedger, declared) === true;
    if (caller.kind !== 'operator' && caller.isSuspended && request.method !== 'GET' && audience !== 'person')
      throw new WeirError('tenant_suspended');
    const tenantId = await this.placeOf(caller, audience, request.headers[TENANT_HEADER], readsLedger);
    assertMay(caller, audience, request.method);
    if (audience !== 'any' && audience !== 'person' && !this.reflector.getAllAndOverride(KeepsToProject, declared))
      assertInProject(caller, request);
    request.admin = { caller, tenantId, signedIn: this.gate.signedIn(request) };
    return true;
  }

  override getAuthenticateOptions(): Verification {
    return { gate: this.gate };
  }

  /** @throws WeirError invalid_admin_key */
  override handleRequest<User>(error: unknown, user: User | false): User {
    if (error) throw error;
    if (!user) throw new WeirError('invalid_admin_key');
    return user;
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
      case 'person':
        if (caller.kind === 'admin_key' || (caller.kind === 'operator' && caller.by === 'key'))
          throw new WeirError('forbidden', { message: 'This is about the person who is signed in. Sign in instead of sending a key.' });
        return caller.tenantId;
      case 'operator':
        if (caller.kind !== 'operator')
          throw new WeirError('forbidden', { message: 'Only an operator may do that. You administer one tenant.' });
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
