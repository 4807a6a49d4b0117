import { Controller, Get } from '@nestjs/common';
import { CATALOG } from '../providers/index.js';
import { Access } from './access.js';
import { Answers } from './route.js';
import { ProviderTypeList, renderProviderType } from './schemas/provider-type.js';

@Controller('v1/organization/provider_types')
@Access('any')
export class ProviderTypesController {
  @Get()
  @Answers(ProviderTypeList, 'List the provider types there are.')
  list() {
    return { object: 'list' as const, data: CATALOG.map(renderProviderType) };
  }
}
