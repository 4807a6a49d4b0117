-- Calls that came with an Idempotency-Key. id: HMAC of the API key, the endpoint and the key. fingerprint: HMAC of what was asked. call_id, gateway_id: the
-- call that runs or ran for it, and the process that made it. answer: sealed, where the state is kept.
CREATE TABLE idempotent_calls (
  tenant_id   uuid NOT NULL,
  id          bytea NOT NULL,
  fingerprint bytea NOT NULL,
  call_id     uuid NOT NULL,
  gateway_id  uuid NOT NULL,
  state       text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'kept', 'spent')),
  answer      bytea,
  created_at  timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX idempotent_calls_created_idx ON idempotent_calls (created_at);
-- What is sealed cannot be compressed.
ALTER TABLE idempotent_calls ALTER COLUMN answer SET STORAGE EXTERNAL;

-- How many bytes of answers are kept of a tenant.
CREATE TABLE kept_answer_totals (
  tenant_id uuid PRIMARY KEY,
  bytes     bigint NOT NULL
);

ALTER TABLE tenants ADD COLUMN keeps_answers boolean NOT NULL DEFAULT true;

-- A tenant's admin may change the settings of the tenant, and nothing else of it.
DROP TRIGGER tenants_guarded ON tenants;
CREATE TRIGGER tenants_guarded BEFORE INSERT OR DELETE ON tenants FOR EACH ROW
  WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_for_operators();
CREATE TRIGGER tenants_changes_guarded BEFORE UPDATE ON tenants FOR EACH ROW
  WHEN (weir_is_tenant_admin() AND to_jsonb(OLD) - 'keeps_answers' IS DISTINCT FROM to_jsonb(NEW) - 'keeps_answers')
  EXECUTE FUNCTION guard_for_operators();

SELECT isolate_tenants('idempotent_calls');
SELECT isolate_tenants('kept_answer_totals');
