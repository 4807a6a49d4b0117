export { Batcher } from './batcher.js';
export { ConfigChanges, PLATFORM } from './changes.js';
export { type EmbeddedPostgres, hasEmbeddedPostgres, startEmbeddedPostgres } from './embedded.js';
export { Locks } from './locks.js';
export { migrate } from './migrate.js';
export { createPool, createScopedPool, createWalledPool, DATABASE_URL, EXACT_TYPES, type Pool } from './pool.js';
export { isUniqueViolation, Prisma, type PrismaExecutor } from './prisma.js';
export { assertBoundRole } from './runtime-role.js';
export { EVERY_TENANT, inTenantScope, outsideTenantScope, type TenantScope } from './tenant-scope.js';
