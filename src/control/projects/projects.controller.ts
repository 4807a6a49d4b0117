import { Body, Controller, Get, Param, Post, Query } from '@nestjs/common';
import { found } from '../../kernel/found.js';
import { References } from '../../routing/index.js';
import { type Project, TenantsRepository } from '../../tenants/index.js';
import { Access, KeepsToProject } from '../http/access.js';
import { ProjectId, TenantId } from '../http/admin.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { renderProject } from './render.js';
import { CreateProject, ProjectObject, UpdateProject } from './schema.js';

@Controller('v1/organization/projects')
@Access('projects')
export class ProjectsController {
  constructor(
    private readonly tenants: TenantsRepository,
    private readonly references: References,
  ) {}

  @Post()
  @Answers(ProjectObject, 'Create a project.')
  async create(@TenantId() tenantId: string, @Body({ schema: CreateProject }) body: CreateProject) {
    const { name, external_id: externalId, default_model: defaultModel, metadata } = body;
    if (defaultModel) await this.references.checkName(tenantId, defaultModel, 'default_model');
    return renderProject(await this.tenants.insertProject(tenantId, name, { externalId, metadata, defaultModel }));
  }

  @Get()
  @Answers(listOf(ProjectObject), 'List projects, including archived ones.')
  @KeepsToProject(true)
  async list(@TenantId() tenantId: string, @ProjectId() only: string | null, @Query({ schema: ListQuery }) query: ListQuery) {
    const projects = (await this.tenants.listProjects(tenantId)).filter(({ id }) => only === null || id === only);
    const { items, hasMore } = pageOf(projects, 'project', query);
    return renderList(items.map(renderProject), hasMore);
  }

  @Get(':project_id')
  @Answers(ProjectObject, 'Read a project.')
  async get(@TenantId() tenantId: string, @Param('project_id') id: string) {
    return renderProject(await this.find(tenantId, id));
  }

  @PostOrPatch(':project_id')
  @Answers(ProjectObject, 'Update a project.')
  async update(@TenantId() tenantId: string, @Param('project_id') id: string, @Body({ schema: UpdateProject }) body: UpdateProject) {
    const project = await this.find(tenantId, id);
    const { name, external_id: externalId, default_model: defaultModel, metadata } = body;
    if (defaultModel) await this.references.checkName(tenantId, defaultModel, 'default_model');
    const changes = { name, externalId, metadata, defaultModel };
    return renderProject(await this.tenants.updateProject(tenantId, project.id, changes));
  }

  @Post(':project_id/archive')
  @Answers(ProjectObject, 'Archive a project. Its keys stop working. Its history stays.')
  async archive(@TenantId() tenantId: string, @Param('project_id') id: string) {
    const project = await this.find(tenantId, id);
    return renderProject(project.archivedAt ? project : await this.tenants.updateProject(tenantId, project.id, { archivedAt: new Date() }));
  }

  private async find(tenantId: string, id: string): Promise<Project> {
    return found('project', await this.tenants.findProject(tenantId, idOf('project', id)));
  }
}
