-- The tables of Weir. Money is bigint nano-USD (1e-9 USD); rates are nano-USD per million tokens; time is Postgres time.

-- The run-time role: every process works as weir_app (SET ROLE at connect), never as the owner of the tables.
DO $$ BEGIN
  CREATE ROLE weir_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;
-- Membership alone is not enough since Postgres 16: who made the role may administer it, and gets the right to act as it here.
DO $$ BEGIN
  EXECUTE format('GRANT weir_app TO %I', current_user);
END $$;
GRANT USAGE ON SCHEMA public TO weir_app;

-- ── tenants, projects, keys ──────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE tenants (
  id          uuid PRIMARY KEY,
  name        text NOT NULL,
  external_id text UNIQUE,
  metadata    jsonb NOT NULL DEFAULT '{}',
  created_at  timestamptz NOT NULL DEFAULT now(),
  archived_at timestamptz
);

CREATE TABLE projects (
  tenant_id   uuid NOT NULL REFERENCES tenants (id),
  id          uuid NOT NULL,
  name        text NOT NULL,
  external_id text,
  metadata    jsonb NOT NULL DEFAULT '{}',
  created_at  timestamptz NOT NULL DEFAULT now(),
  archived_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX projects_name_key ON projects (tenant_id, name) WHERE archived_at IS NULL;

CREATE TABLE api_keys (
  tenant_id         uuid NOT NULL,
  id                uuid NOT NULL,
  project_id        uuid NOT NULL,
  name              text NOT NULL,
  lookup_id         text NOT NULL UNIQUE,
  digest            bytea NOT NULL,
  last4             text NOT NULL,
  models            text[] NOT NULL DEFAULT '{*}',
  max_output_tokens integer,
  created_by        text NOT NULL,
  created_at        timestamptz NOT NULL DEFAULT now(),
  expires_at        timestamptz,
  revoked_at        timestamptz,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, project_id) REFERENCES projects (tenant_id, id)
);
CREATE INDEX api_keys_project_idx ON api_keys (tenant_id, project_id);

-- tenant_id NULL: an operator key, which acts on the platform.
CREATE TABLE admin_keys (
  id         uuid PRIMARY KEY,
  tenant_id  uuid REFERENCES tenants (id),
  name       text NOT NULL,
  lookup_id  text NOT NULL UNIQUE,
  digest     bytea NOT NULL,
  last4      text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz,
  revoked_at timestamptz
);

-- ── providers, credentials, prices ───────────────────────────────────────────────────────────────────────────────────

-- Secrets of the installation (the API-key pepper, data keys), each sealed under the master key.
CREATE TABLE data_keys (
  id         uuid PRIMARY KEY,
  purpose    text NOT NULL,
  version    integer NOT NULL,
  wrapped    bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (purpose, version)
);

-- tenant_id NULL: a platform provider, which a tenant may use once it is granted.
CREATE TABLE providers (
  id          uuid PRIMARY KEY,
  tenant_id   uuid REFERENCES tenants (id),
  name        text NOT NULL,
  type        text NOT NULL,
  base_url    text NOT NULL,
  models      text[] NOT NULL DEFAULT '{*}',
  external_id text,
  metadata    jsonb NOT NULL DEFAULT '{}',
  created_at  timestamptz NOT NULL DEFAULT now(),
  deleted_at  timestamptz
);
CREATE UNIQUE INDEX providers_name_key ON providers (tenant_id, name) NULLS NOT DISTINCT WHERE deleted_at IS NULL;

CREATE TABLE provider_grants (
  tenant_id   uuid NOT NULL REFERENCES tenants (id),
  provider_id uuid NOT NULL REFERENCES providers (id),
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, provider_id)
);

CREATE TABLE credentials (
  id          uuid PRIMARY KEY,
  tenant_id   uuid REFERENCES tenants (id),
  provider_id uuid NOT NULL REFERENCES providers (id),
  origin      text NOT NULL,
  sealed      bytea NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE (provider_id)
);

