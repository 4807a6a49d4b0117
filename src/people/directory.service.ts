import { Injectable } from '@nestjs/common';
import type { AdminCaller } from '../kernel/admin-caller.js';
import type { Id } from '../kernel/ids.js';
import { InvitesRepository } from './invites.repository.js';
import { PeopleRepository } from './people.repository.js';
import { assertMayGive } from './ranks.js';
import { SingleSignOnRepository } from './single-sign-on.repository.js';

/** A person as the tenant's directory has it. */
export interface DirectoryEntry {
  email: string;
  name: string;
  externalId: string | null;
  isDisabled: boolean;
}

/** Makes people that a tenant's directory tells of, without an invite. They sign in through the identity provider. */
@Injectable()
export class Directory {
  constructor(
    private readonly people: PeopleRepository,
    private readonly invites: InvitesRepository,
    private readonly sso: SingleSignOnRepository,
  ) {}

  /** The role is the default of single sign-on, or else viewer. @throws WeirError conflict, insufficient_role */
  async add(tenantId: Id, { isDisabled, ...entry }: DirectoryEntry, caller: AdminCaller, actor: string): Promise<Id> {
    const role = (await this.sso.find(tenantId))?.defaultRole ?? 'viewer';
    assertMayGive(caller, role);
    const id = await this.invites.admit({ ...entry, tenantId, projectId: null, role, password: null, subject: null }, actor);
    if (isDisabled) await this.people.change(tenantId, id, { isDisabled }, actor, () => {});
    return id;
  }
}
