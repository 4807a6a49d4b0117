import { applyDecorators, Body, Controller, Delete, Get, Header, HttpCode, Param, Patch, Post, Put, Query, Req, Res } from '@nestjs/common';
import { ApiExcludeController } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { AdminCaller } from '../../kernel/admin-caller.js';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { Directory, emailOf, People, type Person } from '../../people/index.js';
import { Access } from '../http/access.js';
import { Actor, Caller, TenantId } from '../http/admin.js';
import { Browsers } from '../http/browsers.js';
import { idOf } from '../http/path-id.js';
import { RESOURCE_TYPES, renderResources, renderUser, SCHEMAS, SERVICE } from './render.js';
import { changesIn, conditionIn, PatchUser, partOf, ScimUser, UserQuery } from './schema.js';

const OK = 200;
const CREATED = 201;
const NO_CONTENT = 204;

const Scim = (status = OK) => applyDecorators(HttpCode(status), Header('content-type', 'application/scim+json; charset=utf-8'));

/** What a tenant's directory, such as Okta or Entra ID, does with the tenant's people: SCIM 2.0 (RFC 7643, 7644). */
@Controller('scim/v2')
@Access('people')
@ApiExcludeController()
export class ScimController {
  constructor(
    private readonly people: People,
    private readonly directory: Directory,
    private readonly browsers: Browsers,
  ) {}

  @Get('ServiceProviderConfig')
  @Scim()
  service() {
    return SERVICE;
  }

  @Get('ResourceTypes')
  @Scim()
  resourceTypes() {
    return renderResources(RESOURCE_TYPES, RESOURCE_TYPES.length, 1);
  }

  @Get('Schemas')
  @Scim()
  schemas() {
    return renderResources(SCHEMAS, SCHEMAS.length, 1);
  }

  @Get('Users')
  @Scim()
  async list(@TenantId() tenantId: string, @Query({ schema: UserQuery }) query: UserQuery, @Req() request: FastifyRequest) {
    const { from, count } = partOf(query);
    const all = (await this.people.list(tenantId)).reverse();
    const matching = query.filter === undefined ? all : all.filter(matches(query.filter));
    const part = matching.slice(from - 1, from - 1 + count);
    return renderResources(
      part.map((person) => renderUser(person, this.browsers.baseUrl(request))),
      matching.length,
      from,
    );
  }

  @Post('Users')
  @Scim(CREATED)
  async create(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Body({ schema: ScimUser }) body: ScimUser,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ) {
    const id = await this.directory.add(tenantId, entryOf(body), caller, actor);
    const user = renderUser(found('person', await this.people.find(tenantId, id)), this.browsers.baseUrl(request));
    reply.header('location', user.meta.location);
    return user;
  }

  @Get('Users/:user_id')
  @Scim()
  async get(@TenantId() tenantId: string, @Param('user_id') id: string, @Req() request: FastifyRequest) {
    return renderUser(await this.find(tenantId, id), this.browsers.baseUrl(request));
  }

  @Put('Users/:user_id')
  @Scim()
  async replace(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('user_id') id: string,
    @Body({ schema: ScimUser }) body: ScimUser,
    @Req() request: FastifyRequest,
  ) {
    await this.people.change(tenantId, (await this.find(tenantId, id)).id, entryOf(body), caller, actor);
    return this.get(tenantId, id, request);
  }

  @Patch('Users/:user_id')
  @Scim()
  async patch(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('user_id') id: string,
    @Body({ schema: PatchUser }) body: PatchUser,
    @Req() request: FastifyRequest,
  ) {
    const { userName, externalId, displayName, active } = changesIn(body);
    const changes = { email: userName, externalId, name: displayName, isDisabled: active === undefined ? undefined : !active };
    await this.people.change(tenantId, (await this.find(tenantId, id)).id, changes, caller, actor);
    return this.get(tenantId, id, request);
  }

  @Delete('Users/:user_id')
  @HttpCode(NO_CONTENT)
  async delete(@TenantId() tenantId: string, @Caller() caller: AdminCaller, @Actor() actor: string, @Param('user_id') id: string) {
    await this.people.remove(tenantId, (await this.find(tenantId, id)).id, caller, actor);
  }

  private async find(tenantId: string, id: string): Promise<Person> {
    return found('person', await this.people.find(tenantId, idOf('person', id)));
  }
}

function entryOf({ userName, externalId, displayName, name, active }: ScimUser) {
  const parts = [name?.givenName, name?.familyName].filter(Boolean).join(' ');
  return {
    email: userName,
    externalId: externalId ?? null,
    name: displayName || name?.formatted || parts || userName,
    isDisabled: !active,
  };
}

/** @throws WeirError invalid_request */
function matches(filter: string): (person: Person) => boolean {
  const { name, value } = conditionIn(filter);
  if (name === 'username') return ({ email }) => email === emailOf(value);
  if (name === 'externalid') return ({ externalId }) => externalId === value;
  return ({ id }) => publicId('person', id) === value;
}