-- A price row is immutable: a correction is a new row with its own effective_at.
CREATE TABLE prices (
  id           uuid PRIMARY KEY,
  tenant_id    uuid REFERENCES tenants (id),
  provider     text NOT NULL,
  model        text NOT NULL,
  rates        jsonb NOT NULL,
  tiers        jsonb NOT NULL DEFAULT '[]',
  source       text NOT NULL,
  notes        text,
  effective_at timestamptz NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX prices_lookup_idx ON prices (tenant_id, provider, model, effective_at DESC);

-- ── budgets and their periods ────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE budgets (
  tenant_id   uuid NOT NULL REFERENCES tenants (id),
  id          uuid NOT NULL,
  scope_kind  text NOT NULL,
  scope_value text NOT NULL,
  limit_nano  bigint NOT NULL CHECK (limit_nano >= 0),
  period_kind text NOT NULL CHECK (period_kind IN ('minute', 'hour', 'day', 'week', 'month', 'lifetime')),
  timezone    text NOT NULL,
  mode        text NOT NULL CHECK (mode IN ('deny')),
  external_id text,
  metadata    jsonb NOT NULL DEFAULT '{}',
  version     integer NOT NULL DEFAULT 1,
  created_at  timestamptz NOT NULL DEFAULT now(),
  deleted_at  timestamptz,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX budgets_scope_idx ON budgets (tenant_id, scope_kind, scope_value) WHERE deleted_at IS NULL;

-- No CHECK on the limit: a lowered limit or a lying upstream must still be bookable. fillfactor leaves room for HOT updates.
CREATE TABLE budget_periods (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id   uuid NOT NULL,
  budget_id   uuid NOT NULL,
  scope_value text NOT NULL,
  starts_at   timestamptz NOT NULL,
  ends_at     timestamptz NOT NULL,
  limit_nano  bigint NOT NULL,
  granted     bigint NOT NULL DEFAULT 0,
  spent       bigint NOT NULL DEFAULT 0,
  held        bigint NOT NULL DEFAULT 0,
  opened_at   timestamptz,
  closed_at   timestamptz,
  UNIQUE (tenant_id, budget_id, scope_value, starts_at),
  FOREIGN KEY (tenant_id, budget_id) REFERENCES budgets (tenant_id, id)
) WITH (fillfactor = 50);
CREATE INDEX budget_periods_unclosed_idx ON budget_periods (ends_at) WHERE closed_at IS NULL;
CREATE INDEX budget_periods_unopened_idx ON budget_periods (starts_at) WHERE opened_at IS NULL;

-- ── holds, calls, ledger ─────────────────────────────────────────────────────────────────────────────────────────────

-- id is made by the gateway and is also the call's id. context: what the ledger must know of the call should its gateway die.
CREATE TABLE holds (
  id          uuid PRIMARY KEY,
  tenant_id   uuid NOT NULL,
  gateway_id  uuid NOT NULL,
  amount      bigint,
  state       text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'settled', 'voided', 'expired')),
  period_ids  bigint[] NOT NULL,
  context     jsonb NOT NULL,
  sent        boolean,
  checkpoint_output_tokens bigint NOT NULL DEFAULT 0,
  created_at  timestamptz NOT NULL,
  lease_until timestamptz NOT NULL,
  resolved_at timestamptz
) WITH (fillfactor = 80);
CREATE INDEX holds_open_idx ON holds (lease_until) WHERE state = 'open';

-- What happened. Partitioned by the month of admission, which the hold fixed, so a replay lands on the same row.
CREATE TABLE calls (
  tenant_id       uuid NOT NULL,
  id              uuid NOT NULL,
  admitted_at     timestamptz NOT NULL,
  finished_at     timestamptz NOT NULL,
  project_id      uuid NOT NULL,
  api_key_id      uuid NOT NULL,
  surface         text NOT NULL,
  stream          boolean NOT NULL,
  requested_model text NOT NULL,
  served_model    text,
  provider        text NOT NULL,
  credential_id   uuid,
  status          text NOT NULL,
  http_status     integer NOT NULL,
  error_code      text,
  finish_reason   text,
  estimated       boolean NOT NULL,
  attempts        jsonb NOT NULL,
  first_byte_ms   double precision,
  duration_ms     double precision,
  usage_raw       jsonb,
  held            bigint,
  PRIMARY KEY (tenant_id, id, admitted_at)
) PARTITION BY RANGE (admitted_at);
CREATE INDEX calls_recent_idx ON calls (tenant_id, admitted_at DESC, id DESC);

