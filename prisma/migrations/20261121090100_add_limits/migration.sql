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
  PRIMARY KEY (tenant_id, id),
  CHECK (num_nonnulls(requests_per_minute, tokens_per_minute, concurrency) > 0)
);
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

-- tokens: the most a call may use, counted in counter_ids.
ALTER TABLE holds ADD COLUMN counter_ids bigint[] NOT NULL DEFAULT '{}', ADD COLUMN tokens bigint NOT NULL DEFAULT 0;

GRANT SELECT, INSERT, UPDATE ON limits, limit_counters TO weir_app;

-- The ring as it stands at a later second: what is older than a minute is forgotten.
CREATE FUNCTION ring_at(p_ring bigint[], p_second bigint, p_now bigint) RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$
  SELECT array_agg(CASE WHEN p_second - mod(p_second - (n - 1) + 61 * 61, 61) > p_now - 61 THEN v ELSE 0 END ORDER BY n)
  FROM unnest(p_ring) WITH ORDINALITY AS r (v, n)
$$;

-- The ring with something added to the slots of some seconds, where they are still remembered.
CREATE FUNCTION ring_add(p_ring bigint[], p_second bigint, p_seconds bigint[], p_amounts bigint[]) RETURNS bigint[] LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE slot integer;
BEGIN
  FOR i IN 1 .. array_length(p_seconds, 1) LOOP
    IF p_seconds[i] > p_second - 61 AND p_seconds[i] <= p_second THEN
      slot := p_seconds[i] % 61 + 1;
      p_ring[slot] := p_ring[slot] + p_amounts[i];
    END IF;
  END LOOP;
  RETURN p_ring;
END $$;

-- Seconds until the ring has forgotten at least this much; a minute when it never will.
CREATE FUNCTION ring_wait(p_ring bigint[], p_now bigint, p_amount bigint) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
  SELECT coalesce(min(second) + 61 - p_now, 61)::integer FROM (
    SELECT s AS second, sum(p_ring[s % 61 + 1]) OVER (ORDER BY s) AS total FROM generate_series(p_now - 60, p_now) AS s
  ) AS t WHERE total >= p_amount
$$;
