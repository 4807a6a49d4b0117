-- What a tenant says of a model, in the place of what the catalogue knows of it. Null: as the catalogue says.
CREATE TABLE models (
  tenant_id         uuid NOT NULL REFERENCES tenants (id),
  id                uuid NOT NULL,
  provider          text NOT NULL,
  model             text NOT NULL,
  context_window    integer CHECK (context_window > 0),
  max_output_tokens integer CHECK (max_output_tokens > 0),
  tools             boolean,
  vision            boolean,
  reasoning         boolean,
  created_at        timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, provider, model)
);
CREATE TRIGGER models_changed AFTER INSERT OR UPDATE OR DELETE ON models FOR EACH ROW EXECUTE FUNCTION note_config_change();
SELECT wall_off('models');
GRANT SELECT, INSERT, UPDATE, DELETE ON models TO weir_app;
