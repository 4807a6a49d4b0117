import type { Id } from '../kernel/ids.js';
import type { Nano } from '../kernel/money.js';

export const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
export type Method = (typeof METHODS)[number];

/** One path of a provider's own API that calls of a tenant may reach as it is. */
export interface EgressRule {
  tenantId: string;
  id: Id;
  /** The name of the provider. */
  provider: string;
  /** Where the provider was when the rule was set: at another address the rule allows nothing. */
  origin: string;
  method: Method;
  /** From the root of the origin, e.g. `/v1/files/{id}`: see {@link faultOfPath}. */
  path: string;
  /** The query parameters that may be sent. */
  query: readonly string[];
  /** What a request costs; null: it is not known before. */
  price: Nano | null;
  /** `operator`: the platform's rule, which the tenant cannot change. */
  setBy: string;
  externalId: string | null;
  metadata: unknown;
  /** Rises with each change; the ETag. */
  version: number;
  createdAt: Date;
}

/** How a rule is named in errors and in the ledger. */
export const nameOf = ({ method, path }: Pick<EgressRule, 'method' | 'path'>): string => `${method} ${path}`;

const MAX_PATH = 256;
/** A part that stands for itself. */
const LITERAL = /^(?!\.{1,2}$)[\w.~:@-]+$/;
/** A part that stands for any one part, and what may follow it in Google's APIs: `{model}:countTokens`. */
const PLACEHOLDER = /^\{\w{1,64}\}(:[A-Za-z]\w{0,63})?$/;
/** What a placeholder stands for: nothing that a server could read as another path, or as a method of an API. */
const VALUE = /^(?!\.{1,2}$)[\w.~-]{1,256}$/;
const PARAMETER = /^[A-Za-z][\w.[\]-]{0,63}$/;
/** By which a provider would be shown another credential than the tenant's. */
const CREDENTIAL_PARAMETER =
  /^(?:x-.*|api[-_]?key|key|access[-_]?token|id[-_]?token|token|auth|authorization|signature|sig|client[-_]?secret|secret|password)$/i;

/** Why a rule cannot have this path, in the words that follow it; null: it can. */
export function faultOfPath(method: Method, path: string): string | null {
  const parts = partsOf(path);
  if (path.length > MAX_PATH || !path.startsWith('/') || !parts.every((part) => LITERAL.test(part) || PLACEHOLDER.test(part)))
    return 'is no path template: write it from the root of the provider\'s address, such as "/v1/files/{id}", with letters, digits, "-", "_", ".", "~", ":" and "@", without "*", "?" or an escape';
  const said = parts.map((part) => part.replace(/^\{\w+\}/, '')).filter((part) => part !== '');
  if (said.length === 0) return 'names nothing: at least one part has to be no placeholder';
  return faultOfUse(method, `/${parts.map((part) => part.replace(/^\{\w+\}/, FILLED)).join('/')}`, said);
}

/** Why a call may not reach this path, though a rule matches it; null: it may. */
export function faultOfCall({ method, path: template }: Pick<EgressRule, 'method' | 'path'>, path: string): string | null {
  const parts = partsOf(path);
  // An id may have any word in it. One that is all letters is no id.
  const said = partsOf(template).map((part, at) => (PLACEHOLDER.test(part) && /\d/.test(parts[at]!) ? '' : parts[at]!));
  return faultOfUse(method, path, said);
}

/** Stands in for a placeholder while a template is judged. */
const FILLED = '0';

function faultOfUse(method: Method, path: string, said: readonly string[]): string | null {
  const word = said.flatMap(wordsOf).find((one) => CLOSED.has(one)) ?? said.find((part) => CLOSED_PARTS.has(part.toLowerCase()));
  if (word !== undefined) return `is never passed through: "${word}" is about keys, money or accounts`;
  if (/\/realtime(?:\/|$)/i.test(path)) return 'is never passed through: it gives out keys';
  if (method !== 'GET' && method !== 'DELETE' && callsModel(path))
    return 'calls a model: such calls are held, priced and booked by their tokens. Send them to Weir\'s own endpoints, with "model": "provider/model-id"';
  return null;
}

/** Words of paths by which keys, money, and who belongs to an account are managed. */
const CLOSED: ReadonlySet<string> = new Set(
  `admin apikey apikeys auth balance balances billing budget budgets chatkit cost costs credential credentials credit credits iam invite invites invoice
  invoices key keys login logout member members oauth oauth2 org organization organizations orgs password payment payments
  permission permissions role roles secret secrets spend subscription subscriptions team teams usage usages user users wallet wallets workspace workspaces`.split(
    /\s+/,
  ),
);
/** The same for what is too common as a part of names, such as `count_tokens`. */
const CLOSED_PARTS: ReadonlySet<string> = new Set(['account', 'me', 'token', 'tokens', 'whoami']);

const wordsOf = (part: string): string[] =>
  part
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
    .replace('isation', 'ization')
    .split(/[^a-z0-9]+/);

/** Last parts of the paths by which models are called, in the formats that Weir speaks to providers. */
const CALLS: ReadonlySet<string> = new Set(
  'completions responses embeddings embed converse converse-stream invoke invoke-with-response-stream'.split(' '),
);
/** The same directly below the root of an API: elsewhere they are about something else, such as the messages of a thread. */
const CALLS_AT_ROOT: ReadonlySet<string> = new Set(['chat', 'generate', 'messages']);
const ROOT = /^(?:v\d\w*|api|anthropic)?$/;
/** The same of Google's APIs, which end a path with them. */
const CALLING_METHODS: ReadonlySet<string> = new Set(
  'generatecontent streamgeneratecontent embedcontent batchembedcontents predict rawpredict streamrawpredict'.split(' '),
);

function callsModel(path: string): boolean {
  const lower = path.toLowerCase();
  const [last = '', before = ''] = partsOf(lower).reverse();
  if (CALLS.has(last) || (CALLS_AT_ROOT.has(last) && ROOT.test(before)) || lower.includes('/ai/run/')) return true;
  return CALLING_METHODS.has(last.slice(last.lastIndexOf(':') + 1));
}

/** Why a rule cannot allow this query parameter, in the words that follow it; null: it can. */
export function faultOfParameter(name: string): string | null {
  if (!PARAMETER.test(name)) return 'is no name of a query parameter: use letters, digits, "_", ".", "-" and brackets';
  return CREDENTIAL_PARAMETER.test(name) ? "would show a credential: that is Weir's to do" : null;
}

/** What tells templates apart that match the same paths: nothing. */
export const shapeOf = (path: string): string => path.replace(/\{\w+\}/g, '{}');

/** Whether a rule's path is that of a request. Nothing is decoded: what is escaped or empty matches nothing. */
export function matches({ path: template }: Pick<EgressRule, 'path'>, path: string): boolean {
  const [wanted, given] = [partsOf(template), partsOf(path)];
  return path.startsWith('/') && wanted.length === given.length && wanted.every((part, at) => takes(part, given[at]!));
}

function takes(part: string, given: string): boolean {
  const placeholder = PLACEHOLDER.exec(part);
  if (!placeholder) return part === given;
  const suffix = placeholder[1] ?? '';
  return given.endsWith(suffix) && VALUE.test(given.slice(0, given.length - suffix.length));
}

/** How much of a template is open. */
export const placeholders = (path: string): number => partsOf(path).filter((part) => PLACEHOLDER.test(part)).length;

const partsOf = (path: string): string[] => path.split('/').slice(1);
