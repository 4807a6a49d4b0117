import { Injectable } from '@nestjs/common';
import type { AdminCaller } from '../kernel/admin-caller.js';
import { WeirError } from '../kernel/errors.js';
import type { Id } from '../kernel/ids.js';
import { PeopleRepository, type PersonChanges } from './people.repository.js';
import type { Person, PersonRole } from './person.js';
import { assertMayGive, assertMayInvite } from './ranks.js';

/** Members of tenants, and operators as people. */
@Injectable()
export class People {
  constructor(private readonly repository: PeopleRepository) {}

  find(tenantId: Id | null, id: Id): Promise<Person | null> {
    return this.repository.find(tenantId, id);
  }

  /** Of whatever tenant, or the platform. */
  findAnywhere(id: Id): Promise<Person | null> {
    return this.repository.findAnywhere(id);
  }

  list(tenantId: Id | null): Promise<Person[]> {
    return this.repository.list(tenantId);
  }

  /** Another role, and being disabled, end the person's sessions. @throws WeirError last_owner, forbidden, insufficient_role, conflict, invalid_request */
  async change(tenantId: Id | null, id: Id, changes: PersonChanges, caller: AdminCaller, actor: string): Promise<void> {
    if (changes.role) assertMayInvite(caller, tenantId);
    await this.repository.change(tenantId, id, withoutProject(changes), actor, (now) => {
      assertMayGive(caller, now.role);
      assertMayGive(caller, changes.role ?? now.role);
      assertProject(changes.role ?? now.role, changes.projectId);
    });
  }

  /** @throws WeirError last_owner, insufficient_role */
  remove(tenantId: Id | null, id: Id, caller: AdminCaller, actor: string): Promise<void> {
    return this.repository.remove(tenantId, id, actor, (now) => assertMayGive(caller, now.role));
  }

  /** What a person changes of itself. Not its address: single sign-on goes by it, and nobody has proved that it is the person's. */
  changeSelf({ tenantId, id }: Person, changes: Pick<PersonChanges, 'name'>, actor: string): Promise<void> {
    return this.repository.change(tenantId, id, changes, actor, () => {});
  }
}

const CONFINED: readonly PersonRole[] = ['developer', 'viewer'];

/** A role that is of the whole tenant takes a person out of its project. */
const withoutProject = (changes: PersonChanges): PersonChanges =>
  changes.role && !CONFINED.includes(changes.role) && changes.projectId === undefined ? { ...changes, projectId: null } : changes;

/** @throws WeirError invalid_request */
export function assertProject(role: PersonRole, projectId: Id | null | undefined): void {
  if (projectId == null || CONFINED.includes(role)) return;
  throw new WeirError('invalid_request', { param: 'project_id', message: '"project_id" goes with the roles developer and viewer only.' });
}
