import { Controller, Get } from '@nestjs/common';
import { ApiOkResponse, ApiOperation, type OpenAPIObject } from '@nestjs/swagger';
import { Access } from './access.js';
import { IsOperator } from './admin.js';
import { ApiDocument } from './openapi.js';

@Controller()
@Access('any')
export class OpenApiController {
  constructor(private readonly document: ApiDocument) {}

  @Get('openapi.json')
  @ApiOperation({ summary: 'Read this description of the admin REST.' })
  @ApiOkResponse({ schema: { type: 'object' }, description: 'An OpenAPI document.' })
  read(@IsOperator() isOperator: boolean): OpenAPIObject {
    return this.document.read(isOperator);
  }
}
