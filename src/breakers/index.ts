export type { Went } from './breaker-set.js';
export { Breakers } from './breakers.js';
export { BreakersModule } from './breakers.module.js';
export { BreakersRepository, type StoredBreaker } from './breakers.repository.js';
