import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import type { Id } from '../kernel/ids.js';
import type { SignedIn } from './admin-session.js';
import type { Proof } from './admin-sessions.service.js';
import { Devices } from './devices.js';
import { Passwords } from './passwords.js';
import { PeopleRepository, type SignInFacts } from './people.repository.js';
import { SecondFactor } from './second-factor.service.js';
import { SignInThrottle } from './sign-in-throttle.js';

export interface PasswordAttempt {
  email: string;
  password: string;
  /** Of the authenticator app, or a recovery code. */
  code?: string;
  /** Null: not said. */
  tenantId: Id | null;
}

/** Where an attempt comes from. */
export interface AttemptOrigin {
  address: string;
  /** The cookie of a browser that somebody signed in on before; null: none. */
  deviceCookie: string | null;
}

@Injectable()
export class PasswordSignIn {
  constructor(
    private readonly people: PeopleRepository,
    private readonly passwords: Passwords,
    private readonly secondFactor: SecondFactor,
    private readonly throttle: SignInThrottle,
    private readonly devices: Devices,
  ) {}

  /**
   * Who signs in so. Whether there is such an account shows neither in the text nor in the time it takes.
   * @throws WeirError invalid_sign_in, too_many_sign_ins, overloaded; and, to who knows the password, second_factor_required, sso_required
   */
  async verify({ email, password, code, tenantId }: PasswordAttempt, { address, deviceCookie }: AttemptOrigin): Promise<Proof> {
    const candidates = await this.people.findForSignIn(email, tenantId);
    // The same address in two tenants: which one is meant has to be said.
    const person = candidates.length === 1 ? candidates[0]! : null;
    const device = person && this.devices.deviceOf(person.id, deviceCookie);
    // Counted as it was asked for: by the person, a try without and one with the tenant would tell whether they mean the same account.
    const succeed = this.throttle.attempt(address, `${tenantId ?? ''}|${email}`, device);
    const isRight = await this.passwords.verify(password, person?.password ?? null);
    if (!person || !isRight) throw new WeirError('invalid_sign_in');
    succeed();
    if (person.ssoRequired) throw new WeirError('sso_required');
    return { tenantId: person.tenantId, personId: person.id, method: 'password', confirmed: await this.isConfirmed(person, code) };
  }

  /**
   * Sets a password, and ends the person's other sessions.
   * @param current not asked for where there is none yet, nor after a sign-in by link.
   * @throws WeirError invalid_password, too_many_sign_ins, overloaded
   */
  async setPassword({ person, session }: SignedIn, current: string | undefined, password: string, actor: string): Promise<void> {
    const stored = await this.people.passwordOf(person.id);
    if (stored !== null && session.method !== 'link') {
      // Apart from codes: who knows the password could else take back failures at those.
      const succeed = this.throttle.attemptCode(`password|${person.id}`);
      if (!(await this.passwords.verify(current ?? '', stored))) throw new WeirError('invalid_password');
      succeed();
    }
    await this.people.setPassword(person.tenantId, person.id, await this.passwords.hash(password), session.id, actor);
  }

  /** @throws WeirError second_factor_required, invalid_sign_in, too_many_sign_ins */
  private async isConfirmed({ id, totpSecret }: SignInFacts, code: string | undefined): Promise<boolean> {
    if (!totpSecret) return false;
    if (code === undefined) throw new WeirError('second_factor_required');
    const succeed = this.throttle.attemptCode(id);
    if (!(await this.secondFactor.takes(id, totpSecret, code))) throw new WeirError('invalid_sign_in');
    succeed();
    return true;
  }
}
