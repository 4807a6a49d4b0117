-- Who changed what. event: what happened, e.g. api_key.updated. actor_kind: operator · admin_key · person · job. before, after: the columns that changed, of
-- a new or a removed row all; never a secret. tenant_id NULL: a change of the platform's. The run-time role may add lines and read them, and nothing else.
CREATE TABLE audit_log (
  id          uuid PRIMARY KEY,
  at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  tenant_id   uuid,
  event       text NOT NULL,
  resource    text NOT NULL,
  resource_id uuid,
  actor_kind  text NOT NULL CHECK (actor_kind IN ('operator', 'admin_key', 'person', 'job')),
  actor_id    text NOT NULL,
  request_id  text,
  address     text,
  before      jsonb,
  after       jsonb
);
CREATE INDEX audit_log_tenant_idx ON audit_log (tenant_id, id);
CREATE INDEX audit_log_actor_idx ON audit_log (actor_id, id);
CREATE INDEX audit_log_resource_idx ON audit_log (resource_id, id);

SELECT isolate_tenants('audit_log');

CREATE TRIGGER tenants_audited AFTER INSERT OR UPDATE OR DELETE ON tenants FOR EACH ROW
  EXECUTE FUNCTION note_audit('tenant');
CREATE TRIGGER projects_audited AFTER INSERT OR UPDATE OR DELETE ON projects FOR EACH ROW
  EXECUTE FUNCTION note_audit('project');
CREATE TRIGGER api_keys_audited AFTER INSERT OR UPDATE OR DELETE ON api_keys FOR EACH ROW
  EXECUTE FUNCTION note_audit('api_key');
CREATE TRIGGER admin_keys_audited AFTER INSERT OR UPDATE OR DELETE ON admin_keys FOR EACH ROW
  EXECUTE FUNCTION note_audit('admin_key');
CREATE TRIGGER providers_audited AFTER INSERT OR UPDATE OR DELETE ON providers FOR EACH ROW
  EXECUTE FUNCTION note_audit('provider');
CREATE TRIGGER provider_grants_audited AFTER INSERT OR UPDATE OR DELETE ON provider_grants FOR EACH ROW
  EXECUTE FUNCTION note_audit('provider.grant', 'provider_id');
CREATE TRIGGER provider_headers_audited AFTER INSERT OR UPDATE OR DELETE ON provider_headers FOR EACH ROW
  EXECUTE FUNCTION note_audit('provider.headers', 'provider_id');
CREATE TRIGGER credentials_audited AFTER INSERT OR UPDATE OR DELETE ON credentials FOR EACH ROW
  EXECUTE FUNCTION note_audit('provider.key');
-- Tokens are renewed by themselves.
CREATE TRIGGER connections_audited AFTER INSERT OR DELETE OR UPDATE OF state ON connections FOR EACH ROW
  EXECUTE FUNCTION note_audit('provider.connection');
CREATE TRIGGER models_audited AFTER INSERT OR UPDATE OR DELETE ON models FOR EACH ROW
  EXECUTE FUNCTION note_audit('model');
-- The catalog of a release is no change that anybody made.
CREATE TRIGGER prices_audited AFTER INSERT ON prices FOR EACH ROW WHEN (current_setting('weir.actor', true) <> '')
  EXECUTE FUNCTION note_audit('price');
CREATE TRIGGER budgets_audited AFTER INSERT OR UPDATE OR DELETE ON budgets FOR EACH ROW
  EXECUTE FUNCTION note_audit('budget');
CREATE TRIGGER grants_audited AFTER INSERT ON grants FOR EACH ROW
  EXECUTE FUNCTION note_audit('budget.grant');
CREATE TRIGGER limits_audited AFTER INSERT OR UPDATE OR DELETE ON limits FOR EACH ROW
  EXECUTE FUNCTION note_audit('rate_limit');
CREATE TRIGGER routes_audited AFTER INSERT OR UPDATE OR DELETE ON routes FOR EACH ROW
  EXECUTE FUNCTION note_audit('route');
-- A probe that found nothing new concerns nobody.
CREATE TRIGGER inference_routes_audited AFTER INSERT OR DELETE OR UPDATE OF version ON inference_routes FOR EACH ROW
  EXECUTE FUNCTION note_audit('inference_route');
CREATE TRIGGER network_bindings_audited AFTER INSERT OR UPDATE OR DELETE ON network_bindings FOR EACH ROW
  EXECUTE FUNCTION note_audit('binding');
CREATE TRIGGER gateways_audited AFTER UPDATE OF gone_at ON gateways FOR EACH ROW
  EXECUTE FUNCTION note_audit('gateway');
-- Corrections that somebody asked for: the money path writes other kinds.
CREATE TRIGGER ledger_entries_audited AFTER INSERT ON ledger_entries FOR EACH ROW
  WHEN (NEW.kind IN ('manual', 'adjustment') AND current_setting('weir.actor', true) <> '') EXECUTE FUNCTION note_audit('ledger_entry', 'call_id');
