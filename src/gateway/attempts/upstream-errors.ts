import type { CooldownReason, Remaining } from '../../credentials/index.js';
import type { Refusal, RefusalClass } from '../../dialects/index.js';
import { ERRORS, type ErrorCode, WeirError } from '../../kernel/errors.js';
import type { Secret } from '../../platform/crypto/index.js';
import type { EgressError, EgressFailure } from '../../platform/egress/index.js';
import type { Target } from '../../routing/index.js';

const RETRY_AFTER = { fallback: 1, least: 1, most: 120 };

const EGRESS_CODES: Record<EgressFailure, ErrorCode> = {
  refused: 'destination_refused',
  unreachable: 'upstream_unreachable',
  timeout: 'upstream_timeout',
  interrupted: 'upstream_interrupted',
};

/** Refusals that speak of the credential rather than of the request. */
const REST_REASONS: Partial<Record<RefusalClass, CooldownReason>> = {
  auth: 'refused',
  billing: 'out_of_money',
  rate_limit: 'rate_limited',
};

/** How a credential is to rest. */
interface Rest {
  reason: CooldownReason;
  /** For how many, as the provider says; null: it does not. */
  seconds: number | null;
  /** For which model; null: for all of them. */
  model: string | null;
}

/** How a credential is to rest after a refusal; null: it need not. Limits on calls belong to a model, unless the provider says otherwise. */
export function cooldownOf(refusal: Refusal, retryAfter: string | undefined, model: string): Rest | null {
  const reason = REST_REASONS[refusal.class];
  if (!reason) return null;
  const isOfModel = reason === 'rate_limited' && !speaksOfAccount(refusal, model);
  return { reason, seconds: retryAfter === undefined ? null : normalizeRetryAfter(retryAfter), model: isOfModel ? model : null };
}

/** OpenAI names the organization beside the model that it limits. */
const speaksOfAccount = ({ message }: Refusal, model: string): boolean =>
  message !== null && !message.includes(model) && /\b(?:accounts?|organi[sz]ations?|workspaces?|api keys?|all models)\b/i.test(message);

/** A shorter one is a word of the sentence. */
const SHORTEST_TO_REDACT = 8;

/** A provider may repeat what it was shown; neither the client nor the log gets it. */
export function withoutSecrets(refusal: Refusal, shown: readonly Secret[]): Refusal {
  const secrets = shown.map((secret) => secret.reveal()).filter((text) => text.length >= SHORTEST_TO_REDACT);
  const { param, code, ...rest } = refusal;
  const isClean = (word: string | undefined) => word !== undefined && !secrets.some((text) => word.includes(text)) && scrub(word) === word;
  const message =
    refusal.message &&
    scrub(secrets.reduce((sentence, text) => withoutCut(sentence.replaceAll(text, '[redacted]'), text), refusal.message));
  return { ...rest, message, ...(isClean(param) && { param }), ...(isClean(code) && { code }) };
}

/** A sentence is cut at its greatest length: the beginning of a secret may be its end. */
function withoutCut(message: string, secret: string): string {
  for (let length = secret.length - 1; length >= SHORTEST_TO_REDACT; length--)
    if (message.endsWith(secret.slice(0, length))) return `${message.slice(0, -length)}[redacted]`;
  return message;
}

/** A text of the table speaks of "the provider": which one it is, in the words of its record. Nothing that came from there is said. */
export function naming(error: WeirError, provider: string): WeirError {
  const isOwnText = error.message === ERRORS[error.code].text && error.message.startsWith(THE_PROVIDER);
  return isOwnText ? error.with({ message: `${THE_PROVIDER}"${provider}" ${error.message.slice(THE_PROVIDER.length)}` }) : error;
}

const THE_PROVIDER = 'The provider ';

/** An answer that cannot be given on. @param cause for the log. */
export const unreadable = (cause: unknown): WeirError => new WeirError('upstream_invalid_response', { cause });

export const repeated = (): WeirError => unreadable('it repeats the credential that it was shown');

export const errorOfEgress = (error: EgressError): WeirError => new WeirError(EGRESS_CODES[error.failure], { cause: error.cause });

/** Of a new connection that broke before the first byte of the request: the provider cannot have it. */
export function wroteNothing({ cause }: EgressError): boolean {
  const { socket } = (cause ?? {}) as { socket?: { bytesWritten?: number } | null };
  return socket?.bytesWritten === 0;
}

/**
 * What a client reads when a provider refuses. The provider's own sentence is passed on only where it speaks of the client's request, and only
 * from a vendor's own address: from any other it could be the answer of a server that the client must not read. From there go only codes of
 * OpenAI and Anthropic, and the names of fields that the request has.
 * @param request the client's.
 * @param refusal without anything that looks like a key: see {@link withoutSecrets}.
 * @param remaining the provider's credentials, where the refusal speaks of the one it was shown.
 */
