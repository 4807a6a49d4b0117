import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import type { Id } from '../kernel/ids.js';
import { Keyring, Secret } from '../platform/crypto/index.js';
import { ServerClock } from '../platform/postgres/index.js';
import { PeopleRepository } from './people.repository.js';
import type { Person } from './person.js';
import { SignInThrottle } from './sign-in-throttle.js';
import { tokenDigest } from './token.js';
import { base32, keyUri, stepOf } from './totp.js';

/** As RFC 4226 advises. */
const SECRET_BYTES = 20;
const RECOVERY_CODES = 10;
const RECOVERY_BYTES = 10;

/** A secret for an authenticator app, to be shown once. */
export interface StartedSecondFactor {
  secret: string;
  uri: string;
}

/** Codes of an authenticator app, and recovery codes for when it is lost. */
@Injectable()
export class SecondFactor {
  constructor(
    private readonly repository: PeopleRepository,
    private readonly keyring: Keyring,
    private readonly clock: ServerClock,
    private readonly throttle: SignInThrottle,
  ) {}

  /** @throws WeirError conflict when the person has one */
  async start({ tenantId, id, email }: Person): Promise<StartedSecondFactor> {
    const secret = randomBytes(SECRET_BYTES);
    const sealed = await this.keyring.seal(tenantId, new Secret(secret.toString('base64')), contextOf(id));
    if (!(await this.repository.keepSecret(id, sealed)))
      throw new WeirError('conflict', { message: 'A second factor is set up. Remove it first.' });
    return { secret: base32(secret), uri: keyUri(secret, email) };
  }

  /** Asks for codes from now on. @returns recovery codes, to be shown once. @throws WeirError conflict, invalid_code */
  async confirm({ tenantId, id }: Person, code: string, actor: string): Promise<string[]> {
    const { secret, isConfirmed } = await this.repository.secretOf(id);
    if (!secret || isConfirmed)
      throw new WeirError('conflict', { message: 'No second factor is being set up. Start with POST /v1/auth/totp.' });
    const step = await this.stepOf(id, secret, code);
    if (step === null) throw new WeirError('invalid_code');
    const codes = Array.from({ length: RECOVERY_CODES }, () => recoveryCode());
    const digests = codes.map((one) => this.digestOf(one));
    if (!(await this.repository.confirmSecret(tenantId, id, secret, step, digests, actor))) throw new WeirError('conflict');
    return codes;
  }

  /** Whether a code of the app or a recovery code is right. Each is taken once. @param secret the sealed one of the person. */
  async takes(id: Id, secret: Buffer, code: string): Promise<boolean> {
    const step = await this.stepOf(id, secret, code.replaceAll(' ', ''));
    if (step !== null) return this.repository.useStep(id, step);
    return this.repository.useRecoveryCode(id, this.digestOf(code));
  }

  /** Who has only the session may not find the code out by trying. @throws WeirError invalid_code, too_many_sign_ins */
  async remove({ tenantId, id }: Person, code: string, actor: string): Promise<void> {
    const { secret, isConfirmed } = await this.repository.secretOf(id);
    if (secret && isConfirmed) {
      const succeed = this.throttle.attemptCode(id);
      if (!(await this.takes(id, secret, code))) throw new WeirError('invalid_code');
      succeed();
    }
    await this.repository.removeSecret(tenantId, id, actor);
  }

  private async stepOf(id: Id, sealed: Buffer, code: string): Promise<number | null> {
    const secret = Buffer.from((await this.keyring.open(sealed, contextOf(id))).reveal(), 'base64');
    return stepOf(secret, code, this.clock.now());
  }

  private digestOf(code: string): Buffer {
    return tokenDigest(this.keyring.pepper, 'recovery', code.toLowerCase().replaceAll(/[^a-z2-7]/g, ''));
  }
}

const contextOf = (personId: Id): string => `v1|totp|${personId}`;

/** 80 random bits: `abcd-efgh-ijkl-mnop`. */
const recoveryCode = (): string => base32(randomBytes(RECOVERY_BYTES)).toLowerCase().match(/.{4}/g)!.join('-');
