export { IdempotencyModule } from './idempotency.module.js';
export { Claim, IdempotencyService, MAX_ANSWER_BYTES } from './idempotency.service.js';
export type { KeptAnswer } from './kept-answer.js';
