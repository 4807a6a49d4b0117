import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule } from '@nestjs/swagger';
import type { FastifyInstance } from 'fastify';
import {
  headerComponents,
  headersNamed,
  type Json,
  type JsonObject,
  refusals,
  SERVERS,
  SHARED_INFO,
  withoutNullable,
} from '../../platform/openapi/index.js';
import { OPEN_EXTENSION } from './access.js';

interface Content {
  'application/json': { schema: JsonObject; example?: Json };
}
interface Operation {
  parameters?: Json[];
  requestBody?: { content: Content };
  responses: Record<string, JsonObject>;
  tags?: string[];
  security?: Json[];
  [OPEN_EXTENSION]?: true;
}

const TENANT_PATHS = '/v1/organization/';

const DESCRIPTION = `The API of operators and of the admins of tenants.
Send an operator key or an admin key as \`Authorization: Bearer <key>\`, or sign in as a person. Paths below /v1/platform/ need an operator.
As an operator, paths below /v1/organization/ need the header \`x-weir-tenant\`.`;

const TAGS: Readonly<Record<string, string>> = {
  Tenants: 'Tenants of the installation.',
  Gateways: 'Gateway processes, and those that are silent.',
  PlatformCredentials: "The platform's providers, which tenants can be allowed to use.",
  PlatformPrices: 'The price catalog and the prices of platform providers.',
  PlatformRoutes: 'Routes of all tenants.',
  Projects: 'Projects of a tenant.',
  AuditLogs: 'Changes in a tenant.',
  PlatformAuditLogs: 'Changes on the platform and in all tenants.',
  ApiKeys: 'API keys, with which applications call models.',
  AdminKeys: 'Admin keys of a tenant.',
  OperatorKeys: 'Operator keys.',
  SignIn: 'Ways to sign in. Each sets the cookie of a new session.',
  Auth: 'The person who is signed in.',
  People: 'Members of a tenant.',
  Operators: 'Operators who sign in.',
  Invites: 'Invitations to a tenant.',
  OperatorInvites: 'Invitations of operators.',
  SignInLinks: 'Links that sign a person in once.',
  SingleSignOn: 'Sign-in through the identity provider of a tenant.',
  Providers: 'Providers of a tenant and their keys.',
  Connections: 'Logins of persons at providers.',
  ProviderTypes: 'The catalog of provider types.',
  Prices: "A tenant's own prices.",
  Models: 'What models can do.',
  Resolve: 'What would become of a call.',
  Routes: 'Names that calls may ask for, and the models that answer them.',
  EgressRules: "Paths of providers' own APIs that calls may reach as they are.",
  Budgets: 'Budgets, their periods, grants and statements.',
  Limits: 'Rate limits.',
  Usage: 'Tokens and costs over time.',
  Calls: 'Calls that are over.',
  Webhooks: 'Where a tenant is told of events.',
  PlatformWebhooks: 'Where the platform is told of events.',
  Events: 'What webhooks are sent.',
};

const TENANT_HEADER = {
  name: 'x-weir-tenant',
  in: 'header',
  required: false,
  schema: { type: 'string' },
  description: 'With an operator key: the tenant to act in, `ten_…`.',
};
const IDEMPOTENCY_HEADER = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  schema: { type: 'string', maxLength: 255 },
  description: 'A request that is repeated with the same key within a day gets the first response again.',
};

const HEADERS = {
  etag: 'The version of the object, for If-Match.',
  'idempotent-replayed': '`true`: the first response to this Idempotency-Key, again.',
};
/** Schemas of objects that have an ETag. */
const VERSIONED = ['Budget', 'RateLimit', 'Route', 'InferenceRoute', 'EgressRule', 'SingleSignOn'].map(
  (name) => `#/components/schemas/${name}`,
);

