-- Budgets on any scope, for years and rolling windows, from an anchor, with thresholds; what calls carried; statements and grants.

ALTER TABLE budgets
  DROP CONSTRAINT budgets_period_kind_check,
  DROP CONSTRAINT budgets_mode_check,
  ADD COLUMN anchor timestamptz,
  ADD COLUMN window_seconds integer,
  ADD COLUMN thresholds integer[] NOT NULL DEFAULT '{}',
  ADD CONSTRAINT budgets_period_kind_check CHECK (period_kind IN ('minute', 'hour', 'day', 'week', 'month', 'year', 'lifetime', 'rolling')),
  ADD CONSTRAINT budgets_mode_check CHECK (mode IN ('deny', 'observe')),
  ADD CONSTRAINT budgets_window_check CHECK ((period_kind = 'rolling') = (window_seconds IS NOT NULL) AND window_seconds >= 60);

-- hard: the limit denies. aged: what has left a rolling window; it counts as headroom again. slice: how finely a rolling window forgets.
-- next_threshold: the spending at which the next alert is due. warned: the highest threshold reached, in percent. stated: its statement is written.
ALTER TABLE budget_periods
  ADD COLUMN hard boolean NOT NULL DEFAULT true,
  ADD COLUMN aged bigint NOT NULL DEFAULT 0,
  ADD COLUMN slice interval,
  ADD COLUMN next_threshold bigint,
  ADD COLUMN warned integer NOT NULL DEFAULT 0,
  ADD COLUMN stated boolean NOT NULL DEFAULT false;

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
CREATE INDEX budget_periods_unstated_idx ON budget_periods (closed_at) WHERE closed_at IS NOT NULL AND NOT stated;

-- What a call is held for beside its key: who it is for, and how it is labelled.
ALTER TABLE calls ADD COLUMN end_user text, ADD COLUMN session text, ADD COLUMN tags text[], ADD COLUMN scopes text[];

-- How much a call of unknown price is held and booked for; NULL: it is refused under a hard budget.
ALTER TABLE tenants ADD COLUMN unpriced_call_nano bigint CHECK (unpriced_call_nano > 0);

ALTER TABLE api_keys ADD COLUMN max_call_nano bigint CHECK (max_call_nano >= 0), ADD COLUMN fit text CHECK (fit IN ('shrink'));

-- late_at: what it really cost became known after its lease was over, and is booked.
-- refused: given up before it was confirmed, so that it can never land.
ALTER TABLE holds
  ADD COLUMN late_at timestamptz,
  DROP CONSTRAINT holds_state_check,
  ADD CONSTRAINT holds_state_check CHECK (state IN ('open', 'settled', 'voided', 'expired', 'refused'));

GRANT SELECT, INSERT, UPDATE, DELETE ON budget_slices TO weir_app;
GRANT SELECT, INSERT ON grants, budget_statements TO weir_app;
