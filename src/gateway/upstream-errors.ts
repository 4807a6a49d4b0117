import type { Refusal } from '../dialects/index.js';
import { type ErrorCode, WeirError } from '../kernel/errors.js';
import type { EgressError, EgressFailure } from '../platform/egress/index.js';

const RETRY_AFTER = { fallback: 1, least: 1, most: 120 };

const EGRESS_CODES: Record<EgressFailure, ErrorCode> = {
  refused: 'destination_refused',
  unreachable: 'upstream_unreachable',
  timeout: 'upstream_timeout',
  interrupted: 'upstream_interrupted',
};

export const errorOfEgress = (error: EgressError): WeirError => new WeirError(EGRESS_CODES[error.failure], { cause: error.cause });

/**
 * What a client is told when a provider refuses. The provider's own sentence is passed on only where it speaks of the client's request, and
 * without anything that looks like a key.
 */
export function errorOfRefusal(refusal: Refusal, provider: string, model: string, retryAfter: string | undefined): WeirError {
  const sentence = refusal.message ? scrub(refusal.message) : null;
  switch (refusal.class) {
    case 'auth':
      return new WeirError('provider_auth_failed', {
        message: `The provider "${provider}" refused the credential configured for it.`,
        cause: refusal.message,
      });
    case 'billing':
      return new WeirError('provider_unavailable', { cause: refusal.message });
    case 'rate_limit':
      return new WeirError('upstream_rate_limited', {
        retryAfterSeconds: normaliseRetryAfter(refusal.retryAfterSeconds?.toString() ?? retryAfter),
        cause: refusal.message,
      });
    case 'model_not_found':
      return new WeirError('model_not_found', {
        param: 'model',
        message: `The provider "${provider}" does not know the model "${model}".`,
        cause: refusal.message,
      });
    case 'context_length':
      return new WeirError('context_length_exceeded', { param: 'messages', message: sentence ?? undefined });
    case 'bad_request':
      return new WeirError('invalid_request', {
        message: sentence ? `The provider "${provider}" refused the request: ${sentence}` : undefined,
      });
    case 'timeout':
      return new WeirError('upstream_timeout', { cause: refusal.message });
    case 'server':
      return new WeirError('upstream_error', { cause: refusal.message });
  }
}

/** Seconds or a date, from 1 to 120; anything else is 1. */
export function normaliseRetryAfter(value: string | undefined, now = Date.now()): number {
  if (value === undefined) return RETRY_AFTER.fallback;
  const seconds = /^\d{1,9}(\.\d+)?$/.test(value) ? Number(value) : (Date.parse(value) - now) / 1000;
  if (Number.isNaN(seconds)) return RETRY_AFTER.fallback;
  return Math.min(RETRY_AFTER.most, Math.max(RETRY_AFTER.least, Math.ceil(seconds)));
}

const scrub = (text: string): string => text.replace(/\b(sk|pk|key|gsk|xai|weir|AIza|Bearer)[-_ ]?[A-Za-z0-9*._-]{8,}/g, '[redacted]');
