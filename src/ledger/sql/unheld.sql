-- A failover to a replica that had not got everything loses holds of calls in flight. Their gateways still know what was held, and for whom.
-- Books calls of which there is no hold, each exactly once: settle_calls did not find them. p_outcomes: as for settle_calls, each with `held`, what
-- its gateway knows of the hold: tenant, at (of its admission, Unix ms), amount, scopes, context.
-- The row that it leaves in `holds` is what makes it happen once; a hold that should still arrive meets it, and holds nothing.
-- Spent is counted in the periods of the moment of admission. Nothing is held of it here, and others may have been admitted in its place, so all of
-- its cost is above its hold: an entry `overrun`, beside one of kind `usage` with its tokens.
-- A later attempt is booked as a call by itself: which is honest, and rare.
-- Answers what became of them: booked · held (it has a hold after all: to be settled again) · unknown (it may have been booked and its hold removed
-- since, see purge_holds: an id begins with its time). One that is missing was resolved before.
-- Holds and calls are looked up one by one, also where the planner does not know yet how many there are.
-- It works with the rights of the session, which has them all: it is too rare to be run as the owner for its speed.
CREATE FUNCTION book_unheld(p_gateway_id uuid, p_outcomes json) RETURNS TABLE (unheld_id uuid, became text) LANGUAGE plpgsql AS $$
DECLARE
  v_now timestamptz := weir_now();
  -- An hour less than a hold is kept for: a purge may be under way.
  v_first uuid := (lpad(to_hex((extract(epoch FROM v_now - interval '6 days 23 hours') * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
  v_ids uuid[]; v_known uuid[]; v_lost uuid[]; v_call_of uuid[]; v_period_of bigint[]; v_booked uuid[]; v_periods bigint[]; v_amounts bigint[];
  v_costs bigint[];
BEGIN
  PERFORM assert_every_tenant();
  SELECT array_agg(o.id) INTO v_ids FROM json_to_recordset(p_outcomes) AS o (id uuid);
  v_known := ARRAY(SELECT h.id FROM holds h WHERE h.id = ANY (v_ids));
  -- An entry has a call, always. LIMIT: looked up one by one, whatever the planner believes of a month that it knows nothing of yet.
  SELECT array_agg(o.id) INTO v_lost FROM json_to_recordset(p_outcomes) AS o (id uuid, held json)
    WHERE o.held IS NOT NULL AND o.id >= v_first AND o.id <> ALL (v_known)
      AND (SELECT true FROM calls c WHERE c.tenant_id = (o.held ->> 'tenant')::uuid AND c.id = o.id LIMIT 1) IS NULL;

  IF v_lost IS NOT NULL THEN
    SELECT array_agg(m.id), array_agg(ensure_period(m.tenant_id, m.budget_id, m.value, m.at)) INTO v_call_of, v_period_of
      FROM (
        SELECT DISTINCT b.tenant_id, b.id AS budget_id, s.value, o.id, t.at
        FROM json_to_recordset(p_outcomes) AS o (id uuid, held json)
        CROSS JOIN LATERAL least(greatest(to_timestamp((o.held ->> 'at')::float8 / 1000), v_now - interval '7 days'), v_now) AS t (at)
        CROSS JOIN LATERAL json_to_recordset(o.held -> 'scopes') AS s (kind text, value text)
        JOIN budgets b ON b.tenant_id = (o.held ->> 'tenant')::uuid AND b.scope_kind = s.kind AND b.scope_value IN (s.value, '*')
          AND b.created_at <= t.at AND (b.deleted_at IS NULL OR b.deleted_at > t.at)
        WHERE o.id = ANY (v_lost)
        ORDER BY b.tenant_id, b.id, s.value, o.id
      ) m;
    PERFORM 1 FROM budget_periods WHERE id = ANY (v_period_of) ORDER BY id FOR UPDATE;

    WITH lost AS MATERIALIZED (
      SELECT o.*, (x.held ->> 'tenant')::uuid AS tenant_id, (x.held ->> 'amount')::bigint AS held, (x.held ->> 'context')::jsonb AS context,
        least(greatest(to_timestamp((x.held ->> 'at')::float8 / 1000), v_now - interval '7 days'), v_now) AS at
      FROM json_populate_recordset(NULL::outcome, p_outcomes) o JOIN json_to_recordset(p_outcomes) AS x (id uuid, held json) ON x.id = o.id
      WHERE o.id = ANY (v_lost)
    ), claimed AS (
      INSERT INTO holds (id, tenant_id, gateway_id, amount, state, period_ids, context, sent, created_at, lease_until, resolved_at)
      SELECT l.id, l.tenant_id, p_gateway_id, 0, l.state, coalesce(p.period_ids, '{}'), l.context, true, l.at, l.at, v_now
      FROM lost l LEFT JOIN (
        SELECT u.call, array_agg(u.period_id ORDER BY u.period_id) AS period_ids FROM unnest(v_call_of, v_period_of) AS u (call, period_id) GROUP BY u.call
      ) p ON p.call = l.id
      ORDER BY l.id
      ON CONFLICT (id) DO NOTHING
      RETURNING id, period_ids
    ), told AS MATERIALIZED (
      SELECT l.*, k.period_ids, x.* FROM claimed k JOIN lost l ON l.id = k.id CROSS JOIN LATERAL jsonb_to_record(l.context) AS x (project uuid, key uuid,
        surface text, stream boolean, requested_model text, provider text, model text, credential uuid, price uuid, end_user text, session text,
        tags text[], scopes text[], provider_id uuid, lent boolean)
    ), sums AS (
      SELECT p.period_id, coalesce(sum(t.amount), 0)::bigint AS amount, coalesce(sum(t.provider_cost), 0)::bigint AS provider_cost
      FROM told t CROSS JOIN unnest(t.period_ids) AS p (period_id) WHERE t.state = 'settled' GROUP BY p.period_id
    ), booked_calls AS (
      INSERT INTO calls (tenant_id, id, admitted_at, finished_at, project_id, api_key_id, surface, stream, requested_model, served_model, provider,
        credential_id, status, http_status, error_code, finish_reason, estimated, attempts, first_byte_ms, duration_ms, usage_raw, held, end_user, session, tags, scopes,
        provider_id, lent, plan)
      SELECT t.tenant_id, t.id, t.at, v_now, t.project, t.key, t.surface, t.stream, t.requested_model, t.served_model, t.provider,
        credential_of(t.credential, t.credential_used), t.status, t.http_status, t.error_code, t.finish_reason, t.estimated, t.attempts, t.first_byte_ms, t.duration_ms, t.usage_raw, t.held,
        t.end_user, t.session, t.tags, t.scopes, t.provider_id, t.lent, t.plan
      FROM told t
    ), booked_entries AS (
      INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, units,
        quantities, price_id, rates, amount, provider_cost, lent, estimated, period_ids)
      SELECT t.tenant_id, t.id, 1, e.kind, t.at, v_now, t.project, t.key, t.provider, t.model, e.units, e.quantities, t.price, t.rates,
        e.amount, e.provider_cost, t.lent, t.estimated, t.period_ids
      FROM told t CROSS JOIN LATERAL (
        VALUES ('usage', t.units, t.quantities, CASE WHEN t.amount IS NOT NULL THEN 0 END, t.provider_cost), ('overrun', '{}', '{}', t.amount, NULL)
      ) AS e (kind, units, quantities, amount, provider_cost)
      WHERE t.state = 'settled' AND (e.kind = 'usage' OR e.amount > 0)
    )
    SELECT (SELECT array_agg(t.id) FROM told t), array_agg(s.period_id), array_agg(s.amount), array_agg(s.provider_cost)
      INTO v_booked, v_periods, v_amounts, v_costs FROM sums s;
    UPDATE budget_periods p SET spent = p.spent + s.amount, provider_cost = p.provider_cost + s.provider_cost
      FROM unnest(v_periods, v_amounts, v_costs) AS s (id, amount, provider_cost) WHERE p.id = s.id;
    PERFORM remember_spending(v_periods, v_amounts, v_now);
    PERFORM raise_alerts(v_periods, v_now);
  END IF;

  RETURN QUERY SELECT u.id, 'booked' FROM unnest(v_booked) AS u (id);
  RETURN QUERY
    SELECT o.id, CASE WHEN h.id IS NULL THEN 'unknown' ELSE 'held' END
    FROM json_to_recordset(p_outcomes) AS o (id uuid, held json)
    LEFT JOIN (SELECT q.id, q.state, q.late_at FROM holds q WHERE q.id = ANY (v_ids)) h ON h.id = o.id
    WHERE o.id <> ALL (coalesce(v_booked, '{}')) AND CASE
      WHEN h.id IS NULL THEN (SELECT true FROM calls c WHERE c.tenant_id = (o.held ->> 'tenant')::uuid AND c.id = o.id LIMIT 1) IS NULL
      ELSE h.state NOT IN ('settled', 'voided', 'refused') AND h.late_at IS NULL
    END;
END $$;
