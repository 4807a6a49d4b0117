-- Targets that are left alone because they keep failing: a model of a provider, called with one credential. tenant_id: whose calls; NULL: those of all
-- tenants that the platform lends the provider to. One whose time is over and that was not called since stays for ten minutes.
CREATE TABLE target_health (
  id            uuid PRIMARY KEY,
  provider_id   uuid NOT NULL REFERENCES providers (id),
  credential_id uuid,
  model         text NOT NULL,
  tenant_id     uuid REFERENCES tenants (id),
  reason        text NOT NULL,
  failures      integer NOT NULL,
  open_until    timestamptz NOT NULL,
  changed_at    timestamptz NOT NULL
);
CREATE UNIQUE INDEX target_health_target_key ON target_health (provider_id, model, credential_id, tenant_id) NULLS NOT DISTINCT;
CREATE INDEX target_health_open_idx ON target_health (open_until);

SELECT isolate_tenants('target_health');
