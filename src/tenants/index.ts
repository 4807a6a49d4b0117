export type { Project, Tenant } from './tenant.js';
export { TenantDeletion } from './tenant-deletion.js';
export { TenantsModule } from './tenants.module.js';
export { TenantsRepository } from './tenants.repository.js';
