-- What entries of the ledger come to per quarter of an hour of admission, key, provider and model. Time zones are a multiple of that apart. Manual entries
-- are not in it. calls counts a call once, whatever it tried; provider_calls and model_calls once for each provider, or model, that it used.
-- adjusted: what of the amount came later, by corrections. own_provider_cost: what of provider_cost the tenant pays itself. NULL: nothing of it is known.
CREATE TABLE usage_rollups (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant_id         uuid NOT NULL,
  starts_at         timestamptz NOT NULL,
  project_id        uuid,
  api_key_id        uuid,
  provider          text,
  model             text,
  calls             bigint NOT NULL,
  provider_calls    bigint NOT NULL,
  model_calls       bigint NOT NULL,
  units             smallint[] NOT NULL,
  quantities        bigint[] NOT NULL,
  amount            bigint NOT NULL,
  adjusted          bigint NOT NULL,
  provider_cost     bigint,
  own_provider_cost bigint
);
CREATE INDEX usage_rollups_time_idx ON usage_rollups (tenant_id, starts_at);
SELECT isolate_tenants('usage_rollups');

-- How far the roll-up has got, in one row: all entries that were booked before `until` are in it, and those before `safe_until` may go into it. A transaction that began before
-- `seen_at` may still book for a time before it: it is over when `seen_xid` is older than all that run.
CREATE TABLE usage_rolled (
  id         integer PRIMARY KEY CHECK (id = 1),
  until      timestamptz NOT NULL,
  safe_until timestamptz NOT NULL,
  seen_at    timestamptz NOT NULL,
  seen_xid   xid8 NOT NULL
);
INSERT INTO usage_rolled VALUES (1, '-infinity', '-infinity', '-infinity', '0');

-- Entries lie in the order in which they were booked, so a few bytes per megabyte find the new ones.
CREATE INDEX ledger_entries_booked_idx ON ledger_entries USING brin (booked_at) WITH (pages_per_range = 16, autosummarize = on);
