export { DEFAULT_PROJECT, type Project, type Tenant } from './tenant.js';
export { TenantDeletion } from './tenant-deletion.js';
export { TenantsModule } from './tenants.module.js';
export { type Labels, TenantsRepository } from './tenants.repository.js';
