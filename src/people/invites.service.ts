import { Injectable } from '@nestjs/common';
import type { AdminCaller } from '../kernel/admin-caller.js';
import { WeirError } from '../kernel/errors.js';
import type { Id } from '../kernel/ids.js';
import { Keyring } from '../platform/crypto/index.js';
import type { Proof } from './admin-sessions.service.js';
import type { Invite } from './invite.js';
import { InvitesRepository, type NewInvite } from './invites.repository.js';
import { Passwords } from './passwords.js';
import { assertProject } from './people.service.js';
import { assertMayGive, assertMayInvite } from './ranks.js';
import { newToken, tokenDigest } from './token.js';

@Injectable()
export class Invites {
  constructor(
    private readonly repository: InvitesRepository,
    private readonly passwords: Passwords,
    private readonly keyring: Keyring,
  ) {}

  /** @returns the secret as well, which is shown once. @throws WeirError forbidden, insufficient_role, invalid_request, conflict */
  async create(fields: Omit<NewInvite, 'digest'>, caller: AdminCaller): Promise<{ id: Id; token: string }> {
    assertMayInvite(caller, fields.tenantId);
    assertMayGive(caller, fields.role);
    assertProject(fields.role, fields.projectId);
    const token = newToken();
    return { id: await this.repository.insert({ ...fields, digest: this.digestOf(token) }), token };
  }

  find(tenantId: Id | null, id: Id): Promise<Invite | null> {
    return this.repository.find(tenantId, id);
  }

  list(tenantId: Id | null): Promise<Invite[]> {
    return this.repository.list(tenantId);
  }

  /** @throws WeirError conflict */
  revoke(tenantId: Id | null, id: Id, actor: string): Promise<void> {
    return this.repository.revoke(tenantId, id, actor);
  }

  /** Makes the person that was invited, once. @throws WeirError invalid_invite, sso_required, overloaded */
  async accept(token: string, name: string, password: string): Promise<Proof> {
    const digest = this.digestOf(token);
    // Strangers do not make it hash passwords.
    const invite = await this.repository.findPending(digest);
    if (!invite) throw new WeirError('invalid_invite');
    if (invite.ssoRequired) throw new WeirError('sso_required');
    const accepted = await this.repository.accept(digest, { name, password: await this.passwords.hash(password) });
    if (!accepted) throw new WeirError('invalid_invite');
    return { ...accepted, method: 'password', confirmed: false };
  }

  private digestOf(token: string): Buffer {
    return tokenDigest(this.keyring.pepper, 'invite', token);
  }
}
