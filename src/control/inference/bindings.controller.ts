import { Body, Controller, Delete, Get, Param, Post, Query } from '@nestjs/common';
import { TenantsRepository } from '../../tenants/index.js';
import { Access } from '../http/access.js';
import { Actor, TenantId } from '../http/admin.js';
import { deleted } from '../http/fields.js';
import { ListQuery, listOf } from '../http/list.js';
import { idOf } from '../http/path-id.js';
import { Answers } from '../http/route.js';
import { Bindings } from './bindings.js';
import { BindingObject, CreateBinding, CreateCertificateBinding } from './schema.js';

@Controller('v1/organization/inference/bindings')
@Access('inference')
export class BindingsController {
  constructor(private readonly bindings: Bindings) {}

  @Post()
  @Answers(BindingObject, 'Bind a client certificate. A client that shows it calls inference.local for the tenant, without an API key.')
  create(@TenantId() tenantId: string, @Actor() actor: string, @Body({ schema: CreateCertificateBinding }) body: CreateCertificateBinding) {
    return this.bindings.create(tenantId, actor, body);
  }

  @Get()
  @Answers(listOf(BindingObject), 'List the network identities that call inference.local for the tenant without an API key.')
  list(@TenantId() tenantId: string, @Query({ schema: ListQuery }) query: ListQuery) {
    return this.bindings.list(tenantId, query);
  }

  @Delete(':binding_id')
  @Answers(deleted('inference_binding'), 'Delete the binding of a client certificate. Its calls are refused from then on.')
  async delete(@TenantId() tenantId: string, @Param('binding_id') id: string) {
    return this.bindings.delete(tenantId, id);
  }
}

@Controller('v1/platform/tenants/:tenant_id/inference/bindings')
@Access('operator')
export class TenantBindingsController {
  constructor(
    private readonly bindings: Bindings,
    private readonly tenants: TenantsRepository,
  ) {}

  @Post()
  @Answers(
    BindingObject,
    'Bind a network or a listener to a tenant. A call to inference.local from there is a call of the tenant, without an API key. Ranges of two tenants must not overlap.',
  )
  async create(@Param('tenant_id') tenant: string, @Actor() actor: string, @Body({ schema: CreateBinding }) body: CreateBinding) {
    return this.bindings.create(await this.tenantOf(tenant), actor, body);
  }

  @Get()
  @Answers(listOf(BindingObject), 'List the network identities that are bound to a tenant.')
  async list(@Param('tenant_id') tenant: string, @Query({ schema: ListQuery }) query: ListQuery) {
    return this.bindings.list(await this.tenantOf(tenant), query);
  }

  @Delete(':binding_id')
  @Answers(deleted('inference_binding'), 'Delete a binding of a tenant. Its calls are refused from then on.')
  async delete(@Param('tenant_id') tenant: string, @Param('binding_id') id: string) {
    return this.bindings.delete(await this.tenantOf(tenant), id);
  }

  private async tenantOf(id: string): Promise<string> {
    return (await this.tenants.existing(idOf('tenant', id))).id;
  }
}
