-- A gateway is gone, as its successor found out: its open holds are due at once. What it had not sent is known.
CREATE FUNCTION expire_gateway(p_gateway_id uuid, p_sent uuid[]) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_count bigint;
BEGIN
  PERFORM assert_every_tenant();
  PERFORM mark_gone(p_gateway_id, 'successor', NULL);
  PERFORM 1 FROM holds WHERE gateway_id = p_gateway_id AND state = 'open' ORDER BY id FOR NO KEY UPDATE;
  UPDATE holds SET lease_until = '-infinity', sent = (sent IS TRUE OR id = ANY (p_sent)) WHERE gateway_id = p_gateway_id AND state = 'open';
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;

-- Writes down that a gateway is gone, once.
CREATE FUNCTION mark_gone(p_gateway_id uuid, p_by text, p_reason text) RETURNS void LANGUAGE sql AS $$
  INSERT INTO gateways (id, started_at, gone_at, gone_by, gone_reason) VALUES (p_gateway_id, weir_now(), weir_now(), p_by, p_reason)
  ON CONFLICT (id) DO UPDATE SET gone_at = excluded.gone_at, gone_by = excluded.gone_by, gone_reason = excluded.gone_reason
$$;

-- A gateway is gone, by its own word or an operator's: its open holds are due at once. What it had sent is not known. Answers how many.
CREATE FUNCTION forget_gateway(p_gateway_id uuid, p_by text, p_reason text) RETURNS bigint LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_count bigint;
BEGIN
  PERFORM assert_every_tenant();
  PERFORM mark_gone(p_gateway_id, p_by, p_reason);
  PERFORM 1 FROM holds WHERE gateway_id = p_gateway_id AND state = 'open' ORDER BY id FOR NO KEY UPDATE;
  UPDATE holds SET lease_until = '-infinity' WHERE gateway_id = p_gateway_id AND state = 'open';
  GET DIAGNOSTICS v_count = ROW_COUNT;
  RETURN v_count;
END $$;
