-- Copies what the default partition of p_table has in p_blocks of its blocks, from p_from on, into tables of its months. They are no partitions yet:
-- nobody sees the copies. What was copied before is not copied again. Answers where to go on; NULL: its end is reached.
CREATE FUNCTION copy_default_rows(p_table text, p_from bigint, p_blocks integer) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_default regclass := to_regclass(p_table || '_default'); v_end bigint; month timestamptz; name text;
BEGIN
  IF p_table NOT IN ('calls', 'ledger_entries') OR v_default IS NULL THEN RETURN NULL; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('weir.ensure_partitions'));
  v_end := pg_relation_size(v_default) / current_setting('block_size')::bigint;
  IF p_from >= v_end THEN RETURN NULL; END IF;
  FOR month IN EXECUTE format('SELECT DISTINCT date_trunc(''month'', admitted_at, ''UTC'') FROM %s WHERE ctid >= %L::tid AND ctid < %L::tid',
    v_default, format('(%s,0)', p_from), format('(%s,0)', p_from + p_blocks)) LOOP
    name := p_table || to_char(month AT TIME ZONE 'UTC', '"_"YYYY_MM');
    IF to_regclass(name) IS NULL THEN
      EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL, CONSTRAINT %I CHECK (admitted_at >= %L AND admitted_at < %L))', name, p_table, name || '_moves', month, month + interval '1 month');
    END IF;
    EXECUTE format('INSERT INTO %I SELECT * FROM %s WHERE ctid >= %L::tid AND ctid < %L::tid AND admitted_at >= %L AND admitted_at < %L ON CONFLICT DO NOTHING',
      name, v_default, format('(%s,0)', p_from), format('(%s,0)', p_from + p_blocks), month, month + interval '1 month');
  END LOOP;
  RETURN p_from + p_blocks;
END $$;

-- Puts the copies instead of the default partition, and an empty one beside them, in one short transaction that nobody sees the middle of.
-- p_from: where copying has got to; what has come since is copied here. Who uses the table for longer than the lock timeout goes first: this fails then,
-- and is tried again later. Answers the months it made.
CREATE FUNCTION replace_default(p_table text, p_from bigint) RETURNS text[] LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT SET lock_timeout = '300ms' AS $$
DECLARE
  v_default text := p_table || '_default'; v_months text[]; name text; month timestamptz; v_rows bigint; v_copies bigint := 0; v_count bigint;
BEGIN
  IF p_table NOT IN ('calls', 'ledger_entries') OR to_regclass(v_default) IS NULL THEN RETURN '{}'; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('weir.ensure_partitions'));
  EXECUTE format('LOCK TABLE %I IN ACCESS EXCLUSIVE MODE', p_table);
  PERFORM copy_default_rows(p_table, p_from, 2147483647);
  SELECT array_agg(c.relname::text ORDER BY c.relname) INTO v_months FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND NOT c.relispartition AND c.relname ~ ('^' || p_table || '_\d{4,}_\d{2}$');
  IF v_months IS NULL THEN RETURN '{}'; END IF;
  -- A row that took the place of one that had gone lies before p_from.
  EXECUTE format('SELECT count(*) FROM %I', v_default) INTO v_rows;
  FOREACH name IN ARRAY v_months LOOP
    EXECUTE format('SELECT count(*) FROM %I', name) INTO v_count;
    v_copies := v_copies + v_count;
  END LOOP;
  IF v_copies <> v_rows THEN PERFORM copy_default_rows(p_table, 0, 2147483647); END IF;
  EXECUTE format('ALTER TABLE %I DETACH PARTITION %I', p_table, v_default);
  FOREACH name IN ARRAY v_months LOOP
    month := make_timestamptz(substring(name FROM '(\d+)_\d\d$')::integer, right(name, 2)::integer, 1, 0, 0, 0, 'UTC');
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', p_table, name, month, month + interval '1 month');
    EXECUTE format('ALTER TABLE %I DROP CONSTRAINT %I', name, name || '_moves');
  END LOOP;
  EXECUTE format('DROP TABLE %I', v_default);
  EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', v_default, p_table);
  RETURN v_months;
END $$;

-- Whether there is something to move.
CREATE FUNCTION has_default_rows(p_table text) RETURNS boolean LANGUAGE plpgsql STABLE
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_found boolean := false;
BEGIN
  IF p_table IN ('calls', 'ledger_entries') AND to_regclass(p_table || '_default') IS NOT NULL THEN
    EXECUTE format('SELECT EXISTS (SELECT FROM %I)', p_table || '_default') INTO v_found;
  END IF;
  RETURN v_found;
END $$;
