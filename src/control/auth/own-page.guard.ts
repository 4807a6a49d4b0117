import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { Browsers } from '../http/browsers.js';

/** Refuses a sign-in that another site has a browser send, or that would go over the network in the clear. */
@Injectable()
export class OwnPageGuard implements CanActivate {
  constructor(private readonly browsers: Browsers) {}

  /** @throws WeirError cross_site_request, https_required */
  canActivate(context: ExecutionContext): boolean {
    this.browsers.assertMaySignIn(context.switchToHttp().getRequest<FastifyRequest>());
    return true;
  }
}
