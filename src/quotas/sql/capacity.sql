-- How many budgets or limits a tenant may set decides how many rows a call touches. Whoever adds one to a tenant comes one by one. Answers where there
-- is no room left: ofTenant · onScope (its kind and value; `*` is one value); NULL: there is room.
CREATE FUNCTION full_for(p_table regclass, p_tenant_id uuid, p_kind text, p_value text, p_most integer, p_most_on_scope integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_all integer; v_on_scope integer;
BEGIN
  PERFORM 1 FROM tenants WHERE id = p_tenant_id FOR NO KEY UPDATE;
  EXECUTE format('SELECT count(*), count(*) FILTER (WHERE scope_kind = $2 AND scope_value = $3) FROM %s WHERE tenant_id = $1 AND deleted_at IS NULL AND set_by = ''tenant''', p_table)
    INTO v_all, v_on_scope USING p_tenant_id, p_kind, p_value;
  RETURN CASE WHEN v_on_scope >= p_most_on_scope THEN 'onScope' WHEN v_all >= p_most THEN 'ofTenant' END;
END $$;
