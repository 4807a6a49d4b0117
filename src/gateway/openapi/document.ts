import { THINKING_LEVELS } from '../../kernel/thinking.js';
import {
  componentsOf,
  headerComponents,
  headersNamed,
  type JsonObject,
  referenceTo,
  refusals,
  SERVERS,
  SHARED_INFO,
} from '../../platform/openapi/index.js';
import type { PublicRoute } from '../routes.js';
import type { Operation } from './operations.js';
import { AnthropicError, ApiError } from './schemas.js';

const DESCRIPTION = `The API of tenants: inference in the formats of OpenAI and Anthropic, and what a key may ask about itself.
Send an API key as \`Authorization: Bearer <key>\`, or as \`x-api-key\`.`;

const TAGS = [
  {
    name: 'Inference',
    description: 'Calls of models. Each is held for its worst-case cost before it is sent, and booked for its real cost after it.',
  },
  { name: 'Models', description: 'The models that a key may use.' },
  { name: 'Account', description: 'What a key may ask about itself.' },
  { name: 'Passthrough', description: "Requests to providers' own APIs, as they are." },
];

const IDEMPOTENCY_KEY = 'Idempotency-Key';

/** Headers of a request that Weir itself obeys. */
const REQUEST_HEADERS: readonly [name: string, description: string, schema: JsonObject][] = [
  ['x-weir-session', 'The session that the call belongs to.', { type: 'string', maxLength: 256 }],
  ['x-weir-tags', 'Tags of the call, separated by commas.', { type: 'string' }],
  ['x-weir-scope', 'Keys of your own, separated by commas. Budgets and rate limits can be set on them.', { type: 'string' }],
  ['x-weir-max-cost', 'The most that the call may cost, in USD.', { type: 'string', examples: ['0.05'] }],
  ['x-weir-fit', '`shrink` lowers the output limit to what the budgets allow, instead of refusing the call.', { const: 'shrink' }],
  ['x-weir-timeout-ms', 'How long the call may take, with all of its attempts, in milliseconds.', { type: 'string', examples: ['30000'] }],
  ['x-weir-thinking-level', 'How much the model should think.', { type: 'string', enum: [...THINKING_LEVELS] }],
  [
    IDEMPOTENCY_KEY,
    'Makes the call once: a repeat with the same key gets the first answer again.',
    { type: 'string', minLength: 1, maxLength: 255 },
  ],
  ['x-weir-unsupported', '`drop` leaves out what the format of the provider cannot do, instead of refusing the call.', { const: 'drop' }],
];

/** Headers of a reply to a call, and of a failure as far as the call came. */
const CALL_HEADERS = {
  'x-weir-model': 'The model that served the call, percent-encoded.',
  'x-weir-provider': 'The provider that served the call, percent-encoded.',
  'x-weir-budget-remaining': 'What is left of the tightest hard budget, in USD.',
  'x-weir-budget-warning': 'How far the budgets are spent, if one has passed a threshold.',
  'x-weir-max-tokens': 'The output limit, if it is not the one that the request has.',
  'x-weir-thinking-level': 'The thinking level that was applied.',
  'x-weir-warnings': 'Fields of the request that were left out, and why.',
  'x-weir-attempts': 'How many attempts at providers the call took.',
  'x-ratelimit-limit-requests': 'Requests per minute that the tightest rate limit allows.',
  'x-ratelimit-remaining-requests': 'Requests that are left of it.',
  'x-ratelimit-reset-requests': 'When more are free again, such as `12s`.',
  'x-ratelimit-limit-tokens': 'Tokens per minute that the tightest rate limit allows.',
  'x-ratelimit-remaining-tokens': 'Tokens that are left of it.',
  'x-ratelimit-reset-tokens': 'When more are free again, such as `12s`.',
};

/** Headers of a call that succeeded. */
const ANSWER_HEADERS = {
  'x-weir-replayed': '`true`: the answer of an earlier call with the same Idempotency-Key. The other headers are those of that call.',
  'x-weir-cost': 'What the call cost, in USD. Not in the head of a stream.',
  'openai-processing-ms': 'How long the call took, in ms. Not in the head of a stream.',
};

const HEADERS: Readonly<Record<string, string>> = {
  ...CALL_HEADERS,
  ...ANSWER_HEADERS,
  'request-id': 'The same as `x-request-id`.',
};

