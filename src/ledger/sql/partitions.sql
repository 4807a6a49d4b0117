-- Monthly partitions of calls and ledger_entries, from last month to three ahead. A default partition catches what nobody foresaw.
-- A month whose rows are in the default partition is left to replace_default: it stops no start. Runs as the owner, who alone may make tables.
-- Making a partition locks its table for a moment: a long report must not make calls wait behind that.
CREATE FUNCTION ensure_partitions() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '2s' AS $$
DECLARE t text; month timestamptz; name text; is_taken boolean;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('weir.ensure_partitions'));
  FOREACH t IN ARRAY ARRAY['calls', 'ledger_entries'] LOOP
    EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I DEFAULT', t || '_default', t);
    FOR month IN SELECT generate_series(date_trunc('month', weir_now(), 'UTC') - interval '1 month', date_trunc('month', weir_now(), 'UTC') + interval '3 months', '1 month') LOOP
      name := t || to_char(month AT TIME ZONE 'UTC', '"_"YYYY_MM');
      IF to_regclass(name) IS NULL THEN
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE admitted_at >= %L AND admitted_at < %L)', t || '_default', month, month + interval '1 month') INTO is_taken;
        IF NOT is_taken THEN
          BEGIN
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', name, t, month, month + interval '1 month');
          EXCEPTION WHEN check_violation THEN NULL; -- a row of the month has come in between
          END;
        END IF;
      END IF;
    END LOOP;
  END LOOP;
END $$;

-- Drops the oldest month of calls and ledger_entries that has been over for p_months months. What each period spent in it goes to `archived`,
-- and what its providers cost to `archived_cost`, in the same transaction, so both stay provable. Answers the month, e.g. 2026_11; NULL: none is that old, or another worker is at it.
-- Who holds the tables for longer than the lock timeout goes first: this fails, and is tried again later. Lock order as everywhere: periods, then tables.
-- What was rolled up of it goes with it: the roll-up is of the entries that are there.
-- What was booked late above a hard cap stays a breach when its month is dropped: only overruns and adjustments may go above.
CREATE FUNCTION drop_oldest_month(p_months integer) RETURNS text LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '300ms' AS $$
DECLARE v_month text; v_entries regclass; v_periods bigint[]; v_amounts bigint[]; v_above bigint[]; v_costs bigint[];
BEGIN
  IF p_months IS NULL OR p_months < 3 THEN RAISE EXCEPTION 'at least 3 months are kept, not %', coalesce(p_months::text, 'none'); END IF;
  IF NOT pg_try_advisory_xact_lock(hashtext('weir.drop_oldest_month')) THEN RETURN NULL; END IF;
  SELECT min(m.month) INTO v_month
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid CROSS JOIN LATERAL substring(c.relname FROM '_(\d{4}_\d{2})$') AS m (month)
    WHERE i.inhparent IN ('calls'::regclass, 'ledger_entries'::regclass)
      AND make_timestamptz(left(m.month, 4)::integer, right(m.month, 2)::integer, 1, 0, 0, 0, 'UTC') <= weir_now() - (p_months + 1) * interval '1 month';
  IF v_month IS NULL THEN RETURN NULL; END IF;
  v_entries := to_regclass('ledger_entries_' || v_month);
  IF v_entries IS NOT NULL THEN
    -- Nobody corrects this month any more while it is summed up. Other months are booked as ever.
    EXECUTE format('LOCK TABLE %s IN SHARE MODE', v_entries);
    EXECUTE format('SELECT array_agg(s.id ORDER BY s.id), array_agg(s.amount ORDER BY s.id), array_agg(s.above ORDER BY s.id), array_agg(s.cost ORDER BY s.id) FROM (
        SELECT u.id, coalesce(sum(l.amount), 0)::bigint AS amount, coalesce(sum(l.provider_cost), 0)::bigint AS cost,
          coalesce(sum(l.amount) FILTER (WHERE l.kind IN (''overrun'', ''adjustment'') AND l.amount > 0), 0)::bigint AS above
        FROM %s l CROSS JOIN LATERAL unnest(l.period_ids) AS u (id) GROUP BY u.id) s', v_entries) INTO v_periods, v_amounts, v_above, v_costs;
    PERFORM 1 FROM budget_periods WHERE id = ANY (v_periods) ORDER BY id FOR UPDATE;
    UPDATE budget_periods p SET archived = p.archived + s.amount, archived_above = p.archived_above + s.above, archived_cost = p.archived_cost + s.cost
      FROM unnest(v_periods, v_amounts, v_above, v_costs) AS s (id, amount, above, cost) WHERE p.id = s.id;
    DELETE FROM usage_rollups WHERE date_trunc('month', starts_at, 'UTC') = make_timestamptz(left(v_month, 4)::integer, right(v_month, 2)::integer, 1, 0, 0, 0, 'UTC');
  END IF;
  LOCK TABLE calls, ledger_entries IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('DROP TABLE IF EXISTS %I, %I', 'calls_' || v_month, 'ledger_entries_' || v_month);
  RETURN v_month;
END $$;
