import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { type ApiKey, ApiKeysService } from '../../api-keys/index.js';
import { WeirError } from '../../kernel/errors.js';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import type { Setter } from '../../kernel/setter.js';
import { References } from '../../routing/index.js';
import { type Project, TenantsRepository } from '../../tenants/index.js';
import { Access } from '../http/access.js';
import { Actor, ActsAs, TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers } from '../http/route.js';
import { renderApiKey } from './render.js';
import { RotateKey } from './rotation.js';
import { ApiKeyObject, CreateApiKey, NewApiKeyObject } from './schema.js';

@Controller('v1/organization/projects/:project_id/api_keys')
@Access('api_keys')
export class ApiKeysController {
  constructor(
    private readonly apiKeys: ApiKeysService,
    private readonly tenants: TenantsRepository,
    private readonly references: References,
  ) {}

  @Post()
  @Answers(NewApiKeyObject, 'Create an API key. Its value is shown only once.')
  async create(
    @TenantId() tenantId: string,
    @Actor() actor: string,
    @ActsAs() by: Setter,
    @Param('project_id') projectId: string,
    @Body({ schema: CreateApiKey }) body: CreateApiKey,
  ): Promise<z.input<typeof NewApiKeyObject>> {
    const project = await this.findProject(tenantId, projectId);
    if (project.archivedAt)
      throw new WeirError('conflict', { message: 'The project is archived, so a key of it would not work. Use another project.' });
    if (body.models) await this.references.checkModels(tenantId, body.models, 'models');
    if (body.default_model) await this.checkDefault(tenantId, body.default_model, body.models);
    const { apiKey, value } = await this.apiKeys.create({
      tenantId,
      projectId: project.id,
      name: body.name,
      models: body.models ?? ['*'],
      maxOutputTokens: body.max_output_tokens ?? null,
      maxCallNano: body.max_cost_per_call ?? null,
      fit: body.fit ?? null,
      thinkingLevel: body.thinking_level ?? null,
      unsupported: body.unsupported ?? null,
      defaultModel: body.default_model ?? null,
      createdBy: actor,
      setBy: by,
      expiresAt: body.expires_at ?? null,
    });
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

  @Post(':key_id/rotate')
  @Answers(
    NewApiKeyObject,
    'Rotate an API key. The new value is shown once. The old value keeps working for a while. The id and all settings stay.',
  )
  async rotate(
    @TenantId() tenantId: string,
    @Param('project_id') projectId: string,
    @Param('key_id') id: string,
    @Body({ schema: RotateKey }) { overlap_seconds }: RotateKey,
  ) {
    const key = await this.find(tenantId, projectId, id);
    const value = await this.apiKeys.rotate(tenantId, key.id, overlap_seconds);
    return { ...renderApiKey(await this.find(tenantId, projectId, id)), value };
  }

  @Post(':key_id/revoke')
  @Answers(ApiKeyObject, 'Revoke an API key permanently.')
  async revoke(@TenantId() tenantId: string, @Param('project_id') projectId: string, @Param('key_id') id: string) {
    const key = await this.find(tenantId, projectId, id);
    await this.apiKeys.revoke(tenantId, key.id);
    return renderApiKey(await this.find(tenantId, projectId, id));
  }

  @Delete(':key_id')
  @Answers(deleted('api_key'), 'Revoke an API key permanently. Its record stays readable.')
  async delete(@TenantId() tenantId: string, @Param('project_id') projectId: string, @Param('key_id') id: string) {
    const key = await this.find(tenantId, projectId, id);
    await this.apiKeys.revoke(tenantId, key.id);
    return { id: publicId('apiKey', key.id), object: 'api_key', deleted: true };
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

  private async findProject(tenantId: string, id: string): Promise<Project> {
    return found('project', await this.tenants.findProject(tenantId, idOf('project', id)));
  }
}
