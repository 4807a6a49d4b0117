-- The model of calls that name none: of the key, else of its project, else of its tenant. NULL: it has none.
ALTER TABLE api_keys ADD COLUMN default_model text;
ALTER TABLE projects ADD COLUMN default_model text;
ALTER TABLE tenants ADD COLUMN default_model text;

-- A setting that the tenant's admin may change.
DROP TRIGGER tenants_changes_guarded ON tenants;
CREATE TRIGGER tenants_changes_guarded BEFORE UPDATE ON tenants FOR EACH ROW
  WHEN (weir_is_tenant_admin()
    AND to_jsonb(OLD) - '{keeps_answers,default_model}'::text[] IS DISTINCT FROM to_jsonb(NEW) - '{keeps_answers,default_model}'::text[])
  EXECUTE FUNCTION guard_for_operators();

-- Defaults of a session, for its calls that say nothing else. Sessions without defaults have no row. It is forgotten 30 days after used_at, which is
-- noted once a day.
CREATE TABLE sessions (
  tenant_id      uuid NOT NULL REFERENCES tenants (id),
  id             text NOT NULL,
  default_model  text,
  thinking_level text,
  created_at     timestamptz NOT NULL DEFAULT now(),
  used_at        timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX sessions_used_idx ON sessions (tenant_id, used_at);

SELECT isolate_tenants('sessions');
