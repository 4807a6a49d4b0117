import { Injectable } from '@nestjs/common';
import { WeirError } from '../kernel/errors.js';
import { Keyring } from '../platform/crypto/index.js';
import type { Proof } from './admin-sessions.service.js';
import type { Person } from './person.js';
import { SignInLinksRepository } from './sign-in-links.repository.js';
import { newToken, tokenDigest } from './token.js';

/** The token is in the fragment, which browsers send to nobody: no log of a server has it. */
export const signInUrl = (baseUrl: string, token: string): string => `${baseUrl}/sign-in#token=${token}`;

/** Links that sign a person in once, within ten minutes. */
@Injectable()
export class SignInLinks {
  constructor(
    private readonly repository: SignInLinksRepository,
    private readonly keyring: Keyring,
  ) {}

  /** For a person who cannot sign in otherwise. @returns the secret, which is shown once. */
  async create({ tenantId, id }: Person, actor: string): Promise<{ token: string; expiresAt: Date }> {
    const token = newToken();
    return { token, expiresAt: await this.repository.insert(this.digestOf(token), { tenantId, id }, actor) };
  }

  /** The secret of a link to become the first operator; null: there are people. It takes the place of one from an earlier start. */
  async createFirst(): Promise<string | null> {
    if (await this.repository.peopleExist()) return null;
    const token = newToken();
    await this.repository.insert(this.digestOf(token), null, 'setup');
    return token;
  }

  /** @throws WeirError invalid_sign_in_link */
  async redeem(token: string): Promise<Proof> {
    const person = await this.repository.redeem(this.digestOf(token));
    if (!person) throw new WeirError('invalid_sign_in_link');
    return { ...person, method: 'link', confirmed: false };
  }

  private digestOf(token: string): Buffer {
    return tokenDigest(this.keyring.pepper, 'link', token);
  }
}
