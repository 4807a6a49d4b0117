import { WeirError } from '../kernel/errors.js';
import { idempotencyKey } from '../kernel/idempotency-key.js';
import { type Id, parsePublicId } from '../kernel/ids.js';
import { type Nano, parseUsd } from '../kernel/money.js';
import { isThinkingLevel, THINKING_LEVELS, type ThinkingLevel } from '../kernel/thinking.js';
import type { Scope } from '../ledger/index.js';

/** What a request's headers ask for. */
export interface CallOptions {
  session: string | null;
  /** Keys of the tenant's own that the call is counted by. */
  scopeKeys: readonly string[];
  tags: readonly string[];
  /** The most this call may cost. */
  maxCost: Nano | null;
  shrinkToFit: boolean;
  /** How long the call may take, with all of its attempts; null: as its route and the installation say. */
  timeoutMs: number | null;
  /** How much the model is to think, unless the request's own field says. */
  thinkingLevel: ThinkingLevel | null;
  /** Anthropic's `anthropic-beta`, for Anthropic alone. */
  betas: readonly string[];
  /** Anthropic's `anthropic-version`, for Anthropic alone. */
  anthropicVersion: string | null;
  /** What the provider's format cannot do at all is left out instead of refused. */
  dropUnsupported: boolean;
  /** Options of Cloudflare's AI Gateway, for one alone: names of headers and values in turn. */
  aiGateway: readonly string[];
  /** The client's key for this call and its repeats. */
  idempotencyKey: string | null;
  /** Of an approval that lets it go beyond its budgets. */
  approvalId: Id | null;
  /** How long the client waits for somebody to approve it, where that is needed; null: it does not. */
  waitMs: number | null;
  /** The gateways it has come through, as they name themselves. */
  via: string | null;
}

export const NO_OPTIONS: CallOptions = {
  session: null,
  scopeKeys: [],
  tags: [],
  maxCost: null,
  shrinkToFit: false,
  timeoutMs: null,
  thinkingLevel: null,
  betas: [],
  anthropicVersion: null,
  dropUnsupported: false,
  aiGateway: [],
  idempotencyKey: null,
  approvalId: null,
  waitMs: null,
  via: null,
};

/** What changes the call: all but the way it came, its key, and how it is approved. What is not asked for is left out, so that a new option changes nothing of older calls. */
export function policyOf({ via: _via, idempotencyKey: _key, approvalId: _approval, waitMs: _wait, ...options }: CallOptions): string {
  const asked = Object.entries(options).filter(([name, value]) => value !== NO_OPTIONS[name as keyof CallOptions]);
  return JSON.stringify(asked, (_name, value) => (typeof value === 'bigint' ? String(value) : value));
}

const MAX_LABELS = 16;
/** Printable and storable: no control character, no half surrogate pair, no blank at either end. `*` stands for all in a budget. */
export const LABEL = /^(?!\*$)[^\s\p{Cc}\p{Cs}](?:[^\p{Cc}\p{Cs}]{0,254}[^\s\p{Cc}\p{Cs}])?$/u;

const VERSION = /^[\w.-]{1,64}$/;
const AI_GATEWAY_VALUE = /^[\x20-\x7e]{1,2000}$/;

/**
 * Adds what one header says.
 * @throws WeirError invalid_request for a header that is unknown or says nothing sensible.
 */
export function withHeader(options: CallOptions, name: string, value: string): CallOptions {
  const invalid = (message: string) => new WeirError('invalid_request', { param: name, message: `The header "${name}" ${message}.` });
  switch (name) {
    case 'x-weir-session':
      if (!LABEL.test(value)) throw invalid('must be 1 to 256 printable characters');
      return { ...options, session: value };
    case 'x-weir-scope':
      return { ...options, scopeKeys: labels(value) ?? fail(invalid(LABELS_EXPECTED)) };
    case 'x-weir-tags':
      return { ...options, tags: labels(value) ?? fail(invalid(LABELS_EXPECTED)) };
    case 'x-weir-max-cost':
      return { ...options, maxCost: parseUsd(value) ?? fail(invalid('must be USD as a decimal number, e.g. 0.05')) };
    case 'x-weir-fit':
      if (value !== 'shrink') throw invalid('must be "shrink"');
      return { ...options, shrinkToFit: true };
    case 'x-weir-timeout-ms':
      if (!/^[1-9]\d{2,}$/.test(value)) throw invalid('must be a whole number of milliseconds from 100');
      return { ...options, timeoutMs: Number(value) };
    case 'x-weir-thinking-level':
      if (!isThinkingLevel(value)) throw invalid(`must be one of ${THINKING_LEVELS.join(', ')}`);
      return { ...options, thinkingLevel: value };
    case 'x-weir-unsupported':
      if (value !== 'drop') throw invalid('must be "drop"');
      return { ...options, dropUnsupported: true };
    case 'anthropic-version':
      if (!VERSION.test(value)) throw invalid('must be a version such as 2023-06-01');
      return { ...options, anthropicVersion: value };
    case 'anthropic-beta':
      return {
        ...options,
        betas: value
          .split(',')
          .map((beta) => beta.trim())
          .filter(Boolean),
      };
    case 'cf-aig-skip-cache':
    case 'cf-aig-cache-ttl':
    case 'cf-aig-cache-key':
    case 'cf-aig-collect-log':
    case 'cf-aig-event-id':
    case 'cf-aig-metadata':
      if (!AI_GATEWAY_VALUE.test(value)) throw invalid('must be 1 to 2000 printable ASCII characters');
      return { ...options, aiGateway: [...options.aiGateway, name, value] };
    case 'x-weir-approval': {
      const approvalId = parsePublicId('approval', value);
      if (approvalId === null) throw invalid('must be the id of an approval, such as apr_…');
      return { ...options, approvalId };
    }
    case 'idempotency-key':
      return { ...options, idempotencyKey: idempotencyKey(value) };
    default:
      throw invalid('is not a supported x-weir header');
  }
}

/** `Prefer: wait=N` (RFC 7240), in seconds. What else may be preferred there is not for a gateway. */
export function withPreference(options: CallOptions, value: string): CallOptions {
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,9})"?\s*(?=$|[,;])/i.exec(value)?.[1];
  return seconds === undefined || Number(seconds) === 0
    ? options
    : { ...options, waitMs: 1_000 * Math.min(Number(seconds), MAX_WAIT_SECONDS) };
}

const MAX_WAIT_SECONDS = 300;

const LABELS_EXPECTED = `must be a comma list of 1 to ${MAX_LABELS} labels of at most 256 printable characters`;

function labels(value: string): string[] | null {
  const all = [...new Set(value.split(',').map((label) => label.trim()))];
  return all.length <= MAX_LABELS && all.every((label) => LABEL.test(label)) ? all : null;
}

function fail(error: WeirError): never {
  throw error;
}

/** The scopes a call is counted by beyond those of its key. */
export const scopesOf = (options: CallOptions, provider: string, models: readonly string[], endUser: string | null): Scope[] => [
  { kind: 'provider', value: provider },
  ...models.map((value) => ({ kind: 'model', value })),
  ...labelsOf(options, endUser),
];

/** Of these, those that are known before a call has its target. */
export function labelsOf(options: CallOptions, endUser: string | null): Scope[] {
  const scopes: Scope[] = [];
  if (endUser !== null) scopes.push({ kind: 'end_user', value: endUser });
  if (options.session !== null) scopes.push({ kind: 'session', value: options.session });
  for (const value of options.tags) scopes.push({ kind: 'tag', value });
  for (const value of options.scopeKeys) scopes.push({ kind: 'scope', value });
  return scopes;
}
