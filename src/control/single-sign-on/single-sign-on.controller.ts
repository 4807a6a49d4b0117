import { Body, Controller, Delete, Get, Put, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { WeirError } from '../../kernel/errors.js';
import { assertMayInvite, SingleSignOns } from '../../people/index.js';
import { Secret } from '../../platform/crypto/index.js';
import { Access } from '../http/access.js';
import { Actor, Caller, TenantId } from '../http/admin.js';
import { Browsers } from '../http/browsers.js';
import { ChecksIfMatch, IfMatch } from '../http/etag.js';
import { Answers } from '../http/route.js';
import { renderSingleSignOn } from './render.js';
import { DeletedSingleSignOn, PutSingleSignOn, SingleSignOnObject } from './schema.js';

@Controller('v1/organization/sso')
@Access('single_sign_on')
export class SingleSignOnController {
  constructor(
    private readonly sso: SingleSignOns,
    private readonly browsers: Browsers,
  ) {}

  @Put()
  @Answers(
    SingleSignOnObject,
    'Set the identity provider (OpenID Connect) that members sign in through. Only an owner can. With If-Match it is set only if it still has that version.',
  )
  @ChecksIfMatch()
  async put(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @IfMatch() version: number | null,
    @Body({ schema: PutSingleSignOn }) body: PutSingleSignOn,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    // Whoever its provider names becomes a member.
    assertMayInvite(caller, tenantId);
    const secret = body.client_secret;
    const settings = {
      tenantId,
      issuer: body.issuer,
      clientId: body.client_id,
      clientSecret: typeof secret === 'string' ? new Secret(secret) : secret,
      allowedDomains: body.allowed_domains,
      roleClaim: body.role_claim,
      roles: body.roles,
      defaultRole: body.default_role,
      createsPeople: body.creates_people,
      required: body.required,
    };
    await this.sso.put(settings, version, body.verify, actor);
    return this.read(tenantId, request, reply);
  }

  @Get()
  @Answers(SingleSignOnObject, 'Read how members sign in through an identity provider. The version is the ETag.')
  get(@TenantId() tenantId: string, @Req() request: FastifyRequest, @Res({ passthrough: true }) reply: FastifyReply) {
    return this.read(tenantId, request, reply);
  }

  @Delete()
  @Answers(DeletedSingleSignOn, 'Remove the identity provider. Members sign in by password again.')
  @ChecksIfMatch()
  async delete(@TenantId() tenantId: string, @Actor() actor: string, @IfMatch() version: number | null) {
    if (!(await this.sso.delete(tenantId, version, actor))) throw notSet();
    return { object: 'single_sign_on', deleted: true };
  }

  private async read(tenantId: string, request: FastifyRequest, reply: FastifyReply) {
    const sso = await this.sso.find(tenantId);
    if (!sso) throw notSet();
    reply.header('etag', `"${sso.version}"`);
    return renderSingleSignOn(sso, `${this.browsers.baseUrl(request)}/v1/auth/oidc/callback`);
  }
}

const notSet = (): WeirError =>
  new WeirError('not_found', { message: 'No identity provider is set. Set one with PUT /v1/organization/sso.' });