const CALL_REFUSALS = [400, 401, 402, 403, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504];
const READ_REFUSALS = [401, 403, 404, 429];
const WRITE_REFUSALS = [400, ...READ_REFUSALS, 413, 415, 503];

/** Headers that a request which is passed through obeys. */
const PASSED_HEADERS: ReadonlySet<string> = new Set([
  'x-weir-session',
  'x-weir-tags',
  'x-weir-scope',
  'x-weir-max-cost',
  'x-weir-timeout-ms',
]);
/** Headers of its reply. */
const PASSED_REPLY_HEADERS = ['x-weir-provider', 'x-weir-cost', 'x-weir-budget-remaining', 'x-weir-budget-warning'];

const REFUSALS: Readonly<Record<PublicRoute['kind'], readonly number[]>> = {
  call: CALL_REFUSALS,
  count: CALL_REFUSALS.filter((status) => status !== 402),
  read: READ_REFUSALS,
  write: WRITE_REFUSALS,
  passthrough: CALL_REFUSALS,
};

function operationOf({ kind, path, operation: about }: PublicRoute): JsonObject {
  const { id, tag, summary, description, request, reply } = about;
  const isCall = kind === 'call';
  const error = path.startsWith('/v1/messages') ? 'AnthropicError' : 'Error';
  const obeyed = REQUEST_HEADERS.filter(([name]) =>
    kind === 'passthrough' ? PASSED_HEADERS.has(name) : kind === 'call' || (kind === 'count' && name !== IDEMPOTENCY_KEY),
  );
  const headers = obeyed.map(([name, text, schema]) => ({ name, in: 'header', description: text, schema }));
  const inPath = Array.from(documented(path).matchAll(/\{(\w+)\}/g), ([, name]) => ({
    name: name!,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }));
  const json = { schema: referenceTo(reply.schema), ...(reply.example && { example: reply.example as JsonObject }) };
  const stream = { 'text/event-stream': { schema: { type: 'string', description: 'The events of the format.' } } };
  const ids = ['x-request-id', ...(error === 'AnthropicError' ? ['request-id'] : [])];
  const ofCalls = isCall ? Object.keys(CALL_HEADERS) : kind === 'passthrough' ? PASSED_REPLY_HEADERS : [];
  return {
    operationId: id,
    tags: [tag],
    summary,
    ...(description && { description }),
    ...(inPath.length + headers.length > 0 && { parameters: [...inPath, ...headers] }),
    ...(request && {
      requestBody: {
        required: true,
        content: { 'application/json': { schema: referenceTo(request.schema), example: request.example as JsonObject } },
      },
    }),
    responses: {
      200: {
        description: isCall ? 'The answer; a stream, if `stream` asks for one.' : 'Done.',
        content:
          kind === 'passthrough' ? { '*/*': json } : { 'application/json': json, ...(isCall && about.id !== 'createEmbeddings' && stream) },
        ...(kind !== 'read' && { headers: headersNamed([...ids, ...ofCalls, ...(isCall ? Object.keys(ANSWER_HEADERS) : [])]) }),
      },
      ...refusals(REFUSALS[kind], error, [...ids, ...ofCalls]),
    },
  } as JsonObject;
}

/** A path as the document has it. What a name stands for in the rest of a path of a provider may have slashes. */
const documented = (path: string): string =>
  path
    .replace(/^(.*:provider\/)\*$/, '$1{path}')
    .replace(/:(\w+)/g, '{$1}')
    .replace(/\*$/, '{id}');

/** The OpenAPI 3.1 document of the public listener. */
export function describePublicApi(routes: readonly PublicRoute[]): JsonObject {
  const operations: readonly Operation[] = routes.map(({ operation }) => operation);
  const schemas = [
    ...operations.flatMap(({ request, reply }) => (request ? [request.schema, reply.schema] : [reply.schema])),
    ApiError,
    AnthropicError,
  ];
  const paths: Record<string, JsonObject> = {};
  for (const route of routes) {
    const path = documented(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Weir API', description: DESCRIPTION, ...SHARED_INFO },
    servers: SERVERS,
    tags: TAGS,
    security: [{ bearer: [] }, { apiKey: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'An API key of a tenant.' },
        apiKey: { type: 'apiKey', in: 'header', name: 'x-api-key', description: 'The same key, as clients of Anthropic send it.' },
      },
      headers: headerComponents(HEADERS),
      schemas: componentsOf(schemas),
    },
  };
}
