-- A name that calls may ask for, and the models it leads to. tenant_id NULL: the platform's, for every tenant. NULL in the policy: as without a route.
-- condition: other targets while a budget is nearly spent. set_by: see api_keys.
CREATE TABLE routes (
  id          uuid PRIMARY KEY,
  tenant_id   uuid REFERENCES tenants (id),
  name        text NOT NULL,
  match_kind  text NOT NULL CHECK (match_kind IN ('exact', 'prefix', 'hint')),
  match_value text NOT NULL,
  targets     jsonb NOT NULL,
  strategy    text NOT NULL,
  retries     integer,
  attempts    integer,
  deadline_ms integer,
  fallback_on text[],
  condition   jsonb,
  set_by      text NOT NULL DEFAULT 'operator' CHECK (set_by IN ('operator', 'tenant')),
  external_id text,
  metadata    jsonb NOT NULL DEFAULT '{}',
  version     integer NOT NULL DEFAULT 1,
  created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX routes_match_key ON routes (tenant_id, match_kind, match_value);
CREATE INDEX routes_owner_idx ON routes (tenant_id, id);

CREATE TRIGGER routes_changed AFTER INSERT OR UPDATE OR DELETE ON routes FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER routes_guarded BEFORE INSERT OR UPDATE OR DELETE ON routes FOR EACH ROW WHEN (weir_is_tenant_admin())
  EXECUTE FUNCTION guard_route();

SELECT isolate_tenants('routes');
