-- The k-th period of a calendar kind: the anchor plus k units on the wall clock of the time zone, so that the 31st comes back after a
-- short month and a day can have 23 hours. Without an anchor the calendar's own: a Monday that was the first of a year, at midnight.
CREATE FUNCTION period_start(p_kind text, p_timezone text, p_anchor timestamptz, p_k integer) RETURNS timestamptz LANGUAGE sql STABLE AS $$
  SELECT (coalesce(p_anchor AT TIME ZONE p_timezone, timestamp '2001-01-01') + p_k * ('1 ' || p_kind)::interval) AT TIME ZONE p_timezone
$$;

-- The period of a budget that contains p_at. Hours and minutes are absolute, counted from the anchor or else from local midnight; longer
-- ones follow the calendar.
CREATE FUNCTION period_bounds(
  p_kind text, p_timezone text, p_anchor timestamptz, p_created_at timestamptz, p_at timestamptz, OUT starts_at timestamptz, OUT ends_at timestamptz
) LANGUAGE plpgsql STABLE AS $$
DECLARE
  local_at timestamp := p_at AT TIME ZONE p_timezone;
  origin timestamp := coalesce(p_anchor AT TIME ZONE p_timezone, timestamp '2001-01-01');
  day_start timestamptz; day_end timestamptz; step interval; k integer; months integer;
BEGIN
  CASE p_kind
  WHEN 'lifetime', 'rolling' THEN
    starts_at := least(p_created_at, p_at); ends_at := 'infinity';
    RETURN;
  WHEN 'minute', 'hour' THEN
    step := ('1 ' || p_kind)::interval;
    IF p_anchor IS NOT NULL THEN
      starts_at := date_bin(step, p_at, p_anchor); ends_at := starts_at + step;
    ELSE
      SELECT b.starts_at, b.ends_at INTO day_start, day_end FROM period_bounds('day', p_timezone, NULL, p_created_at, p_at) b;
      starts_at := date_bin(step, p_at, day_start); ends_at := least(starts_at + step, day_end);
    END IF;
    RETURN;
  WHEN 'day' THEN k := floor(extract(epoch FROM local_at - origin) / 86400);
  WHEN 'week' THEN k := floor(extract(epoch FROM local_at - origin) / 604800);
  ELSE
    months := (extract(year FROM local_at) - extract(year FROM origin)) * 12 + extract(month FROM local_at) - extract(month FROM origin);
    k := CASE p_kind WHEN 'month' THEN months ELSE floor(months / 12.0) END;
  END CASE;
  -- The estimate may be one off around the anchor's day, a change of clocks, or a date that a zone left out.
  WHILE period_start(p_kind, p_timezone, p_anchor, k) > p_at LOOP k := k - 1; END LOOP;
  WHILE period_start(p_kind, p_timezone, p_anchor, k + 1) <= p_at LOOP k := k + 1; END LOOP;
  starts_at := period_start(p_kind, p_timezone, p_anchor, k);
  ends_at := period_start(p_kind, p_timezone, p_anchor, k + 1);
END $$;
