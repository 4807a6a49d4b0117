import type { FastifyRequest } from 'fastify';
import { type CallFormat, conversationIn, embeddings, messageCounting } from '../dialects/index.js';
import { METHODS, type Method } from '../egress-rules/index.js';
import { OPERATIONS, type Operation, passthrough } from './openapi/operations.js';
import type { Passthrough } from './passthrough/passthrough.js';
import type { Inference } from './surfaces/inference.js';
import type { MessageCounting } from './surfaces/message-counting.js';
import type { OwnAccount } from './surfaces/own-account.js';
import type { OwnSessions } from './surfaces/own-sessions.js';
import { type Handler, isOfAnthropic } from './surfaces/surface.js';

/** The handlers that routes lead to. */
export interface Surfaces {
  inference: Inference;
  counting: MessageCounting;
  own: OwnAccount;
  sessions: OwnSessions;
  passthrough: Passthrough;
}

export interface PublicRoute {
  method: Method;
  /** As Fastify takes it. */
  path: string;
  /** `call`: held, sent to a provider and booked. `count`: tokens are counted, nothing is spent. `read`: answers about the key. `write`: stores defaults. `passthrough`: goes to a provider as it is. */
  kind: 'call' | 'count' | 'read' | 'write' | 'passthrough';
  /** The format of its errors, and of what is spoken there. */
  format: CallFormat;
  /** What the OpenAPI document says of it. */
  operation: Operation;
  handler(surfaces: Surfaces): Handler;
}

const CHAT = conversationIn('openai-chat');
const MESSAGES = conversationIn('anthropic-messages');

const call = (path: string, format: CallFormat, operation: Operation): PublicRoute => ({
  method: 'POST',
  path,
  kind: 'call',
  format,
  operation,
  handler: ({ inference }) => inference.handler(path.slice('/v1/'.length).replace('/', '.'), format),
});

const read = (path: string, operation: Operation, handlerOf: (own: OwnAccount) => Handler): PublicRoute => ({
  method: 'GET',
  path,
  kind: 'read',
  format: CHAT,
  operation,
  handler: ({ own }) => handlerOf(own),
});

/** Below it, the paths of providers' own APIs. */
const PASSTHROUGH = '/v1/passthrough/:provider/*';

/** Every route of the public listener. The listener registers these and no others; tests of what holds everywhere iterate them. */
export const PUBLIC_ROUTES: readonly PublicRoute[] = [
  call('/v1/chat/completions', CHAT, OPERATIONS.chat),
  call('/v1/completions', conversationIn('openai-completions'), OPERATIONS.completion),
  call('/v1/responses', conversationIn('openai-responses'), OPERATIONS.response),
  call('/v1/messages', MESSAGES, OPERATIONS.message),
  call('/v1/chat/complete', conversationIn('chat-complete'), OPERATIONS.chatComplete),
  call('/v1/embeddings', embeddings, OPERATIONS.embeddings),
  {
    method: 'POST',
    path: '/v1/messages/count_tokens',
    kind: 'count',
    format: messageCounting,
    operation: OPERATIONS.countTokens,
    handler: ({ counting }) => counting.handle,
  },
  read('/v1/models', OPERATIONS.listModels, (own) => own.listModels),
  read('/v1/models/*', OPERATIONS.getModel, (own) => own.getModel),
  read('/v1/key', OPERATIONS.getKey, (own) => own.getKey),
  read('/v1/calls/:id', OPERATIONS.getCall, (own) => own.getCall),
  read('/v1/calls/:id/explain', OPERATIONS.explainCall, (own) => own.explainCall),
  read('/v1/approvals/:id', OPERATIONS.getApproval, (own) => own.getApproval),
  {
    method: 'POST',
    path: '/v1/sessions',
    kind: 'write',
    format: CHAT,
    operation: OPERATIONS.putSession,
    handler: ({ sessions }) => sessions.put,
  },
  {
    method: 'GET',
    path: '/v1/sessions/*',
    kind: 'read',
    format: CHAT,
    operation: OPERATIONS.getSession,
    handler: ({ sessions }) => sessions.get,
  },
  {
    method: 'DELETE',
    path: '/v1/sessions/*',
    kind: 'write',
    format: CHAT,
    operation: OPERATIONS.deleteSession,
    handler: ({ sessions }) => sessions.delete,
  },
  ...METHODS.map(
    (method): PublicRoute => ({
      method,
      path: PASSTHROUGH,
      kind: 'passthrough',
      format: CHAT,
      operation: passthrough(method),
      handler: ({ passthrough }) => passthrough.handler(formatFor),
    }),
  ),
];

/** What is sent there is nobody's to read on the way. */
export const isPassedThrough = ({ routeOptions }: Pick<FastifyRequest, 'routeOptions'>): boolean => routeOptions.url === PASSTHROUGH;

/** What a key needs for itself, and what counts without a model of its own, is not on `inference.local`. */
const LOCAL_PATHS: ReadonlySet<string> = new Set([
  '/v1/chat/completions',
  '/v1/completions',
  '/v1/responses',
  '/v1/messages',
  '/v1/embeddings',
  '/v1/models',
]);

/** The routes that are there on `inference.local` too. */
export const LOCAL_ROUTES: readonly PublicRoute[] = PUBLIC_ROUTES.filter(({ path }) => LOCAL_PATHS.has(path));

export const isLocalRoute = ({ routeOptions }: Pick<FastifyRequest, 'routeOptions'>): boolean => LOCAL_PATHS.has(routeOptions.url ?? '');

const BY_PATH = new Map(PUBLIC_ROUTES.map((route) => [route.path, route]));

/** The format of errors where nothing tells another. */
export const OTHER_FORMAT = CHAT;

/** The format that an error of a request has: that of its endpoint, and of Anthropic's API below its addresses and for its clients. */
export function formatFor(request: Pick<FastifyRequest, 'headers' | 'url' | 'routeOptions'>): CallFormat {
  const route = BY_PATH.get(request.routeOptions.url ?? '');
  if (route && (route.kind === 'call' || route.kind === 'count')) return route.format;
  return request.url.startsWith('/v1/messages') || isOfAnthropic(request) ? MESSAGES : OTHER_FORMAT;
}

/** Where calls go. */
export const CALL_PATHS: readonly string[] = PUBLIC_ROUTES.filter(({ kind }) => kind === 'call').map(({ path }) => path);