const ERROR_SCHEMA = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['message', 'type', 'param', 'code'],
      properties: {
        message: { type: 'string', description: 'What is wrong, and what to do.' },
        type: { type: 'string' },
        param: { type: ['string', 'null'], description: 'The field or header that is wrong.' },
        code: { type: 'string', description: 'Stable: programs can rely on it.' },
      },
    },
  },
  examples: [{ error: { message: 'There is no such budget.', type: 'invalid_request_error', param: 'budget_id', code: 'not_found' } }],
};

/**
 * Builds what `GET /openapi.json` answers, to everybody. Call it once, before the app is initialized.
 * @param events what webhooks are sent.
 */
export function mountOpenApi(app: NestFastifyApplication, events: JsonObject): void {
  const about = new DocumentBuilder()
    .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An operator key, or an admin key of a tenant.' })
    .addCookieAuth(
      '__Host-weir',
      { type: 'apiKey', in: 'cookie', description: 'The session of a person. Over HTTP on the same machine the cookie is `weir`.' },
      'session',
    )
    .addSecurityRequirements('bearer')
    .addSecurityRequirements('session')
    .build();
  const raw = SwaggerModule.createDocument(app, about, {
    operationIdFactory: (controller, method) =>
      `${controller.charAt(0).toLowerCase()}${controller.slice(1).replace(/Controller$/, '')}.${method}`,
  });
  const { paths, components, security } = withoutNullable(raw as never) as unknown as {
    paths: JsonObject;
    components: { schemas: JsonObject };
    security: Json;
  };
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods as never as Record<string, Operation>)) {
      const isOpen = operation[OPEN_EXTENSION] === true;
      delete operation[OPEN_EXTENSION];
      if (isOpen) operation.security = [];
      const isRepeatable = method === 'post' && !isOpen;
      const shared = [...(path.startsWith(TENANT_PATHS) ? [TENANT_HEADER] : []), ...(isRepeatable ? [IDEMPOTENCY_HEADER] : [])];
      if (shared.length > 0) operation.parameters = [...(operation.parameters ?? []), ...shared];
      const body = operation.requestBody?.content['application/json'];
      if (body) moveExample(body);
      const done = operation.responses['200']!;
      const isVersioned = VERSIONED.includes(String((done['content'] as unknown as Partial<Content>)['application/json']?.schema['$ref']));
      done['headers'] = headersNamed(['x-request-id', ...(isVersioned ? ['etag'] : []), ...(isRepeatable ? ['idempotent-replayed'] : [])]);
      operation.responses = {
        ...operation.responses,
        ...(refusals(statusesOf(path, method, operation), 'Error') as Record<string, JsonObject>),
      };
    }
  }
  const document: JsonObject = {
    openapi: '3.1.0',
    info: { title: 'Weir admin API', description: DESCRIPTION, ...SHARED_INFO },
    servers: SERVERS,
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    security,
    paths,
    webhooks: events,
    components: { ...components, headers: headerComponents(HEADERS), schemas: { ...components.schemas, Error: ERROR_SCHEMA } },
  };
  const bytes = Buffer.from(JSON.stringify(document));
  const listener = app.getHttpAdapter().getInstance() as unknown as FastifyInstance;
  listener.get('/openapi.json', (_request, reply) => reply.type('application/json').send(bytes));
}

/** A schema has the example of a whole body: it belongs to the body. */
function moveExample(body: Content['application/json']): void {
  const { example, ...schema } = body.schema;
  if (example === undefined) return;
  body.schema = schema;
  body.example = example;
}

/** How a route can refuse: what is written can be wrong or conflict, and what is named can be missing. */
function statusesOf(path: string, method: string, { parameters = [] }: Operation): number[] {
  const writes = method !== 'get';
  const hasMatch = parameters.some((parameter) => (parameter as JsonObject)['name'] === 'If-Match');
  return [
    400,
    401,
    403,
    ...(path.includes('{') || path.startsWith(TENANT_PATHS) ? [404] : []),
    ...(writes ? [409] : []),
    ...(path.startsWith(TENANT_PATHS) ? [410] : []),
    ...(hasMatch ? [412] : []),
    ...(writes ? [413, 415, 422] : []),
    429,
    500,
    503,
  ];
}
