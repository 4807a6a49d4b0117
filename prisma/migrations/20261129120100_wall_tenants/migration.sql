-- The wall between tenants (src/platform/postgres/sql/wall.sql), around every table with a tenant.

SELECT wall_off('tenants', 'id');
SELECT wall_off('projects');
SELECT wall_off('api_keys');
SELECT wall_off('admin_keys');
SELECT wall_off('providers');
SELECT wall_off('provider_grants');
SELECT wall_off('provider_headers');
SELECT wall_off('credentials');
SELECT wall_off('credential_health');
SELECT wall_off('connections');
SELECT wall_off('models');
SELECT wall_off('prices');
SELECT wall_off('budgets');
SELECT wall_off('budget_periods');
SELECT wall_off('budget_slices');
SELECT wall_off('grants');
SELECT wall_off('budget_statements');
SELECT wall_off('limits');
SELECT wall_off('limit_counters');
SELECT wall_off('holds');
SELECT wall_off('held_apart');
SELECT wall_off('calls');
SELECT wall_off('ledger_entries');
SELECT wall_off('outbox');
SELECT wall_off('config_changes');

-- A session of one tenant has nothing to look for here.
ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY;
CREATE POLICY platform_only ON data_keys USING ((SELECT weir_every_tenant())) WITH CHECK ((SELECT weir_every_tenant()));
