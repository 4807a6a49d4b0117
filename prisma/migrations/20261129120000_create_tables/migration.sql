-- The tables of Weir. Money is bigint nano-USD (1e-9 USD); rates are nano-USD per million tokens; time is Postgres time.

-- ── tenants, projects, keys ───────────────────────────────────────────────────────────────────────────────────────────

-- unpriced_call_nano: how much a call of unknown price is held and booked for; NULL: it is refused under a hard budget. A suspended tenant makes no
-- new calls. A deleted one has no keys and no secrets left; erased_at says when the last personal field was blanked.
CREATE TABLE tenants (
  id                 uuid PRIMARY KEY,
  name               text NOT NULL,
  external_id        text UNIQUE,
  metadata           jsonb NOT NULL DEFAULT '{}',
  created_at         timestamptz NOT NULL DEFAULT now(),
  archived_at        timestamptz,
  unpriced_call_nano bigint CHECK (unpriced_call_nano > 0),
  suspended_at       timestamptz,
  deleted_at         timestamptz,
  erased_at          timestamptz
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

-- fit: `shrink` lowers the output limit to what fits. thinking_level: how much models are to think for calls that do not say; NULL: as the provider
-- does. unsupported: `drop` leaves out, with a warning, what the provider of a call cannot do at all; NULL: the call is refused. set_by: what an
-- operator set is the platform's rule, which the tenant sees and cannot change. A key that is rotated keeps its id, and with it what is set on it and
-- counted by it; its value from before works until previous_until.
CREATE TABLE api_keys (
  tenant_id          uuid NOT NULL,
  id                 uuid NOT NULL,
  project_id         uuid NOT NULL,
  name               text NOT NULL,
  lookup_id          text NOT NULL UNIQUE,
  digest             bytea NOT NULL,
  last4              text NOT NULL,
  models             text[] NOT NULL DEFAULT '{*}',
  max_output_tokens  integer,
  created_by         text NOT NULL,
  created_at         timestamptz NOT NULL DEFAULT now(),
  expires_at         timestamptz,
  revoked_at         timestamptz,
  max_call_nano      bigint CHECK (max_call_nano >= 0),
  fit                text CHECK (fit = 'shrink'),
  thinking_level     text,
  set_by             text NOT NULL DEFAULT 'tenant' CHECK (set_by IN ('operator', 'tenant')),
  previous_lookup_id text,
  previous_digest    bytea,
  previous_until     timestamptz,
  unsupported        text CHECK (unsupported = 'drop'),
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id, project_id) REFERENCES projects (tenant_id, id)
);
CREATE UNIQUE INDEX api_keys_previous_lookup_id_key ON api_keys (previous_lookup_id);
CREATE INDEX api_keys_project_idx ON api_keys (tenant_id, project_id);

-- tenant_id NULL: an operator key, which acts on the platform.
CREATE TABLE admin_keys (
  id                 uuid PRIMARY KEY,
  tenant_id          uuid REFERENCES tenants (id),
  name               text NOT NULL,
  lookup_id          text NOT NULL UNIQUE,
  digest             bytea NOT NULL,
  last4              text NOT NULL,
  created_at         timestamptz NOT NULL DEFAULT now(),
  expires_at         timestamptz,
  revoked_at         timestamptz,
  previous_lookup_id text,
  previous_digest    bytea,
  previous_until     timestamptz
);
CREATE UNIQUE INDEX admin_keys_previous_lookup_id_key ON admin_keys (previous_lookup_id);

-- ── providers, credentials, models, prices ────────────────────────────────────────────────────────────────────────────

-- Secrets of the installation (the API-key pepper, data keys), each sealed under the master key. Each tenant, and the platform, has a data key of its
-- own: purpose is 'tenant:<id>' or 'platform'. master_key names the master key it is wrapped by; NULL: not noted yet.
CREATE TABLE data_keys (
  id         uuid PRIMARY KEY,
  purpose    text NOT NULL,
  version    integer NOT NULL,
  wrapped    bytea NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  master_key text,
  UNIQUE (purpose, version)
);

