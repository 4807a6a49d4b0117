-- Where events are told to. tenant_id NULL: the platform's, which is told of events of the platform, and of those of tenants where tenant_events. address:
-- what may be shown of where it leads; sealed: the whole of it, and its signing secrets. types NULL: every type. disabled_by: `admin`, or `receiver` where
-- it answered that it is gone.
CREATE TABLE webhooks (
  id            uuid PRIMARY KEY,
  tenant_id     uuid REFERENCES tenants (id),
  name          text NOT NULL,
  format        text NOT NULL CHECK (format IN ('standard', 'slack', 'teams', 'email')),
  address       text NOT NULL,
  sealed        bytea NOT NULL,
  types         text[],
  tenant_events boolean NOT NULL DEFAULT false,
  disabled_by   text CHECK (disabled_by IN ('admin', 'receiver')),
  metadata      jsonb NOT NULL DEFAULT '{}',
  created_at    timestamptz NOT NULL DEFAULT now(),
  CHECK (tenant_id IS NULL OR NOT tenant_events)
);
CREATE INDEX webhooks_owner_idx ON webhooks (tenant_id, id);

-- An event on its way to one webhook; its id is what the receiver knows it by. next_attempt_at: of a pending one, when it is sent next. Whoever sends it sets
-- that to when it is sent again, should nobody say how it went.
CREATE TABLE webhook_deliveries (
  id              uuid PRIMARY KEY,
  tenant_id       uuid,
  webhook_id      uuid NOT NULL REFERENCES webhooks (id) ON DELETE CASCADE,
  event_id        bigint NOT NULL REFERENCES outbox (id) ON DELETE CASCADE,
  state           text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'dead')),
  attempts        integer NOT NULL DEFAULT 0,
  next_attempt_at timestamptz NOT NULL,
  last_status     integer,
  last_failure    text,
  created_at      timestamptz NOT NULL,
  ended_at        timestamptz,
  UNIQUE (webhook_id, event_id)
);
CREATE INDEX webhook_deliveries_due_idx ON webhook_deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_event_idx ON webhook_deliveries (event_id);
CREATE INDEX webhook_deliveries_webhook_idx ON webhook_deliveries (webhook_id, id);

-- Those that were not handed to the webhooks yet: delivered_at says when they were.
CREATE INDEX outbox_undelivered_idx ON outbox (id) WHERE delivered_at IS NULL;

-- Keys that will expire.
CREATE INDEX api_keys_expiring_idx ON api_keys (expires_at) WHERE expires_at IS NOT NULL AND revoked_at IS NULL;

SELECT isolate_tenants('webhooks');
SELECT isolate_tenants('webhook_deliveries');

-- It was told that the limit is spent; of a rolling budget, since its window was last below it.
ALTER TABLE budget_periods ADD COLUMN exceeded boolean NOT NULL DEFAULT false;

CREATE TRIGGER ledger_entries_told AFTER INSERT ON ledger_entries FOR EACH ROW
  WHEN (NEW.kind = 'overrun' OR (NEW.kind = 'usage' AND NEW.amount IS NULL)) EXECUTE FUNCTION tell_of_entry();
