import { Injectable } from '@nestjs/common';
import type { Id } from '../kernel/ids.js';
import { Keyring } from '../platform/crypto/index.js';
import type { AdminSession, Origin, SignedIn, SignInMethod } from './admin-session.js';
import { AdminSessionsRepository } from './admin-sessions.repository.js';
import { newToken, tokenDigest } from './token.js';

/** What a sign-in was proven by. */
export interface Proof {
  tenantId: Id | null;
  personId: Id;
  method: SignInMethod;
  /** With a second factor. */
  confirmed: boolean;
}

@Injectable()
export class AdminSessions {
  constructor(
    private readonly repository: AdminSessionsRepository,
    private readonly keyring: Keyring,
  ) {}

  /**
   * Signs a person in. The session always has a new secret, and ends the one that the browser had before.
   * @param before the secret that the browser sent, if any.
   * @returns the secret, which is kept nowhere else.
   */
  async open(proof: Proof, origin: Origin, before: string | null): Promise<string> {
    const token = newToken();
    const replaced = before === null ? null : this.digestOf(before);
    await this.repository.insert({ ...proof, digest: this.digestOf(token) }, origin, replaced);
    return token;
  }

  /** Null: no session, or one that is over. Read from Postgres each time, so that what is revoked is over at the next request of any process. */
  verify(token: string, address: string): Promise<SignedIn | null> {
    return this.repository.use(this.digestOf(token), address);
  }

  list(personId: Id): Promise<AdminSession[]> {
    return this.repository.list(personId);
  }

  /** False: the person has none with this id. */
  end(personId: Id, id: Id): Promise<boolean> {
    return this.repository.delete(personId, id);
  }

  private digestOf(token: string): Buffer {
    return tokenDigest(this.keyring.pepper, 'session', token);
  }
}