-- tenant_id NULL: a platform provider, which a tenant may use once it is granted.
-- dialect: the wire format it is spoken to in, where its type speaks several; NULL: chosen for each model. native_tools: false where its models call
-- tools only by what they write in their text. auth: how the key is shown, `bearer`, `none` or `header:name`. on_client_gone: what happens to its work
-- when the client of a call leaves. NULL, in these three: as its type says. default_model: what its bare name stands for.
-- awaits_key: its origin changed and its secret was dropped; it is not called without one until somebody has said what holds there.
-- capabilities: what the last probe found, as the admin REST shows it; NULL: not probed as it is now. gateway_options: what Cloudflare's AI Gateway is
-- asked for with each call, by the names of the admin API. quirks: how it differs from its type, as `Quirks` in src/dialects/quirks.ts.
-- by_operator: a platform provider that an operator made, or whose key or address one changed. A start, which saves and destroys what the environment
-- has and has no more, leaves it alone. False for those found in the environment, and for tenants' own.
CREATE TABLE providers (
  id              uuid PRIMARY KEY,
  tenant_id       uuid REFERENCES tenants (id),
  name            text NOT NULL,
  type            text NOT NULL,
  base_url        text NOT NULL,
  models          text[] NOT NULL DEFAULT '{*}',
  external_id     text,
  metadata        jsonb NOT NULL DEFAULT '{}',
  created_at      timestamptz NOT NULL DEFAULT now(),
  deleted_at      timestamptz,
  dialect         text,
  native_tools    boolean,
  awaits_key      boolean NOT NULL DEFAULT false,
  auth            text,
  default_model   text,
  capabilities    jsonb,
  gateway_options jsonb,
  quirks          jsonb NOT NULL DEFAULT '{}',
  by_operator     boolean NOT NULL DEFAULT false,
  on_client_gone  text CHECK (on_client_gone IN ('cancel', 'drain'))
);
CREATE UNIQUE INDEX providers_name_key ON providers (tenant_id, name) NULLS NOT DISTINCT WHERE deleted_at IS NULL;
CREATE INDEX providers_owner_idx ON providers (tenant_id, id);

CREATE TABLE provider_grants (
  tenant_id   uuid NOT NULL REFERENCES tenants (id),
  provider_id uuid NOT NULL REFERENCES providers (id),
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, provider_id)
);

-- Headers of the customer's own that a provider is sent: their names, and names and values sealed together for one origin.
CREATE TABLE provider_headers (
  provider_id uuid PRIMARY KEY REFERENCES providers (id),
  tenant_id   uuid REFERENCES tenants (id),
  origin      text NOT NULL,
  names       text[] NOT NULL,
  sealed      bytea NOT NULL
);
CREATE INDEX provider_headers_owner_idx ON provider_headers (tenant_id, provider_id);

-- A provider may have several, used in turn. last4: the last four characters of the secret; NULL: too short to show any, or entered before they were
-- kept.
CREATE TABLE credentials (
  id          uuid PRIMARY KEY,
  tenant_id   uuid REFERENCES tenants (id),
  provider_id uuid NOT NULL REFERENCES providers (id),
  origin      text NOT NULL,
  sealed      bytea NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  last4       text
);
CREATE INDEX credentials_owner_idx ON credentials (tenant_id, id);
CREATE INDEX credentials_provider_idx ON credentials (provider_id);

-- Apart from credentials, because a change there has every gateway read its tenant again.
CREATE TABLE credential_health (
  credential_id uuid PRIMARY KEY REFERENCES credentials (id) ON DELETE CASCADE,
  tenant_id     uuid REFERENCES tenants (id),
  reason        text NOT NULL CHECK (reason IN ('rate_limited', 'refused', 'out_of_money')),
  resting_until timestamptz NOT NULL
);

