import { Body, Controller, Get, Post, Query, Redirect, Req, Res, UseGuards } from '@nestjs/common';
import { ApiExcludeEndpoint } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Invites, type Proof, SignInLinks, SingleSignOns } from '../../people/index.js';
import { OpenToAnyone } from '../http/access.js';
import { Browsers } from '../http/browsers.js';
import { Answers } from '../http/route.js';
import { AcceptInvite } from '../invites/schema.js';
import { OwnPageGuard } from './own-page.guard.js';
import { PasswordGuard } from './password.guard.js';
import { RedeemLink, SignedInObject, SignIn, SsoCallback, SsoStart } from './schema.js';
import { SignIns } from './sign-ins.js';

const CALLBACK = '/v1/auth/oidc/callback';
const FOUND = 302;

/** Ways to sign in. Each ends with a new session in the cookie `__Host-weir`. */
@Controller('v1')
export class SignInController {
  constructor(
    private readonly signIns: SignIns,
    private readonly invites: Invites,
    private readonly links: SignInLinks,
    private readonly sso: SingleSignOns,
    private readonly browsers: Browsers,
  ) {}

  @OpenToAnyone()
  @Post('auth/sign_in')
  @UseGuards(OwnPageGuard, PasswordGuard)
  @Answers(SignedInObject, 'Sign in with email address and password. The session is a cookie. It lasts 12 hours, or one without a request.')
  password(
    @Req() request: FastifyRequest & { user: Proof },
    @Body({ schema: SignIn }) _body: SignIn,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.signIns.complete(request.user, request, reply);
  }

  @OpenToAnyone()
  @Post('auth/links/redeem')
  @UseGuards(OwnPageGuard)
  @Answers(SignedInObject, 'Sign in with a sign-in link, once, within 10 minutes. The token is what stands behind "#token=" in the link.')
  async link(
    @Req() request: FastifyRequest,
    @Body({ schema: RedeemLink }) { token }: RedeemLink,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.signIns.complete(await this.links.redeem(token), request, reply);
  }

  @OpenToAnyone()
  @Post('invites/accept')
  @UseGuards(OwnPageGuard)
  @Answers(SignedInObject, 'Accept an invite: choose a name and a password, and be signed in.')
  async invite(
    @Req() request: FastifyRequest,
    @Body({ schema: AcceptInvite }) { token, name, password }: AcceptInvite,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    return this.signIns.complete(await this.invites.accept(token, name, password), request, reply);
  }

  /** Begins a sign-in through the identity provider of a tenant: sends the browser there. No program calls it, nor the next. */
  @OpenToAnyone()
  @Get('auth/oidc/start')
  @UseGuards(OwnPageGuard)
  @Redirect()
  @ApiExcludeEndpoint()
  async begin(
    @Req() request: FastifyRequest,
    @Query({ schema: SsoStart }) { organization, return_to: returnTo }: SsoStart,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const { url, cookie } = await this.sso.begin(organization, this.browsers.baseUrl(request) + CALLBACK, returnTo);
    this.browsers.setCookie(request, reply, 'sso', cookie);
    return { url, statusCode: FOUND };
  }

  /** Where the identity provider sends the browser back to. */
  @OpenToAnyone()
  @Get('auth/oidc/callback')
  @Redirect()
  @ApiExcludeEndpoint()
  async finish(
    @Req() request: FastifyRequest,
    @Query({ schema: SsoCallback }) _query: object,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const url = new URL(request.url, this.browsers.baseUrl(request));
    const { proof, returnTo } = await this.sso.finish(url, this.browsers.cookie(request, 'sso'));
    await this.signIns.complete(proof, request, reply);
    this.browsers.setCookie(request, reply, 'sso', null);
    return { url: returnTo, statusCode: FOUND };
  }
}
