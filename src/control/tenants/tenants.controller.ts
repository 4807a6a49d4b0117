import { Body, Controller, Delete, Get, Inject, Param, Post, Query } from '@nestjs/common';
import type { z } from 'zod';
import { AdminKeysService } from '../../api-keys/index.js';
import { found } from '../../kernel/found.js';
import { publicId } from '../../kernel/ids.js';
import { Transactions } from '../../platform/postgres/index.js';
import { LOGGER, type Logger } from '../../platform/telemetry/index.js';
import { References } from '../../routing/index.js';
import { type Tenant, TenantDeletion, TenantsRepository } from '../../tenants/index.js';
import { Access } from '../http/access.js';
import { Actor } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf, pageOf, renderList } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { renderTenant } from './render.js';
import { CreateTenant, NewTenantObject, TenantObject, UpdateTenant } from './schema.js';

/** How long a request blanks calls for; a worker does the rest. */
const PATIENCE_MS = 5_000;

@Controller('v1/platform/tenants')
@Access('operator')
export class TenantsController {
  constructor(
    private readonly tenants: TenantsRepository,
    private readonly adminKeys: AdminKeysService,
    private readonly deletion: TenantDeletion,
    private readonly references: References,
    private readonly transactions: Transactions,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  @Post()
  @Answers(NewTenantObject, 'Create a tenant with a default project and an admin key.')
  create(@Body({ schema: CreateTenant }) body: CreateTenant): Promise<z.input<typeof NewTenantObject>> {
    return this.transactions.run(async (db) => {
      const { tenant, project } = await this.tenants.insert(body.name, { externalId: body.external_id, metadata: body.metadata }, db);
      const { value } = await this.adminKeys.create(tenant.id, { name: 'first admin key' }, db);
      return { ...renderTenant(tenant), admin_key: value, default_project_id: publicId('project', project.id) };
    });
  }

  @Get()
  @Answers(listOf(TenantObject), 'List tenants.')
  async list(@Query({ schema: ListQuery }) query: ListQuery) {
    const { items, hasMore } = pageOf(await this.tenants.list(), 'tenant', query);
    return renderList(items.map(renderTenant), hasMore);
  }

  @Post(':tenant_id/suspend')
  @Answers(
    TenantObject,
    'Suspend a tenant. Within a second every process answers its new calls with 403 tenant_suspended. Calls in flight end and are booked. Its admins can read but not change anything.',
  )
  async suspend(@Param('tenant_id') id: string, @Actor() actor: string) {
    const tenant = await this.find(id);
    await this.tenants.suspend(tenant.id, actor);
    this.log.warn({ tenant: id, actor }, 'tenant suspended');
    return this.get(id);
  }

  @Post(':tenant_id/resume')
  @Answers(TenantObject, 'Resume a suspended tenant. It can make calls again.')
  async resume(@Param('tenant_id') id: string, @Actor() actor: string) {
    const tenant = await this.find(id);
    await this.tenants.resume(tenant.id, actor);
    this.log.warn({ tenant: id, actor }, 'tenant resumed');
    return this.get(id);
  }

  @Delete(':tenant_id')
  @Answers(
    deleted('tenant'),
    'Delete a suspended tenant. Its calls must have ended. Its keys are revoked, its credentials and its data key are destroyed, and data that may name a person is blanked. Its ledger is kept. The request can be repeated.',
  )
  async delete(@Param('tenant_id') id: string, @Actor() actor: string) {
    const tenant = found('tenant', await this.tenants.find(idOf('tenant', id)));
    await this.deletion.delete(tenant.id, actor, PATIENCE_MS);
    this.log.warn({ tenant: id, actor }, 'tenant deleted');
    return { id, object: 'tenant', deleted: true };
  }

  @PostOrPatch(':tenant_id')
  @Answers(TenantObject, 'Update a tenant.')
  async update(@Param('tenant_id') id: string, @Body({ schema: UpdateTenant }) body: UpdateTenant) {
    const { name, external_id: externalId, metadata, unpriced_call_cost: unpricedCallNano, default_model: defaultModel } = body;
    const tenant = await this.find(id);
    if (defaultModel) await this.references.checkName(tenant.id, defaultModel, 'default_model');
    return renderTenant(await this.tenants.update(tenant.id, { name, externalId, metadata, unpricedCallNano, defaultModel }));
  }

  @Get(':tenant_id')
  @Answers(TenantObject, 'Read a tenant.')
  async get(@Param('tenant_id') id: string) {
    return renderTenant(await this.find(id));
  }

  private find(id: string): Promise<Tenant> {
    return this.tenants.existing(idOf('tenant', id));
  }
}
