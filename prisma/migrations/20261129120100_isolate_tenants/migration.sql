-- Tenant isolation (src/platform/postgres/sql/tenant-isolation.sql), around every table with a tenant.

SELECT isolate_tenants('tenants', 'id');
SELECT isolate_tenants('projects');
SELECT isolate_tenants('api_keys');
SELECT isolate_tenants('admin_keys');
SELECT isolate_tenants('providers');
SELECT isolate_tenants('provider_grants');
SELECT isolate_tenants('provider_headers');
SELECT isolate_tenants('credentials');
SELECT isolate_tenants('credential_health');
SELECT isolate_tenants('connections');
SELECT isolate_tenants('models');
SELECT isolate_tenants('prices');
SELECT isolate_tenants('budgets');
SELECT isolate_tenants('budget_periods');
SELECT isolate_tenants('budget_slices');
SELECT isolate_tenants('grants');
SELECT isolate_tenants('budget_statements');
SELECT isolate_tenants('limits');
SELECT isolate_tenants('limit_counters');
SELECT isolate_tenants('holds');
SELECT isolate_tenants('held_apart');
SELECT isolate_tenants('calls');
SELECT isolate_tenants('ledger_entries');
SELECT isolate_tenants('outbox');
SELECT isolate_tenants('config_changes');

-- A session of one tenant has nothing to look for here.
ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY platform_only ON data_keys USING ((SELECT weir_every_tenant())) WITH CHECK ((SELECT weir_every_tenant()));
