import { Injectable } from '@nestjs/common';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';

type Operation = NonNullable<OpenAPIObject['paths'][string]['get']>;

const PLATFORM_PATHS = '/v1/platform/';
const TENANT_PATHS = '/v1/organization/';

const TENANT_HEADER = {
  name: 'x-weir-tenant',
  in: 'header' as const,
  required: false,
  schema: { type: 'string' as const },
  description: 'For operator keys: the tenant to act in, `ten_…`.',
};
const IDEMPOTENCY_HEADER = {
  name: 'Idempotency-Key',
  in: 'header' as const,
  required: false,
  schema: { type: 'string' as const, maxLength: 255 },
  description: 'Repeating the request with the same key within a day answers the first response again.',
};

const ERROR_RESPONSE = {
  description: 'Refused or failed. `message` says what to do; some codes add fields.',
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
};
const ERROR_SCHEMA = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string' },
        type: { type: 'string' },
        param: { type: 'string', nullable: true },
        code: { type: 'string' },
      },
    },
  },
};

/** The description of the admin REST, built once at start. */
@Injectable()
export class ApiDocument {
  private whole: OpenAPIObject | null = null;
  private forTenants: OpenAPIObject | null = null;

  hold(document: OpenAPIObject): void {
    this.whole = document;
    this.forTenants = {
      ...document,
      paths: Object.fromEntries(Object.entries(document.paths).filter(([path]) => !path.startsWith(PLATFORM_PATHS))),
    };
  }

  /** An operator reads about every route, a tenant about its own. */
  read(isOperator: boolean): OpenAPIObject {
    const document = isOperator ? this.whole : this.forTenants;
    if (!document) throw new Error('mountOpenApi was not called');
    return document;
  }
}

/** Builds what `GET /openapi.json` answers. Call it once, before the app is initialised. */
export function mountOpenApi(app: NestFastifyApplication): void {
  const about = new DocumentBuilder()
    .setTitle('Weir admin API')
    .setDescription(
      'Tenants, projects, keys, providers, prices, budgets, usage and costs. Send an admin key as `Authorization: Bearer <key>`.',
    )
    .setVersion('1')
    .addBearerAuth({
      type: 'http',
      scheme: 'bearer',
      bearerFormat: 'weir_adm_… or weir_op_…',
      description: 'An operator key or a tenant admin key.',
    })
    .addSecurityRequirements('bearer')
    .build();
  const document = SwaggerModule.createDocument(app, about, {
    operationIdFactory: (controller, method) =>
      `${controller.charAt(0).toLowerCase()}${controller.slice(1).replace(/Controller$/, '')}.${method}`,
  });
  document.components = { ...document.components, schemas: { ...document.components?.schemas, Error: ERROR_SCHEMA } };
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods as Record<string, Operation>)) {
      const shared = [...(path.startsWith(TENANT_PATHS) ? [TENANT_HEADER] : []), ...(method === 'post' ? [IDEMPOTENCY_HEADER] : [])];
      operation.parameters = [...(operation.parameters ?? []), ...shared];
      operation.responses = { ...operation.responses, default: ERROR_RESPONSE };
    }
  }
  app.get(ApiDocument, { strict: false }).hold(document);
}
