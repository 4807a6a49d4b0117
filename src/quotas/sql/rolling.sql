-- How finely a rolling window forgets; NULL for other kinds.
CREATE FUNCTION slice_of(p_window_seconds integer) RETURNS interval LANGUAGE sql IMMUTABLE AS $$
  SELECT p_window_seconds / 60 * interval '1 second'
$$;

-- Rolling windows forget what is older than they are: it becomes headroom again. The periods are locked.
CREATE FUNCTION age_periods(p_periods bigint[], p_now timestamptz) RETURNS void LANGUAGE sql AS $$
  WITH old AS (
    DELETE FROM budget_slices s USING budget_periods p, budgets b
    WHERE s.period_id = ANY (p_periods) AND p.id = s.period_id AND b.tenant_id = p.tenant_id AND b.id = p.budget_id
      AND s.starts_at + p.slice + b.window_seconds * interval '1 second' <= p_now
    RETURNING s.period_id, s.amount
  ), sums AS (SELECT period_id, sum(amount)::bigint AS amount FROM old GROUP BY period_id)
  UPDATE budget_periods p SET aged = p.aged + s.amount, exceeded = p.exceeded AND p.spent - p.aged - s.amount >= p.limit_nano + p.granted,
    next_threshold = (SELECT next_threshold(p.limit_nano + p.granted, b.thresholds, p.spent - p.aged - s.amount) FROM budgets b WHERE b.tenant_id = p.tenant_id AND b.id = p.budget_id)
  FROM sums s WHERE p.id = s.period_id
$$;

-- Rolling windows remember when it was spent. The periods are locked.
CREATE FUNCTION remember_spending(p_periods bigint[], p_amounts bigint[], p_now timestamptz) RETURNS void LANGUAGE sql AS $$
  INSERT INTO budget_slices (tenant_id, period_id, starts_at, amount)
    SELECT p.tenant_id, p.id, date_bin(p.slice, p_now, timestamptz '2001-01-01 00:00Z'), a.amount
    FROM unnest(p_periods, p_amounts) AS a (id, amount) JOIN budget_periods p ON p.id = a.id WHERE p.slice IS NOT NULL AND a.amount <> 0
  ON CONFLICT (tenant_id, period_id, starts_at) DO UPDATE SET amount = budget_slices.amount + excluded.amount
$$;
