-- Where calls to inference.local go: one model per tenant, and one for tenants that chose none. id: the tenant; of the platform, the last uuid. A deleted
-- one keeps its row, so that its version never comes back. timeout_ms NULL: as long as any call may take. local_provider, local_model: the platform's
-- calls go there while its probe finds it healthy, probe_seconds apart; local_since says since when it is as local_healthy says.
CREATE TABLE inference_routes (
  id               uuid PRIMARY KEY,
  tenant_id        uuid REFERENCES tenants (id),
  provider         text NOT NULL,
  model            text NOT NULL,
  timeout_ms       integer CHECK (timeout_ms > 0),
  local_provider   text,
  local_model      text,
  probe_seconds    integer CHECK (probe_seconds > 0),
  local_healthy    boolean NOT NULL DEFAULT false,
  local_since      timestamptz,
  local_checked_at timestamptz,
  version          integer NOT NULL DEFAULT 1,
  updated_at       timestamptz NOT NULL,
  deleted_at       timestamptz,
  CHECK (id = coalesce(tenant_id, 'ffffffff-ffff-ffff-ffff-ffffffffffff')),
  CHECK (num_nonnulls(local_provider, local_model, probe_seconds) IN (0, 3)),
  CHECK (tenant_id IS NULL OR local_provider IS NULL)
);
CREATE INDEX inference_routes_owner_idx ON inference_routes (tenant_id, id);

-- Network identities whose calls to inference.local are a tenant's, without a key. value: a network such as 10.1.0.0/16, the name of a listener, or the
-- SHA-256 fingerprint of a client certificate in hex. Ranges of two tenants never overlap.
CREATE TABLE network_bindings (
  tenant_id  uuid NOT NULL,
  id         uuid NOT NULL,
  project_id uuid NOT NULL,
  kind       text NOT NULL CHECK (kind IN ('cidr', 'listener', 'client_certificate')),
  value      text NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (kind, value),
  FOREIGN KEY (tenant_id, project_id) REFERENCES projects (tenant_id, id)
);

SELECT isolate_tenants('inference_routes');
SELECT isolate_tenants('network_bindings');

-- A probe that found nothing new concerns nobody.
CREATE TRIGGER inference_routes_changed AFTER INSERT OR DELETE OR UPDATE OF version, local_healthy ON inference_routes FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER network_bindings_changed AFTER INSERT OR UPDATE OR DELETE ON network_bindings FOR EACH ROW
  EXECUTE FUNCTION note_config_change();
CREATE TRIGGER network_bindings_withdrawn AFTER DELETE ON network_bindings FOR EACH ROW
  EXECUTE FUNCTION tell_binding_withdrawn();
CREATE TRIGGER network_bindings_guarded BEFORE INSERT OR UPDATE OR DELETE ON network_bindings FOR EACH ROW
  WHEN (weir_is_tenant_admin()) EXECUTE FUNCTION guard_network_binding();
