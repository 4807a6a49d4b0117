import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { ModelsRepository } from '../../models/index.js';
import { Access, KeepsToProject } from '../http/access.js';
import { TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers } from '../http/route.js';
import { renderModel } from './render.js';
import { ModelObject, ModelQuery, PutModel } from './schema.js';

@Controller('v1/organization/models')
@Access('models')
export class ModelsController {
  constructor(private readonly models: ModelsRepository) {}

  @Post()
  @Answers(ModelObject, 'Create or replace a model entry. It says what a model of a provider can do, and overrides the catalog.')
  async put(@TenantId() tenantId: string, @Body({ schema: PutModel }) body: PutModel) {
    const { provider, model, context_window, max_output_tokens, tools = null, vision = null, reasoning = null } = body;
    const contextWindow = context_window ?? null;
    const maxOutputTokens = max_output_tokens ?? null;
    return renderModel(await this.models.put({ tenantId, provider, model, contextWindow, maxOutputTokens, tools, vision, reasoning }));
  }

  @Get()
  @KeepsToProject(true)
  @Answers(listOf(ModelObject), 'List the model entries of the tenant. GET /v1/models shows the resulting facts of each model.')
  async list(@TenantId() tenantId: string, @Query({ schema: ModelQuery }) query: ModelQuery) {
    const { provider, model } = query;
    const wanted = (await this.models.list(tenantId)).filter(
      (entry) => (!provider || entry.provider === provider) && (!model || entry.model === model),
    );
    const { items, hasMore } = pageOf(wanted, 'model', query);
    return renderList(items.map(renderModel), hasMore);
  }

  @Get(':model_id')
  @KeepsToProject(true)
  @Answers(ModelObject, 'Read a model entry.')
  async get(@TenantId() tenantId: string, @Param('model_id') id: string) {
    return renderModel(found('model', await this.models.find(tenantId, idOf('model', id))));
  }

  @Delete(':model_id')
  @Answers(deleted('organization.model'), 'Delete a model entry. The catalog applies again.')
  async delete(@TenantId() tenantId: string, @Param('model_id') id: string) {
    const { id: known } = found('model', await this.models.find(tenantId, idOf('model', id)));
    await this.models.delete(tenantId, known);
    return { id: publicId('model', known), object: 'organization.model', deleted: true };
  }
}
