-- What is known of the attempts of a hold without a note of them: the one that was under way.
CREATE FUNCTION attempts_unnoted(p_context jsonb, p_is_unsent boolean) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_is_unsent THEN '[]' ELSE jsonb_build_array(jsonb_build_object('provider', p_context -> 'provider', 'model', p_context -> 'model',
    'credential', p_context -> 'credential', 'status', NULL, 'reason', 'gateway_lost', 'latency_ms', NULL)) END
$$;

-- Resolves up to p_limit holds whose gateway is lost. What was sent, or may have been, is booked as an estimate; what is known not to have been sent
-- is given back. p_units: the unit of a plain input token and that of a plain output token. Answers each with what was booked (NULL: nothing, or of unknown price) and what had been held.
CREATE FUNCTION reap_calls(p_limit integer, p_units smallint[]) RETURNS TABLE (reaped_id uuid, is_booked boolean, booked bigint, held bigint) LANGUAGE plpgsql AS $$
DECLARE v_ids uuid[]; v_is_booked boolean[]; v_booked bigint[]; v_held bigint[]; v_outcomes json;
BEGIN
  WITH due AS (
    SELECT h.*, h.sent IS FALSE AS is_unsent, h.checkpoint_input_tokens IS NOT NULL AS is_noted, (h.context ->> 'output_tokens')::bigint AS limit_tokens
    FROM holds h WHERE h.state = 'open' AND is_overdue(h.lease_until, h.created_at, h.context, weir_now()) ORDER BY h.lease_until LIMIT p_limit
  ), counted AS (
    -- All that is held is all its tokens. An older process did not say how many of them are output.
    SELECT d.*,
      CASE WHEN d.is_unsent THEN 0 WHEN d.is_noted THEN d.checkpoint_input_tokens ELSE coalesce(d.tokens - d.limit_tokens, (d.context ->> 'input_tokens')::bigint) END AS input,
      CASE WHEN d.is_unsent THEN 0 WHEN d.is_noted THEN d.checkpoint_output_tokens ELSE coalesce(d.limit_tokens, d.checkpoint_output_tokens) END AS output
    FROM due d
  ), estimate AS (
    SELECT c.*, CASE WHEN c.is_unsent THEN NULL WHEN c.is_noted THEN c.checkpoint_amount
      ELSE coalesce(c.amount, (c.context ->> 'estimate')::bigint) END AS cost
    FROM counted c
  )
  SELECT array_agg(e.id ORDER BY e.id), array_agg(NOT e.is_unsent ORDER BY e.id), array_agg(e.cost ORDER BY e.id), array_agg(e.amount ORDER BY e.id),
      json_agg(json_build_object('id', e.id, 'if_expired', true, 'attempts', coalesce(e.attempts, attempts_unnoted(e.context, e.is_unsent)), 'http_status', 0, 'error_code', 'gateway_lost',
        'status', CASE WHEN e.is_unsent THEN 'failed' ELSE 'cut' END, 'state', CASE WHEN e.is_unsent THEN 'voided' ELSE 'settled' END,
        'estimated', NOT e.is_unsent, 'rates', e.context -> 'rates', 'units', p_units, 'quantities', ARRAY[e.input, e.output],
        'used_tokens', e.input + e.output, 'amount', e.cost) ORDER BY e.id)
    INTO v_ids, v_is_booked, v_booked, v_held, v_outcomes FROM estimate e;
  IF v_outcomes IS NOT NULL THEN
    RETURN QUERY SELECT s.resolved_id, r.is_booked, r.booked, r.held FROM settle_calls(v_ids, v_outcomes) s
      JOIN unnest(v_ids, v_is_booked, v_booked, v_held) AS r (id, is_booked, booked, held) ON r.id = s.resolved_id;
  END IF;
END $$;
