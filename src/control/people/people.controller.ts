import { Body, Controller, Delete, Get, Param, Query } from '@nestjs/common';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { emailOf, People, type Person } from '../../people/index.js';
import { TenantsRepository } from '../../tenants/index.js';
import { Access } from '../http/access.js';
import { Actor, Caller, TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { renderPerson } from './render.js';
import { PersonObject, UpdateOperator, UpdatePerson } from './schema.js';

/** What the people of an owner, a tenant or the platform (null), have in common. */
abstract class PeopleOf {
  constructor(protected readonly people: People) {}

  protected async search(owner: string | null, query: ListQuery) {
    const { items, hasMore } = pageOf(await this.people.list(owner), 'person', query);
    return renderList(items.map(renderPerson), hasMore);
  }

  protected async find(owner: string | null, id: string): Promise<Person> {
    return found('person', await this.people.find(owner, idOf('person', id)));
  }

  protected async change(owner: string | null, id: string, body: UpdatePerson, caller: AdminCaller, actor: string) {
    const person = await this.find(owner, id);
    const { name, email, disabled: isDisabled, role, project_id: projectId, external_id: externalId } = body;
    const changes = { name, email: email && emailOf(email), isDisabled, role, projectId, externalId };
    await this.people.change(owner, person.id, changes, caller, actor);
    return renderPerson(await this.find(owner, id));
  }

  protected async end(owner: string | null, id: string, caller: AdminCaller, actor: string): Promise<string> {
    const person = await this.find(owner, id);
    await this.people.remove(owner, person.id, caller, actor);
    return publicId('person', person.id);
  }
}

@Controller('v1/organization/users')
@Access('people')
export class PeopleController extends PeopleOf {
  constructor(
    people: People,
    private readonly tenants: TenantsRepository,
  ) {
    super(people);
  }

  @Get()
  @Answers(listOf(PersonObject), 'List the members of the tenant.')
  list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    return this.search(tenantId, query);
  }

  @Get(':user_id')
  @Answers(PersonObject, 'Read a member.')
  async get(@TenantId() tenantId: string, @Param('user_id') id: string) {
    return renderPerson(await this.find(tenantId, id));
  }

  @PostOrPatch(':user_id')
  @Answers(
    PersonObject,
    'Update a member. Another role, another project and being disabled end its sessions. The last owner stays one. Only an owner can make, change or remove an owner.',
  )
  async update(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('user_id') id: string,
    @Body({ schema: UpdatePerson }) body: UpdatePerson,
  ) {
    if (body.project_id) found('project', await this.tenants.findProject(tenantId, body.project_id), 'project_id');
    return this.change(tenantId, id, body, caller, actor);
  }

  @Delete(':user_id')
  @Answers(deleted('organization.user'), 'Remove a member from the tenant. Its sessions end. The last owner cannot be removed.')
  async delete(@TenantId() tenantId: string, @Caller() caller: AdminCaller, @Actor() actor: string, @Param('user_id') id: string) {
    return { id: await this.end(tenantId, id, caller, actor), object: 'organization.user', deleted: true };
  }
}

@Controller('v1/platform/users')
@Access('operator')
export class OperatorsController extends PeopleOf {
  constructor(people: People) {
    super(people);
  }

  @Get()
  @Answers(listOf(PersonObject), 'List the operators who sign in as people.')
  list(@Query({ schema: ListQuery }) query: ListQuery) {
    return this.search(null, query);
  }

  @Get(':operator_id')
  @Answers(PersonObject, 'Read an operator.')
  async get(@Param('operator_id') id: string) {
    return renderPerson(await this.find(null, id));
  }

  @PostOrPatch(':operator_id')
  @Answers(PersonObject, 'Update an operator.')
  update(
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('operator_id') id: string,
    @Body({ schema: UpdateOperator }) body: UpdateOperator,
  ) {
    return this.change(null, id, body, caller, actor);
  }

  @Delete(':operator_id')
  @Answers(deleted('platform.user'), 'Remove an operator. Its sessions end. Operator keys keep working.')
  async delete(@Caller() caller: AdminCaller, @Actor() actor: string, @Param('operator_id') id: string) {
    return { id: await this.end(null, id, caller, actor), object: 'platform.user', deleted: true };
  }
}
