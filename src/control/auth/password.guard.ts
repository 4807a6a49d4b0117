import { Injectable } from '@nestjs/common';
import { AuthGuard, PassportStrategy } from '@nestjs/passport';
import type { FastifyRequest } from 'fastify';
import { Strategy } from 'passport-custom';
import { emailOf, PasswordSignIn, type Proof } from '../../people/index.js';
import { Browsers } from '../http/browsers.js';
import { RequestPipe } from '../http/request.pipe.js';
import { SignIn } from './schema.js';

const STRATEGY = 'password';

/** What a request is verified with: it comes with each, as passport keeps one strategy per process. */
interface Verification {
  signIn: PasswordSignIn;
  browsers: Browsers;
}

@Injectable()
export class PasswordStrategy extends PassportStrategy(Strategy, STRATEGY) {
  private readonly pipe = new RequestPipe();

  constructor() {
    super({ passOptionsToCallback: true });
  }

  async validate(request: FastifyRequest, { signIn, browsers }: Verification): Promise<Proof> {
    // Guards run before pipes.
    const body = (await this.pipe.transform(request.body, { type: 'body', schema: SignIn })) as SignIn;
    const { email, organization: tenantId = null, ...secrets } = body;
    const origin = { address: request.ip, deviceCookie: browsers.cookie(request, 'device') };
    return signIn.verify({ ...secrets, email: emailOf(email), tenantId }, origin);
  }
}

/** Lets a request through whose body has the email address and password of a person. `request.user` is the proof. */
@Injectable()
export class PasswordGuard extends AuthGuard(STRATEGY) {
  constructor(
    private readonly signIn: PasswordSignIn,
    private readonly browsers: Browsers,
  ) {
    super();
  }

  override getAuthenticateOptions(): Verification {
    return { signIn: this.signIn, browsers: this.browsers };
  }
}
