import type { Refusal, RefusalClass } from '../../dialects/index.js';
import type { ErrorCode, WeirError } from '../../kernel/errors.js';
import type { FallbackReason } from '../../routing/index.js';
import { retryAfterMs } from './retry-after.js';

/** Why an attempt failed at its provider, and what can be done about it. */
export interface Failure {
  /** Null: another target would refuse the request as well. */
  reason: FallbackReason | null;
  /** The same request to the same target may go well a moment later. */
  isPassing: boolean;
  /** When the provider wants to be asked again; null: it does not say. */
  retryAfterMs: number | null;
  /** The attempt itself knows what makes the next one better: a new token was fetched, or a lower output limit is to be sent. */
  remedy: 'new_token' | 'lower_limit' | null;
}

type Kind = Pick<Failure, 'reason' | 'isPassing'>;

const LASTING: Kind = { reason: 'provider_error', isPassing: false };
const PASSING: Kind = { reason: 'provider_error', isPassing: true };
const NOT_THE_PROVIDERS: Kind = { reason: null, isPassing: false };

const BY_CLASS: Record<RefusalClass, Kind> = {
  auth: { reason: 'auth', isPassing: false },
  billing: { reason: 'billing', isPassing: false },
  rate_limit: { reason: 'rate_limited', isPassing: true },
  model_not_found: { reason: 'model_not_found', isPassing: false },
  context_length: { reason: 'context_length', isPassing: false },
  too_large: { reason: 'context_length', isPassing: false },
  unprocessable: NOT_THE_PROVIDERS,
  bad_request: NOT_THE_PROVIDERS,
  timeout: { reason: 'timeout', isPassing: false },
  overloaded: PASSING,
  failed_answer: LASTING,
  server: PASSING,
};

const BY_CODE: Partial<Record<ErrorCode, Kind>> = {
  upstream_timeout: { reason: 'timeout', isPassing: false },
  upstream_unreachable: PASSING,
  upstream_interrupted: PASSING,
  upstream_invalid_response: LASTING,
  destination_refused: LASTING,
  provider_auth_failed: { reason: 'auth', isPassing: false },
  credential_unavailable: LASTING,
  connection_required: { reason: 'auth', isPassing: false },
};

/** By status and provider code first; a provider's own word for content that it refuses goes before the class of its status. */
export function failureOf(
  error: WeirError | null,
  refusal: Refusal | null,
  headers: Readonly<Record<string, string | string[] | undefined>>,
  remedy: Failure['remedy'] = null,
): Failure | null {
  const kind = refusal ? kindOf(refusal) : error && BY_CODE[error.code];
  return kind ? { ...kind, retryAfterMs: retryAfterMs(headers, refusal?.retryAfterSeconds), remedy } : null;
}

/** Of an answer in which the provider or the model declines to answer. Null: it answers. */
export const refusalIn = (finishReason: string | null): Failure | null =>
  finishReason !== null && CONTENT_END.test(finishReason)
    ? { reason: 'content_refused', isPassing: false, retryAfterMs: null, remedy: null }
    : null;

const CONTENT_END = /content.?filter|refusal|safety|prohibited|blocklist|guardrail/i;

const kindOf = ({ class: ofClass, code }: Refusal): Kind =>
  code !== undefined && CONTENT_CODE.test(code) ? { reason: 'content_refused', isPassing: false } : BY_CLASS[ofClass];

const CONTENT_CODE =
  /^(?:content_(?:filter|policy_violation|blocked)|ResponsibleAIPolicyViolation|data_inspection_failed|moderation_blocked)$/i;