-- Subscriptions of persons at providers that are used by login instead of a key: one per provider record.
-- What is sealed is bound to the tenant, the connection and the provider's origin. renewal counts the access tokens it has had: whoever was refused
-- with one asks for the next of it, and finds that another process has it already. Its row is locked while a token is renewed, so a refresh token is
-- used once. device_code to poll_after: while it is pending. refresh_token to connected_at: once it is connected.
CREATE TABLE connections (
  id                uuid PRIMARY KEY,
  tenant_id         uuid NOT NULL REFERENCES tenants (id),
  provider_id       uuid NOT NULL UNIQUE REFERENCES providers (id),
  origin            text NOT NULL,
  state             text NOT NULL CHECK (state IN ('pending', 'connected', 'expired', 'failed')),
  last_error        text,
  device_code       bytea,
  device_expires_at timestamptz NOT NULL,
  interval_seconds  integer NOT NULL CHECK (interval_seconds > 0),
  poll_after        timestamptz NOT NULL,
  refresh_token     bytea,
  access_token      bytea,
  access_expires_at timestamptz,
  renewal           integer NOT NULL DEFAULT 0,
  connected_at      timestamptz,
  created_at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX connections_owner_idx ON connections (tenant_id, id);

-- What a tenant says of a model, instead of what the catalog knows of it. NULL: as the catalog says.
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
CREATE INDEX prices_owner_idx ON prices (tenant_id, id);

-- ── budgets and their periods ─────────────────────────────────────────────────────────────────────────────────────────

-- set_by: see api_keys. What does not say who made it counts as the platform's.
CREATE TABLE budgets (
  tenant_id      uuid NOT NULL REFERENCES tenants (id),
  id             uuid NOT NULL,
  scope_kind     text NOT NULL,
  scope_value    text NOT NULL,
  limit_nano     bigint NOT NULL CHECK (limit_nano >= 0),
  period_kind    text NOT NULL CHECK (period_kind IN ('minute', 'hour', 'day', 'week', 'month', 'year', 'lifetime', 'rolling')),
  timezone       text NOT NULL,
  mode           text NOT NULL CHECK (mode IN ('deny', 'observe')),
  external_id    text,
  metadata       jsonb NOT NULL DEFAULT '{}',
  version        integer NOT NULL DEFAULT 1,
  created_at     timestamptz NOT NULL DEFAULT now(),
  deleted_at     timestamptz,
  anchor         timestamptz,
  window_seconds integer,
  thresholds     integer[] NOT NULL DEFAULT '{}',
  set_by         text NOT NULL DEFAULT 'operator' CHECK (set_by IN ('operator', 'tenant')),
  PRIMARY KEY (tenant_id, id),
  CONSTRAINT budgets_window_check CHECK ((period_kind = 'rolling') = (window_seconds IS NOT NULL) AND window_seconds >= 60)
);
CREATE INDEX budgets_deleted_idx ON budgets (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX budgets_scope_idx ON budgets (tenant_id, scope_kind, scope_value) WHERE deleted_at IS NULL;

-- No CHECK on the limit: a lowered limit or a lying upstream must still be bookable. fillfactor leaves room for HOT updates.
-- hard: the limit denies. aged: what has left a rolling window; it counts as headroom again. slice: how finely a rolling window forgets.
-- next_threshold: the spending at which the next alert is due. warned: the highest threshold reached, in percent. stated: its statement is written.
-- archived: the sum of the ledger entries that were dropped with old partitions; archived_above: of those booked above their holds. most_allowed: the
-- most a hard period was allowed to spend and hold before its limit was lowered or its budget began to deny; NULL: never more than now.
CREATE TABLE budget_periods (
  id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id      uuid NOT NULL,
  budget_id      uuid NOT NULL,
  scope_value    text NOT NULL,
  starts_at      timestamptz NOT NULL,
  ends_at        timestamptz NOT NULL,
  limit_nano     bigint NOT NULL,
  granted        bigint NOT NULL DEFAULT 0,
  spent          bigint NOT NULL DEFAULT 0,
  held           bigint NOT NULL DEFAULT 0,
  opened_at      timestamptz,
  closed_at      timestamptz,
  hard           boolean NOT NULL DEFAULT true,
  aged           bigint NOT NULL DEFAULT 0,
  slice          interval,
  next_threshold bigint,
  warned         integer NOT NULL DEFAULT 0,
  stated         boolean NOT NULL DEFAULT false,
  archived       bigint NOT NULL DEFAULT 0,
  archived_above bigint NOT NULL DEFAULT 0,
  most_allowed   bigint,
  UNIQUE (tenant_id, budget_id, scope_value, starts_at),
  FOREIGN KEY (tenant_id, budget_id) REFERENCES budgets (tenant_id, id)
) WITH (fillfactor = 50);
CREATE INDEX budget_periods_closed_idx ON budget_periods (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX budget_periods_due_idx ON budget_periods (tenant_id, ends_at, id) WHERE closed_at IS NULL;
CREATE INDEX budget_periods_long_idx ON budget_periods (closed_at) WHERE stated AND ends_at - starts_at > interval '1 hour';
CREATE INDEX budget_periods_open_idx ON budget_periods (id) WHERE closed_at IS NULL;
CREATE INDEX budget_periods_short_idx ON budget_periods (closed_at) WHERE stated AND ends_at - starts_at <= interval '1 hour';
CREATE INDEX budget_periods_statement_due_idx ON budget_periods (tenant_id, closed_at) WHERE closed_at IS NOT NULL AND NOT stated;
CREATE INDEX budget_periods_unclosed_idx ON budget_periods (ends_at, id) WHERE closed_at IS NULL;
CREATE INDEX budget_periods_unopened_idx ON budget_periods (starts_at, id) WHERE opened_at IS NULL;

-- What a rolling window has to forget, and when.
CREATE TABLE budget_slices (
  tenant_id uuid NOT NULL,
  period_id bigint NOT NULL REFERENCES budget_periods (id),
  starts_at timestamptz NOT NULL,
  amount    bigint NOT NULL,
  PRIMARY KEY (tenant_id, period_id, starts_at)
);
CREATE INDEX budget_slices_period_idx ON budget_slices (period_id, starts_at);

-- More headroom for one period. approval_id: at most one grant comes of an approval.
CREATE TABLE grants (
  tenant_id   uuid NOT NULL,
  id          uuid NOT NULL,
  period_id   bigint NOT NULL REFERENCES budget_periods (id),
  amount      bigint NOT NULL CHECK (amount > 0),
  approval_id uuid UNIQUE,
  actor       text NOT NULL,
  reason      text,
  created_at  timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX grants_period_idx ON grants (period_id);

-- What became of a period, written once it is closed and nothing of it is in flight.
CREATE TABLE budget_statements (
  tenant_id  uuid NOT NULL,
  period_id  bigint NOT NULL REFERENCES budget_periods (id),
  budget_id  uuid NOT NULL,
  spent      bigint NOT NULL,
  granted    bigint NOT NULL,
  limit_nano bigint NOT NULL,
  calls      bigint NOT NULL,
  top_models jsonb NOT NULL,
  created_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, period_id)
);

-- ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────────────

-- Requests and tokens per minute and calls at once, exact across processes.
CREATE TABLE limits (
  tenant_id           uuid NOT NULL,
  id                  uuid NOT NULL,
  scope_kind          text NOT NULL,
  scope_value         text NOT NULL,
  requests_per_minute integer CHECK (requests_per_minute >= 0),
  tokens_per_minute   bigint CHECK (tokens_per_minute >= 0),
  concurrency         integer CHECK (concurrency >= 0),
  external_id         text,
  metadata            jsonb NOT NULL DEFAULT '{}',
  version             integer NOT NULL DEFAULT 1,
  created_at          timestamptz NOT NULL DEFAULT now(),
  deleted_at          timestamptz,
  set_by              text NOT NULL DEFAULT 'operator' CHECK (set_by IN ('operator', 'tenant')),
  PRIMARY KEY (tenant_id, id),
  CHECK (num_nonnulls(requests_per_minute, tokens_per_minute, concurrency) > 0)
);
CREATE INDEX limits_deleted_idx ON limits (deleted_at) WHERE deleted_at IS NOT NULL;
CREATE INDEX limits_scope_idx ON limits (tenant_id, scope_kind, scope_value) WHERE deleted_at IS NULL;

-- One row per limit and scope value. requests, tokens: a ring of 61 seconds, of which `second` is the latest counted, so that no 60 seconds,
-- wherever they begin, carry more than the limit. tokens: the worst case of calls in flight, what they really used of those that ended.
-- open: calls in flight.
CREATE TABLE limit_counters (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id   uuid NOT NULL,
  limit_id    uuid NOT NULL,
  scope_value text NOT NULL,
  second      bigint NOT NULL DEFAULT 0,
  requests    bigint[] NOT NULL DEFAULT array_fill(0::bigint, ARRAY[61]),
  tokens      bigint[] NOT NULL DEFAULT array_fill(0::bigint, ARRAY[61]),
  open        integer NOT NULL DEFAULT 0,
  UNIQUE (tenant_id, limit_id, scope_value),
  FOREIGN KEY (tenant_id, limit_id) REFERENCES limits (tenant_id, id)
) WITH (fillfactor = 50);

-- ── holds, calls, ledger ──────────────────────────────────────────────────────────────────────────────────────────────

-- Processes that serve calls: where they run, and since when they are known to be gone.
CREATE TABLE gateways (
  id          uuid PRIMARY KEY,
  host        text,
  process_id  integer,
  started_at  timestamptz NOT NULL,
  gone_at     timestamptz,
  gone_by     text,
  gone_reason text
);

-- id is made by the gateway and is also the call's id. context: what the ledger must know of the call should its gateway die.
-- tokens: the most a call may use, counted in counter_ids. checkpoint_input_tokens, checkpoint_amount: what is booked of a call whose gateway is lost;
-- NULL: all that is held. late_at: what it really cost became known after it was booked as an estimate, and is booked.
-- refused: given up before it was confirmed, so that it can never land.
CREATE TABLE holds (
  id                       uuid PRIMARY KEY,
  tenant_id                uuid NOT NULL,
  gateway_id               uuid NOT NULL,
  amount                   bigint,
  state                    text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'settled', 'voided', 'expired', 'refused')),
  period_ids               bigint[] NOT NULL,
  context                  jsonb NOT NULL,
  sent                     boolean,
  checkpoint_output_tokens bigint NOT NULL DEFAULT 0,
  created_at               timestamptz NOT NULL,
  lease_until              timestamptz NOT NULL,
  resolved_at              timestamptz,
  late_at                  timestamptz,
  counter_ids              bigint[] NOT NULL DEFAULT '{}',
  tokens                   bigint NOT NULL DEFAULT 0,
  checkpoint_input_tokens  bigint,
  checkpoint_amount        bigint
) WITH (fillfactor = 80);
CREATE INDEX holds_open_idx ON holds (lease_until) WHERE state = 'open';

-- What is held for calls that are booked as an estimate and may turn out dearer. It is part of `held` of its periods.
CREATE TABLE held_apart (
  hold_id    uuid PRIMARY KEY,
  tenant_id  uuid NOT NULL,
  gateway_id uuid NOT NULL,
  amount     bigint NOT NULL,
  period_ids bigint[] NOT NULL,
  since      timestamptz NOT NULL
);
CREATE INDEX held_apart_gateway_idx ON held_apart (gateway_id);

-- What happened. Partitioned by the month of admission, which the hold fixed, so a replay lands on the same row. provider_id, lent: the provider record
-- it was made with, and whether the platform pays for it: a name can mean another record later.
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
  end_user        text,
  session         text,
  tags            text[],
  scopes          text[],
  provider_id     uuid,
  lent            boolean,
  PRIMARY KEY (tenant_id, id, admitted_at)
) PARTITION BY RANGE (admitted_at);
CREATE INDEX calls_recent_idx ON calls (tenant_id, admitted_at DESC, id DESC);

