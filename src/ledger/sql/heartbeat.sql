-- Extends the leases of calls in flight, and notes what is to be booked of each should nothing more be heard of it. p_input_tokens[i] NULL: all that
-- is held. p_sent[i] false: nothing is under way at a provider, so nothing is to be booked. p_attempts[i]: the attempts of the hold so far, with the one
-- under way. Rows of holds are locked in the order of their ids everywhere. FOR NO KEY UPDATE is what an update takes.
CREATE FUNCTION heartbeat_calls(
  p_ids uuid[], p_input_tokens bigint[], p_output_tokens bigint[], p_amounts bigint[], p_sent boolean[], p_attempts jsonb[], p_lease interval
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM 1 FROM holds WHERE id = ANY (p_ids) ORDER BY id FOR NO KEY UPDATE;
  UPDATE holds h SET lease_until = greatest(h.lease_until, weir_now() + p_lease), sent = b.sent, attempts = b.attempts, checkpoint_input_tokens = b.input_tokens,
    checkpoint_output_tokens = coalesce(b.output_tokens, 0), checkpoint_amount = b.amount
  FROM unnest(p_ids, p_input_tokens, p_output_tokens, p_amounts, p_sent, p_attempts) AS b (id, input_tokens, output_tokens, amount, sent, attempts)
  WHERE h.id = ANY (p_ids) AND h.id = b.id AND h.state NOT IN ('settled', 'voided', 'expired', 'refused');
END $$;
