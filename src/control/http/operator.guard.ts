import { type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { Strategy } from 'passport-custom';
import type { VerifiableAdminKey } from '../../api-keys/index.js';
import { WeirError } from '../../kernel/errors.js';
import { found } from '../../kernel/found.js';
import { parsePublicId } from '../../kernel/ids.js';
import { TenantsRepository } from '../../tenants/index.js';
import { Access, type Audience, ReadsKeptLedger } from './access.js';
import type { Admin, AdminRequest } from './admin.js';
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

  validate(request: FastifyRequest, { gate }: Verification): Promise<VerifiableAdminKey> {
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
   * @throws WeirError invalid_admin_key, too_many_bad_keys, forbidden, invalid_request, not_found, tenant_suspended, tenant_deleted
   */
  override async canActivate(context: ExecutionContext): Promise<boolean> {
    await super.canActivate(context);
    const request = context.switchToHttp().getRequest<AdminRequest & { user: VerifiableAdminKey }>();
    const declared = [context.getHandler(), context.getClass()];
    const audience = this.reflector.getAllAndOverride(Access, declared);
    const readsLedger = this.reflector.getAllAndOverride(ReadsKeptLedger, declared) === true;
    // Its admins may look, so that they can tell why.
    if (request.user.tenant?.suspendedAt && request.method !== 'GET') throw new WeirError('tenant_suspended');
    request.admin = await this.admit(request.user, audience, request.headers[TENANT_HEADER], readsLedger);
    return true;
  }

  override getAuthenticateOptions(): Verification {
    return { gate: this.gate };
  }

  private async admit(
    key: VerifiableAdminKey,
    audience: Audience,
    named: string | string[] | undefined,
    readsLedger: boolean,
  ): Promise<Admin> {
    const actsAs = key.tenantId === null ? 'operator' : 'tenant';
    switch (audience) {
      case 'any':
        return { keyId: key.id, actsAs, tenantId: key.tenantId };
      case 'operator':
        if (actsAs !== 'operator')
          throw new WeirError('forbidden', { message: 'Only an operator key may do that; this key administers one tenant.' });
        return { keyId: key.id, actsAs, tenantId: null };
      case 'tenant':
        return { keyId: key.id, actsAs, tenantId: await this.tenantOf(key.tenantId, named, readsLedger) };
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
