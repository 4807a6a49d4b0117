import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, type OpenAPIObject } from '@nestjs/swagger';
import type { Setter } from '../kernel/setter.js';
import { Access } from './access.js';
import { ActsAs } from './admin.js';
import { ApiDocument } from './openapi.js';

@Controller()
@Access('any')
export class OpenApiController {
  constructor(private readonly document: ApiDocument) {}

  @Get('openapi.json')
  @ApiOperation({ summary: 'Read this description of the admin REST.' })
  @ApiOkResponse({ schema: { type: 'object' }, description: 'An OpenAPI document.' })
  read(@ActsAs() by: Setter): OpenAPIObject {
    return this.document.read(by === 'operator');
  }
}
