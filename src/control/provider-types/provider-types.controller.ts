import { Controller, Get } from '@nestjs/common';
import { CATALOG } from '../../providers/index.js';
import { Access } from '../http/access.js';
import { Answers } from '../http/route.js';
import { renderProviderType } from './render.js';
import { ProviderTypeList } from './schema.js';

@Controller('v1/organization/provider_types')
@Access('any')
export class ProviderTypesController {
  @Get()
  @Answers(ProviderTypeList, 'List the provider types.')
  list() {
    return { object: 'list' as const, data: CATALOG.map(renderProviderType) };
  }
}
