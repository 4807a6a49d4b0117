-- approve: a hard cap too, and somebody may approve what goes beyond it. four_eyes: whoever owns or made the API key of a call may not.
ALTER TABLE budgets DROP CONSTRAINT budgets_mode_check;
ALTER TABLE budgets ADD CONSTRAINT budgets_mode_check CHECK (mode IN ('deny', 'approve', 'observe'));
ALTER TABLE budgets ADD COLUMN four_eyes boolean NOT NULL DEFAULT false;

-- Requests that somebody has to approve. fingerprint: HMAC of what was asked. amount: the most the call may cost. shorts: the budgets that lack money, as
-- they were then. facts: what else the call was made for. by_operator: one of them was set by an operator, who alone decides. kind: once (this very call) or
-- amount (granted: of each budget, until expires_at). expires_at: of one that is pending, until when it can be decided; of one that is approved once, until
-- when it can be used. hold_id: of the call that used it.
CREATE TABLE approvals (
  tenant_id   uuid NOT NULL REFERENCES tenants (id),
  id          uuid NOT NULL,
  project_id  uuid NOT NULL,
  api_key_id  uuid NOT NULL,
  endpoint    text NOT NULL,
  model       text NOT NULL,
  fingerprint bytea NOT NULL,
  amount      bigint NOT NULL CHECK (amount > 0),
  shorts      jsonb NOT NULL,
  facts       jsonb NOT NULL DEFAULT '{}',
  by_operator boolean NOT NULL,
  four_eyes   boolean NOT NULL,
  state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'used', 'rejected', 'expired')),
  kind        text CHECK (kind IN ('once', 'amount')),
  granted     bigint,
  decided_by  text,
  decided_at  timestamptz,
  reason      text,
  hold_id     uuid,
  used_at     timestamptz,
  created_at  timestamptz NOT NULL,
  expires_at  timestamptz,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX approvals_open_key ON approvals (tenant_id, fingerprint) WHERE state = 'pending' OR state = 'approved' AND kind = 'once';
CREATE INDEX approvals_request_idx ON approvals (tenant_id, fingerprint, id);
CREATE INDEX approvals_due_idx ON approvals (expires_at) WHERE state = 'pending' OR state = 'approved' AND kind = 'once';
CREATE INDEX approvals_old_idx ON approvals (created_at);

SELECT isolate_tenants('approvals');

-- Several budgets may lack money for one call. taken_back: what was not needed of it. for_hold, expires_at: once that call has ended, or that time is
-- over, the rest is taken back. is_open: that is still to come.
ALTER TABLE grants DROP CONSTRAINT grants_approval_id_key;
ALTER TABLE grants ADD COLUMN taken_back bigint NOT NULL DEFAULT 0 CHECK (taken_back BETWEEN 0 AND amount);
ALTER TABLE grants ADD COLUMN for_hold uuid;
ALTER TABLE grants ADD COLUMN expires_at timestamptz;
ALTER TABLE grants ADD COLUMN is_open boolean NOT NULL DEFAULT false;
CREATE UNIQUE INDEX grants_approval_key ON grants (approval_id, period_id, for_hold) WHERE approval_id IS NOT NULL;
CREATE INDEX grants_open_idx ON grants (tenant_id, id) WHERE is_open;
