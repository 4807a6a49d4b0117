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

-- What a ring counted in the last minute.
CREATE FUNCTION ring_total(p_ring bigint[], p_second bigint) RETURNS bigint LANGUAGE sql STABLE AS $$
  SELECT coalesce(sum(v), 0)::bigint FROM unnest(ring_at(p_ring, p_second, floor(extract(epoch FROM weir_now()))::bigint)) AS r (v)
$$;

-- A counter that has counted nothing.
CREATE FUNCTION no_ring() RETURNS bigint[] LANGUAGE sql IMMUTABLE AS $$ SELECT array_fill(0::bigint, ARRAY[61]) $$;
