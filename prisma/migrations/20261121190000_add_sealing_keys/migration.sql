-- Each tenant, and the platform, has a data key of its own: `purpose` is 'tenant:<id>' or 'platform'. The key of the installation,
-- 'credentials', only opens what was sealed by it. `master_key` names the master key a data key is wrapped by; null: not noted yet.
ALTER TABLE data_keys ADD COLUMN master_key text;

-- A session of one tenant has nothing to look for here.
ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
CREATE POLICY platform_only ON data_keys USING ((SELECT weir_every_tenant())) WITH CHECK ((SELECT weir_every_tenant()));
DO $$ BEGIN
  EXECUTE format('CREATE POLICY owner_passes ON data_keys TO %I USING (true) WITH CHECK (true)', current_user);
END $$;

-- A provider may have several credentials, used in turn.
ALTER TABLE credentials DROP CONSTRAINT credentials_provider_id_key;
CREATE INDEX credentials_provider_idx ON credentials (provider_id);
-- The last four characters of the secret; null: too short to show any, or entered before they were kept.
ALTER TABLE credentials ADD COLUMN last4 text;

-- Apart from credentials, because a change there has every gateway read its tenant again.
CREATE TABLE credential_health (
  credential_id uuid PRIMARY KEY REFERENCES credentials (id) ON DELETE CASCADE,
  tenant_id     uuid REFERENCES tenants (id),
  reason        text NOT NULL CHECK (reason IN ('rate_limited', 'refused', 'out_of_money')),
  resting_until timestamptz NOT NULL
);
SELECT wall_off('credential_health');
GRANT SELECT, INSERT, UPDATE ON credential_health TO weir_app;

-- The origin of a provider changed and its secret was dropped: it is not called without one until somebody has said what holds there.
ALTER TABLE providers ADD COLUMN awaits_key boolean NOT NULL DEFAULT false;