-- What it cost. Append-only. amount NULL: the price was unknown. call_id of a manual entry is an id of its own.
CREATE TABLE ledger_entries (
  tenant_id             uuid NOT NULL,
  call_id               uuid NOT NULL,
  attempt               smallint NOT NULL,
  kind                  text NOT NULL CHECK (kind IN ('usage', 'adjustment', 'late', 'overrun', 'manual')),
  admitted_at           timestamptz NOT NULL,
  booked_at             timestamptz NOT NULL,
  project_id            uuid,
  api_key_id            uuid,
  provider              text,
  model                 text,
  input_tokens          bigint NOT NULL DEFAULT 0,
  cache_read_tokens     bigint NOT NULL DEFAULT 0,
  cache_write_5m_tokens bigint NOT NULL DEFAULT 0,
  cache_write_1h_tokens bigint NOT NULL DEFAULT 0,
  output_tokens         bigint NOT NULL DEFAULT 0,
  reasoning_tokens      bigint,
  price_id              uuid,
  rates                 jsonb,
  amount                bigint,
  estimated             boolean NOT NULL DEFAULT false,
  period_ids            bigint[] NOT NULL,
  actor                 text,
  reason                text,
  -- In this order it also serves reports over a time range.
  PRIMARY KEY (tenant_id, admitted_at, call_id, attempt, kind)
) PARTITION BY RANGE (admitted_at);

-- ── events and changes ───────────────────────────────────────────────────────────────────────────────────────────────

CREATE TABLE outbox (
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id    uuid NOT NULL,
  kind         text NOT NULL,
  dedupe_key   text NOT NULL UNIQUE,
  payload      jsonb NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  delivered_at timestamptz
);

-- Which tenant's configuration changed last, for gateways that missed a notification. The nil uuid is the platform.
CREATE TABLE config_changes (
  tenant_id  uuid PRIMARY KEY,
  version    bigint NOT NULL,
  changed_at timestamptz NOT NULL
);
CREATE SEQUENCE config_version;

CREATE TABLE idempotency_keys (
  scope       text NOT NULL,
  key         text NOT NULL,
  fingerprint bytea NOT NULL,
  status      integer,
  response    bytea,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (scope, key)
);

CREATE FUNCTION note_config_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  row_tenant uuid := coalesce(
    CASE WHEN TG_OP = 'DELETE' THEN to_jsonb(OLD) ->> 'tenant_id' ELSE to_jsonb(NEW) ->> 'tenant_id' END,
    '00000000-0000-0000-0000-000000000000');
BEGIN
  IF TG_TABLE_NAME = 'tenants' THEN row_tenant := coalesce(NEW.id, OLD.id); END IF;
  INSERT INTO config_changes (tenant_id, version, changed_at) VALUES (row_tenant, nextval('config_version'), clock_timestamp())
    ON CONFLICT (tenant_id) DO UPDATE SET version = excluded.version, changed_at = excluded.changed_at;
  PERFORM pg_notify('weir_config', row_tenant::text);
  RETURN NULL;
END $$;
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['tenants', 'projects', 'api_keys', 'providers', 'provider_grants', 'credentials', 'prices'] LOOP
    EXECUTE format('CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE ON %I FOR EACH ROW EXECUTE FUNCTION note_config_change()', t || '_changed', t);
  END LOOP;
END $$;

-- ── what the run-time role may do ────────────────────────────────────────────────────────────────────────────────────

GRANT SELECT, INSERT, UPDATE ON tenants, projects, api_keys, admin_keys, data_keys, providers, credentials, budgets, budget_periods, holds,
  outbox, config_changes, idempotency_keys TO weir_app;
GRANT SELECT, INSERT, DELETE ON provider_grants, credentials TO weir_app;
GRANT DELETE ON idempotency_keys TO weir_app;
GRANT SELECT, INSERT ON prices, calls, ledger_entries TO weir_app;
GRANT USAGE ON SEQUENCE config_version TO weir_app;
