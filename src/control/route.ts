import { applyDecorators, HttpCode } from '@nestjs/common';
import { ApiOkResponse, ApiOperation } from '@nestjs/swagger';
import type { z } from 'zod';

/** What a route does, in one line, and the shape of its answer, which comes with status 200. */
export const Answers = (schema: z.ZodType, summary: string) =>
  applyDecorators(HttpCode(200), ApiOperation({ summary }), ApiOkResponse({ standardSchema: schema, description: 'Done.' }));
