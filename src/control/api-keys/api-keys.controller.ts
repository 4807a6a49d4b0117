import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { type AdminKeyRights, type ApiKey, type ApiKeySettings, ApiKeysService } from '../../api-keys/index.js';
import { type AdminCaller, actorOf, actsAs } from '../../kernel/admin-caller.js';
import { WeirError } from '../../kernel/errors.js';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { assertMayChange } from '../../kernel/setter.js';
import { References } from '../../routing/index.js';
import { type Project, TenantsRepository } from '../../tenants/index.js';
import { assertWithinBounds, rightsOf } from '../admin-keys/reach.js';
import { Access } from '../http/access.js';
import { Actor, Caller, TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { renderApiKey } from './render.js';
import { RotateKey } from './rotation.js';
import { ApiKeyObject, CreateApiKey, NewApiKeyObject, UpdateApiKey } from './schema.js';

@Controller('v1/organization/projects/:project_id/api_keys')
@Access('api_keys')
export class ApiKeysController {
  constructor(
    private readonly apiKeys: ApiKeysService,
    private readonly tenants: TenantsRepository,
    private readonly references: References,
  ) {}

  @Post()
  @Answers(
    NewApiKeyObject,
    'Create an API key. Its value is shown only once. It works from no other networks than the key that makes it, and no longer.',
  )
  async create(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Param('project_id') projectId: string,
    @Body({ schema: CreateApiKey }) body: CreateApiKey,
  ): Promise<z.input<typeof NewApiKeyObject>> {
    const project = await this.findProject(tenantId, projectId);
    if (project.archivedAt)
      throw new WeirError('conflict', { message: 'The project is archived, so a key of it would not work. Use another project.' });
    const { cidrs, expiresAt } = rightsOf(caller, tenantId);
    const settings = { cidrs: [...cidrs], expiresAt, ...settingsIn(body) };
    assertInReach(caller, settings);
    await this.checkModels(tenantId, settings, settings.models);
    const key = { ...settings, name: body.name, tenantId, projectId: project.id, createdBy: actorOf(caller), setBy: actsAs(caller) };
    const { apiKey, value } = await this.apiKeys.create(key);
    return { ...renderApiKey(apiKey), value };
  }

  @Get()
  @Answers(listOf(ApiKeyObject), 'List the API keys of a project, including revoked ones.')
  async list(@TenantId() tenantId: string, @Param('project_id') projectId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    const project = await this.findProject(tenantId, projectId);
    const { items, hasMore } = pageOf(await this.apiKeys.list(tenantId, project.id), 'apiKey', query);
    return renderList(items.map(renderApiKey), hasMore);
  }

  @Get(':key_id')
  @Answers(ApiKeyObject, 'Read an API key.')
  async get(@TenantId() tenantId: string, @Param('project_id') projectId: string, @Param('key_id') id: string) {
    return renderApiKey(await this.find(tenantId, projectId, id));
  }

  @PostOrPatch(':key_id')
  @Answers(ApiKeyObject, 'Update an API key. What is absent stays as it is.')
  async update(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Param('project_id') projectId: string,
    @Param('key_id') id: string,
    @Body({ schema: UpdateApiKey }) body: UpdateApiKey,
  ) {
    const key = await this.findOwn(caller, tenantId, projectId, id);
    assertMayChange(key, actsAs(caller));
    const changes = settingsIn(body);
    assertInReach(caller, { ...key, ...changes });
    if (changes.disabledAt && key.disabledAt) changes.disabledAt = key.disabledAt;
    await this.checkModels(tenantId, changes, changes.models ?? key.models);
    await this.apiKeys.update(tenantId, key.id, changes);
    return renderApiKey(await this.find(tenantId, projectId, id));
  }

  @Post(':key_id/rotate')
  @Answers(
    NewApiKeyObject,
    'Rotate an API key. The new value is shown once. The old value keeps working for a while. The id and all settings stay.',
  )
  async rotate(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Param('project_id') projectId: string,
    @Param('key_id') id: string,
    @Body({ schema: RotateKey }) { overlap_seconds }: RotateKey,
  ) {
    const key = await this.findOwn(caller, tenantId, projectId, id);
    assertInReach(caller, key);
    const value = await this.apiKeys.rotate(tenantId, key.id, overlap_seconds);
    return { ...renderApiKey(await this.find(tenantId, projectId, id)), value };
  }

  @Post(':key_id/revoke')
  @Answers(ApiKeyObject, 'Revoke an API key permanently.')
  async revoke(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('project_id') projectId: string,
    @Param('key_id') id: string,
  ) {
    const key = await this.findOwn(caller, tenantId, projectId, id);
    await this.apiKeys.revoke(key, actor);
    return renderApiKey(await this.find(tenantId, projectId, id));
  }

  @Delete(':key_id')
  @Answers(deleted('api_key'), 'Revoke an API key permanently. Its record stays readable.')
  async delete(
    @TenantId() tenantId: string,
    @Caller() caller: AdminCaller,
    @Actor() actor: string,
    @Param('project_id') projectId: string,
    @Param('key_id') id: string,
  ) {
    const key = await this.findOwn(caller, tenantId, projectId, id);
    await this.apiKeys.revoke(key, actor);
    return { id: publicId('apiKey', key.id), object: 'api_key', deleted: true };
  }

  /** @param allowed the models that the key may use. @throws WeirError invalid_request */
  private async checkModels(
    tenantId: string,
    { models, defaultModel }: Partial<ApiKeySettings>,
    allowed?: readonly string[],
  ): Promise<void> {
    if (models) await this.references.checkModels(tenantId, models, 'models');
    if (defaultModel) await this.checkDefault(tenantId, defaultModel, allowed);
  }

  /** @throws WeirError invalid_request */
  private async checkDefault(tenantId: string, name: string, models: readonly string[] = ['*']): Promise<void> {
    await this.references.checkName(tenantId, name, 'default_model');
    if (!models.includes('*') && !models.includes(name))
      throw new WeirError('invalid_request', {
        param: 'default_model',
        message: `"default_model" must be one of "models": the key may not use "${name}".`,
      });
  }

  private async find(tenantId: string, projectId: string, id: string): Promise<ApiKey> {
    return found('apiKey', await this.apiKeys.find(tenantId, idOf('project', projectId), idOf('apiKey', id)));
  }

  /** A key that the caller may change: a developer only what it has made. @throws WeirError not_found, insufficient_role */
  private async findOwn(caller: AdminCaller, tenantId: string, projectId: string, id: string): Promise<ApiKey> {
    const key = await this.find(tenantId, projectId, id);
    if (caller.kind !== 'operator' && caller.role === 'developer' && key.createdBy !== actorOf(caller))
      throw new WeirError('insufficient_role', {
        message: 'A developer changes the API keys that it has made itself. This one needs the role owner or admin.',
      });
    return key;
  }

  private async findProject(tenantId: string, id: string): Promise<Project> {
    return found('project', await this.tenants.findProject(tenantId, idOf('project', id)));
  }
}

/** Whoever gets a key's value may do no more with it than with its own. An operator gives what it likes. @throws WeirError forbidden */
function assertInReach(caller: AdminCaller, key: Pick<AdminKeyRights, 'cidrs' | 'expiresAt'>): void {
  if (caller.kind !== 'operator') assertWithinBounds(caller, key);
}

/** What is absent is left out. */
function settingsIn(body: UpdateApiKey): Partial<ApiKeySettings> {
  const settings = {
    name: body.name,
    models: body.models,
    endpoints: body.endpoints,
    cidrs: body.cidrs,
    maxOutputTokens: body.max_output_tokens,
    maxCallNano: body.max_cost_per_call,
    fit: body.fit,
    thinkingLevel: body.thinking_level,
    unsupported: body.unsupported,
    defaultModel: body.default_model,
    metadata: body.metadata,
    disabledAt: body.disabled === undefined ? undefined : body.disabled ? new Date() : null,
    expiresAt: body.expires_at,
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}
