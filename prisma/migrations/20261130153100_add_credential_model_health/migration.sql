-- Models that a provider limits one credential for. The credential serves its other models.
CREATE TABLE credential_model_health (
  credential_id uuid NOT NULL REFERENCES credentials (id) ON DELETE CASCADE,
  model         text NOT NULL,
  tenant_id     uuid REFERENCES tenants (id),
  resting_until timestamptz NOT NULL,
  PRIMARY KEY (credential_id, model)
);
CREATE INDEX credential_model_health_resting_idx ON credential_model_health (resting_until);

SELECT isolate_tenants('credential_model_health');
