import { METHODS } from '../../../src/egress-rules/index.js';
import { PUBLIC_ROUTES, type PublicRoute } from '../../../src/gateway/routes.js';

/** One public route, as attacks use it. */
export interface SurfaceRow {
  /** Its key in `ROWS`, e.g. `POST /v1/messages`. */
  route: string;
  kind: PublicRoute['kind'];
  method: PublicRoute['method'];
  /** With its variable parts filled in. */
  path: string;
  /** It can answer in a stream. */
  streams: boolean;
  /** It has tools. */
  tools: boolean;
  /** A valid request. @param model a reference; @param text what the user says; @param more further fields of the body. */
  body(model: string, text?: string, more?: object): Record<string, unknown>;
  /** Its field for the output limit; null: it has none. */
  limitField: string | null;
}

type Row = Omit<SurfaceRow, 'route' | 'kind' | 'method' | 'path'> & { path?: string };

const NO_BODY: Row = { streams: false, tools: false, body: () => ({}), limitField: null };

const PASSED: Row = { ...NO_BODY, path: '/v1/passthrough/mock/v1/files' };

const chat = (limitField: string): Row => ({
  streams: true,
  tools: true,
  limitField,
  body: (model, text = 'Hello', more = {}) => ({ model, messages: [{ role: 'user', content: text }], [limitField]: 100, ...more }),
});

/** A row for every route. Whoever adds a route adds its row: `routes.spec.ts` fails otherwise. */
export const ROWS: Readonly<Record<string, Row>> = {
  'POST /v1/chat/completions': chat('max_tokens'),
  'POST /v1/completions': {
    streams: true,
    tools: false,
    limitField: 'max_tokens',
    body: (model, text = 'Hello', more = {}) => ({ model, prompt: text, max_tokens: 100, ...more }),
  },
  'POST /v1/responses': {
    streams: true,
    tools: true,
    limitField: 'max_output_tokens',
    body: (model, text = 'Hello', more = {}) => ({ model, input: text, max_output_tokens: 100, ...more }),
  },
  'POST /v1/messages': chat('max_tokens'),
  'POST /v1/chat/complete': chat('max_tokens'),
  'POST /v1/embeddings': {
    streams: false,
    tools: false,
    limitField: null,
    body: (model, text = 'Hello', more = {}) => ({ model, input: text, ...more }),
  },
  'POST /v1/messages/count_tokens': {
    streams: false,
    tools: true,
    limitField: null,
    body: (model, text = 'Hello', more = {}) => ({ model, messages: [{ role: 'user', content: text }], ...more }),
  },
  'GET /v1/models': NO_BODY,
  'GET /v1/models/*': { ...NO_BODY, path: '/v1/models/mock/echo' },
  'GET /v1/key': NO_BODY,
  'GET /v1/calls/:id': { ...NO_BODY, path: '/v1/calls/call_00000000000070008000000000000000' },
  'GET /v1/calls/:id/explain': { ...NO_BODY, path: '/v1/calls/call_00000000000070008000000000000000/explain' },
  'GET /v1/approvals/:id': { ...NO_BODY, path: '/v1/approvals/apr_00000000000070008000000000000000' },
  'POST /v1/sessions': { ...NO_BODY, body: () => ({ id: 'session' }) },
  'GET /v1/sessions/*': { ...NO_BODY, path: '/v1/sessions/session' },
  'DELETE /v1/sessions/*': { ...NO_BODY, path: '/v1/sessions/session' },
  ...Object.fromEntries(METHODS.map((method) => [`${method} /v1/passthrough/:provider/*`, PASSED])),
};

/** Every public route, in the router's order. */
export const SURFACES: readonly SurfaceRow[] = PUBLIC_ROUTES.flatMap(({ method, path, kind }) => {
  const route = `${method} ${path}`;
  const row = ROWS[route];
  return row ? [{ path, ...row, route, kind, method }] : [];
});

/** Those that hold, send and book. */
export const CALLS: readonly SurfaceRow[] = SURFACES.filter(({ kind }) => kind === 'call');
/** Those of `CALLS` that hold a conversation: every provider format answers them. */
export const CONVERSATIONS: readonly SurfaceRow[] = CALLS.filter(({ streams }) => streams);

/** Sends one request to a route. @param to a running Weir and a key of it. */
export function send(
  to: { publicUrl: string; apiKey: string },
  { method, path }: Pick<SurfaceRow, 'method' | 'path'>,
  body?: unknown,
  headers: Record<string, string> = {},
  signal?: AbortSignal,
): Promise<Response> {
  const json = method === 'POST' && { 'content-type': 'application/json' };
  const text = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body);
  return fetch(to.publicUrl + path, {
    method,
    headers: { authorization: `Bearer ${to.apiKey}`, ...json, ...headers },
    ...(method === 'POST' && { body: text as string }),
    ...(signal && { signal }),
  });
}
