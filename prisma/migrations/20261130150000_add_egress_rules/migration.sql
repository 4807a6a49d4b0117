-- Paths of a provider's own API that a tenant's calls may reach as they are. origin: where the provider was when the rule was set; at another address it
-- allows nothing. path: parts in braces stand for one part each. query: the parameters that may be sent. price NULL: what a request costs is not known.
-- set_by: see api_keys.
CREATE TABLE egress_rules (
  tenant_id   uuid NOT NULL REFERENCES tenants (id),
  id          uuid NOT NULL,
  provider    text NOT NULL,
  origin      text NOT NULL,
  method      text NOT NULL CHECK (method IN ('GET', 'POST', 'PUT', 'PATCH', 'DELETE')),
  path        text NOT NULL,
  query       text[] NOT NULL,
  price_nano  bigint CHECK (price_nano >= 0),
  set_by      text NOT NULL DEFAULT 'operator' CHECK (set_by IN ('operator', 'tenant')),
  external_id text,
  metadata    jsonb NOT NULL DEFAULT '{}',
  version     integer NOT NULL DEFAULT 1,
  created_at  timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX egress_rules_path_key ON egress_rules (tenant_id, provider, method, path);

CREATE TRIGGER egress_rules_changed AFTER INSERT OR UPDATE OR DELETE ON egress_rules FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER egress_rules_guarded BEFORE INSERT OR UPDATE OR DELETE ON egress_rules FOR EACH ROW WHEN (weir_is_tenant_admin())
  EXECUTE FUNCTION guard_egress_rule();

SELECT isolate_tenants('egress_rules');
