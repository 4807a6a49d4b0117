import { Body, Controller, Get } from '@nestjs/common';
import { References } from '../../routing/index.js';
import { TenantsRepository } from '../../tenants/index.js';
import { Access } from '../http/access.js';
import { TenantId } from '../http/admin.js';
import { Answers, PostOrPatch } from '../http/route.js';
import { renderSettings } from './render.js';
import { SettingsObject, UpdateSettings } from './schema.js';

@Controller('v1/organization/settings')
@Access('settings')
export class SettingsController {
  constructor(
    private readonly tenants: TenantsRepository,
    private readonly references: References,
  ) {}

  @Get()
  @Answers(SettingsObject, 'Read the settings of the tenant.')
  async get(@TenantId() tenantId: string) {
    return renderSettings(await this.tenants.existing(tenantId));
  }

  @PostOrPatch('')
  @Answers(SettingsObject, 'Update the settings of the tenant.')
  async update(@TenantId() tenantId: string, @Body({ schema: UpdateSettings }) body: UpdateSettings) {
    const { keep_answers: keepsAnswers, default_model: defaultModel } = body;
    if (defaultModel) await this.references.checkName(tenantId, defaultModel, 'default_model');
    return renderSettings(await this.tenants.update(tenantId, { keepsAnswers, defaultModel }));
  }
}
