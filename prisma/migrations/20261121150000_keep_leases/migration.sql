-- A lease only ever gets longer: a clock that was set back must not shorten it.
CREATE OR REPLACE FUNCTION heartbeat_batch(p_ids uuid[], p_output_tokens bigint[], p_lease interval) RETURNS void LANGUAGE sql AS $$
  UPDATE holds h SET lease_until = greatest(h.lease_until, weir_now() + p_lease), sent = true, checkpoint_output_tokens = b.output_tokens
  FROM unnest(p_ids, p_output_tokens) AS b (id, output_tokens)
  WHERE h.id = ANY (p_ids) AND h.id = b.id AND h.state NOT IN ('settled', 'voided', 'expired', 'refused')
$$;
