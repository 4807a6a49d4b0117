import { z } from 'zod';
import type { Limit } from './limit.js';

const max = z.number().int().nullable();

/** What `renderMaxima` returns. */
export const LimitMaxima = { max_requests_per_1_minute: max, max_tokens_per_1_minute: max, max_concurrent_requests: max };

/** What a limit allows, as tenants and admins alike read it. */
export const renderMaxima = (limit: Limit) => ({
  max_requests_per_1_minute: limit.requestsPerMinute,
  max_tokens_per_1_minute: limit.tokensPerMinute,
  max_concurrent_requests: limit.concurrency,
});
