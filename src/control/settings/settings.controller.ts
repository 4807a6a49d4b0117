import { Body, Controller, Get } from '@nestjs/common';
import { TenantsRepository } from '../../tenants/index.js';
import { Access } from '../http/access.js';
import { TenantId } from '../http/admin.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { renderSettings } from './render.js';
import { SettingsObject, UpdateSettings } from './schema.js';

@Controller('v1/organization/settings')
@Access('tenant')
export class SettingsController {
  constructor(private readonly tenants: TenantsRepository) {}

  @Get()
  @Answers(SettingsObject, 'Read the settings of the tenant.')
  async get(@TenantId() tenantId: string) {
    return renderSettings(await this.tenants.existing(tenantId));
  }

  @PostOrPatch('')
  @Answers(SettingsObject, 'Update the settings of the tenant.')
  async update(@TenantId() tenantId: string, @Body({ schema: UpdateSettings }) body: UpdateSettings) {
    return renderSettings(await this.tenants.update(tenantId, { keepsAnswers: body.keep_answers }));
  }
}