-- What it cost. Append-only. quantities[i]: how much of units[i]; `src/kernel/units.ts` says what the numbers mean. amount NULL: the price was unknown.
-- call_id of a manual entry is an id of its own. The key, in this order, also serves reports over a time range.
CREATE TABLE ledger_entries (
  tenant_id    uuid NOT NULL,
  call_id      uuid NOT NULL,
  attempt      smallint NOT NULL,
  kind         text NOT NULL CHECK (kind IN ('usage', 'adjustment', 'late', 'overrun', 'manual')),
  admitted_at  timestamptz NOT NULL,
  booked_at    timestamptz NOT NULL,
  project_id   uuid,
  api_key_id   uuid,
  provider     text,
  model        text,
  units        smallint[] NOT NULL DEFAULT '{}',
  quantities   bigint[] NOT NULL DEFAULT '{}',
  price_id     uuid,
  rates        jsonb,
  amount       bigint,
  estimated    boolean NOT NULL DEFAULT false,
  period_ids   bigint[] NOT NULL,
  actor        text,
  reason       text,
  PRIMARY KEY (tenant_id, admitted_at, call_id, attempt, kind)
) PARTITION BY RANGE (admitted_at);

-- What settlements say, as rows.
CREATE TYPE outcome AS (
  id uuid, state text, if_expired boolean, amount bigint, status text, http_status integer, error_code text, finish_reason text, estimated boolean,
  served_model text, attempts jsonb, first_byte_ms double precision, duration_ms double precision, usage_raw jsonb, rates jsonb,
  units smallint[], quantities bigint[], used_tokens bigint
);

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
CREATE INDEX outbox_created_idx ON outbox (created_at);

-- Which tenant's configuration changed last, for gateways that missed a notification. The nil uuid is the platform.
CREATE TABLE config_changes (
  tenant_id  uuid PRIMARY KEY,
  version    bigint NOT NULL,
  changed_at timestamptz NOT NULL
);
CREATE INDEX config_changes_changed_at_idx ON config_changes (changed_at);
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