export function errorOfRefusal(
  refusal: Refusal,
  { provider, model, isVendor }: Pick<Target, 'provider' | 'model' | 'isVendor'>,
  retryAfter: string | undefined,
  remaining: Remaining | null,
  request: Readonly<Record<string, unknown>>,
): WeirError {
  const sentence = isVendor ? refusal.message : null;
  const told = refusal.details && { details: refusal.details };
  const others = remaining && remaining.credentials > 1 ? remaining : null;
  const refused = (code: ErrorCode) =>
    new WeirError(code, {
      message: sentence ? `The provider "${provider}" refused the request: ${sentence}` : `The provider "${provider}" refused the request.`,
      ...(refusal.param !== undefined && (isVendor || isFieldOf(request, refusal.param)) && { param: refusal.param }),
      // The provider's word goes before Weir's.
      fields: { ...told, ...(refusal.code !== undefined && (isVendor || KNOWN_CODES.has(refusal.code)) && { code: refusal.code }) },
      cause: refusal.message,
    });
  switch (refusal.class) {
    case 'auth':
      return new WeirError('provider_auth_failed', {
        message: `The provider "${provider}" refused the credential configured for it.${hint(others)}`,
        ...(others?.readyInSeconds === 0 && AT_ONCE),
        cause: refusal.message,
      });
    case 'billing':
      return new WeirError('provider_unavailable', {
        message: `The account of the provider "${provider}" is out of money or quota.${hint(others)}`,
        ...(others?.readyInSeconds === 0 && AT_ONCE),
        cause: refusal.message,
      });
    case 'rate_limit':
      return new WeirError('upstream_rate_limited', {
        message: others ? `The provider "${provider}" is rate limiting.${hint(others)}` : undefined,
        retryAfterSeconds: others ? Math.max(1, others.readyInSeconds) : normalizeRetryAfter(retryAfter),
        cause: refusal.message,
      });
    case 'model_not_found':
      if (refusal.details) return new WeirError('not_found', { message: sentence ?? THREAD_GONE, fields: told, cause: refusal.message });
      return new WeirError('model_not_found', {
        param: 'model',
        message: `The provider "${provider}" does not know the model "${model}".`,
        cause: refusal.message,
      });
    case 'context_length':
      return new WeirError('context_length_exceeded', { param: 'messages', message: sentence ?? undefined, cause: refusal.message });
    case 'bad_request':
      return refused('invalid_request');
    case 'too_large':
      return refused('request_too_large');
    case 'unprocessable':
      return refused('unprocessable_request');
    case 'overloaded':
      return new WeirError('upstream_overloaded', { retryAfterSeconds: normalizeRetryAfter(retryAfter), cause: refusal.message });
    case 'failed_answer':
      return new WeirError('upstream_failed_answer', { message: sentence ?? undefined, cause: refusal.message });
    case 'timeout':
      return new WeirError('upstream_timeout', { cause: refusal.message });
    case 'server':
      return new WeirError('upstream_error', {
        cause: refusal.message,
        ...(retryAfter !== undefined && { retryAfterSeconds: normalizeRetryAfter(retryAfter) }),
      });
  }
}

/** Of OpenAI and Anthropic, for requests that they refuse. Many servers use the same. */
const KNOWN_CODES: ReadonlySet<string> = new Set([
  'invalid_request_error',
  'invalid_value',
  'invalid_type',
  'missing_required_parameter',
  'unknown_parameter',
  'unsupported_parameter',
  'unsupported_value',
  'integer_above_max_value',
  'integer_below_min_value',
  'decimal_above_max_value',
  'decimal_below_min_value',
  'array_above_max_length',
  'array_below_min_length',
  'string_above_max_length',
  'string_below_min_length',
  'empty_array',
  'empty_string',
  'invalid_json',
  'invalid_image',
  'invalid_image_format',
  'invalid_image_url',
  'invalid_base64',
  'image_too_large',
  'image_parse_error',
  'invalid_function_parameters',
  'invalid_json_schema',
  'content_policy_violation',
  'content_filter',
  'invalid_prompt',
  'request_too_large',
]);

/** Whether a request has a field at this path, such as `messages[0].content` or `tools.0.name`. */
function isFieldOf(request: Readonly<Record<string, unknown>>, path: string): boolean {
  let at: unknown = request;
  for (const name of path.split(/[.[\]]+/).filter(Boolean)) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return false;
    at = (at as Record<string, unknown>)[name];
  }
  return at !== request;
}

const THREAD_GONE = 'The provider does not have the message thread. Send the whole conversation.';
const AT_ONCE = { retry: true, retryAfterSeconds: 1 };

function hint(others: Remaining | null): string {
  if (!others) return '';
  if (others.readyInSeconds === 0) return ' The next call uses another of its keys.';
  return ` None of its ${others.credentials} keys is ready; the first will be in ${others.readyInSeconds} seconds.`;
}

/** Seconds or a date, from 1 to 120; anything else is 1. */
function normalizeRetryAfter(value: string | undefined, now = Date.now()): number {
  if (value === undefined) return RETRY_AFTER.fallback;
  const seconds = /^\d{1,9}(\.\d+)?$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
  if (Number.isNaN(seconds)) return RETRY_AFTER.fallback;
  return Math.min(RETRY_AFTER.most, Math.max(RETRY_AFTER.least, Math.ceil(seconds)));
}

const scrub = (text: string): string => text.replace(/\b(sk|pk|key|gsk|xai|weir|AIza|Bearer)[-_ ]?[A-Za-z0-9*._-]{8,}/g, '[redacted]');
