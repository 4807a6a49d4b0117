-- What is old enough is dropped by the month. Only the owner of the tables could, so these functions run as it.

-- Making a partition locks its table for a moment: a long report must not make calls wait behind that.
ALTER FUNCTION ensure_partitions() SET lock_timeout = '2s';

-- Drops the oldest month of calls and ledger_entries that has been over for p_months months. What each period spent in it goes to `archived` in
-- the same transaction, so what a period has spent stays provable. Answers the month, e.g. 2026_11; NULL: none is that old, or another worker is at it.
-- Who holds the tables for longer than the lock timeout goes first: this fails, and is tried again later. Lock order as everywhere: periods, then tables.
CREATE FUNCTION drop_oldest_month(p_months integer) RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '300ms' AS $$
DECLARE v_month text; v_entries regclass; v_periods bigint[]; v_amounts bigint[]; v_above bigint[];
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
    EXECUTE format('SELECT array_agg(s.id ORDER BY s.id), array_agg(s.amount ORDER BY s.id), array_agg(s.above ORDER BY s.id) FROM (
        SELECT u.id, coalesce(sum(l.amount), 0)::bigint AS amount,
          coalesce(sum(l.amount) FILTER (WHERE l.kind IN (''overrun'', ''late'', ''adjustment'') AND l.amount > 0), 0)::bigint AS above
        FROM %s l CROSS JOIN LATERAL unnest(l.period_ids) AS u (id) GROUP BY u.id) s', v_entries) INTO v_periods, v_amounts, v_above;
    PERFORM 1 FROM budget_periods WHERE id = ANY (v_periods) ORDER BY id FOR UPDATE;
    UPDATE budget_periods p SET archived = p.archived + s.amount, archived_above = p.archived_above + s.above
      FROM unnest(v_periods, v_amounts, v_above) AS s (id, amount, above) WHERE p.id = s.id;
  END IF;
  LOCK TABLE calls, ledger_entries IN ACCESS EXCLUSIVE MODE;
  EXECUTE format('DROP TABLE IF EXISTS %I, %I', 'calls_' || v_month, 'ledger_entries_' || v_month);
  RETURN v_month;
END $$;

-- Removes up to p_limit holds that were resolved more than seven days ago, the oldest first: their calls and entries say what became of them.
-- An id begins with its time, which bounds the search. Answers how many.
CREATE FUNCTION purge_holds(p_limit integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_before timestamptz := weir_now() - interval '7 days'; v_count integer;
BEGIN
  DELETE FROM holds WHERE id = ANY (ARRAY(
    SELECT h.id FROM holds h
    WHERE h.id < (lpad(to_hex((extract(epoch FROM v_before) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
      AND h.state <> 'open' AND h.resolved_at < v_before ORDER BY h.id LIMIT p_limit FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;

REVOKE EXECUTE ON FUNCTION drop_oldest_month(integer), purge_holds(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_oldest_month(integer), purge_holds(integer) TO weir_app;
