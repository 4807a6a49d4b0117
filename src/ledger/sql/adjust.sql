-- Corrects what is charged for attempts of calls; what their provider costs stays: an entry `adjustment` per correction, and its periods follow. The k-th of attempt n is numbered
-- 1000 * (n - 1) + k in the column `attempt`.
-- p_amounts[i]: the difference. A correction that has been made (its attempt has that many already) is not repeated. Answers the calls it corrected.
-- Two corrections of the same calls insert in the same order.
CREATE FUNCTION adjust_calls(p_tenant_id uuid, p_calls uuid[], p_admitted_at timestamptz[], p_attempts integer[], p_numbers integer[], p_amounts bigint[],
  p_prices uuid[], p_rates jsonb[], p_actor text, p_reason text) RETURNS SETOF uuid LANGUAGE plpgsql AS $$
DECLARE v_now timestamptz := weir_now(); v_ids uuid[]; v_periods bigint[]; v_amounts bigint[]; v_locks bigint[];
BEGIN
  SELECT array_agg(DISTINCT p.id) INTO v_locks FROM unnest(p_calls, p_admitted_at) AS c (id, admitted_at)
    JOIN ledger_entries e ON e.tenant_id = p_tenant_id AND e.admitted_at = c.admitted_at AND e.call_id = c.id CROSS JOIN unnest(e.period_ids) AS p (id);
  PERFORM 1 FROM budget_periods WHERE id = ANY (v_locks) ORDER BY id FOR UPDATE;
  WITH entries AS (
    INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, project_id, api_key_id, provider, model, price_id, rates, amount,
      lent, estimated, period_ids, actor, reason)
    SELECT p_tenant_id, c.id, 1000 * (c.attempt - 1) + c.number, 'adjustment', c.admitted_at, v_now, e.project_id, e.api_key_id, e.provider, e.model,
      c.price_id, c.rates, c.amount, e.lent, e.estimated, e.period_ids, p_actor, p_reason
    FROM unnest(p_calls, p_admitted_at, p_attempts, p_numbers, p_amounts, p_prices, p_rates) AS c (id, admitted_at, attempt, number, amount, price_id, rates)
    JOIN ledger_entries e ON e.tenant_id = p_tenant_id AND e.admitted_at = c.admitted_at AND e.call_id = c.id AND e.attempt = c.attempt AND e.kind = 'usage'
    ORDER BY c.admitted_at, c.id, c.attempt, c.number
    ON CONFLICT DO NOTHING
    RETURNING call_id, amount, period_ids
  ), sums AS (
    SELECT p.id, sum(e.amount)::bigint AS amount FROM entries e CROSS JOIN unnest(e.period_ids) AS p (id) GROUP BY p.id
  )
  SELECT (SELECT array_agg(call_id) FROM entries), array_agg(s.id), array_agg(s.amount) INTO v_ids, v_periods, v_amounts FROM sums s;
  UPDATE budget_periods p SET spent = p.spent + s.amount FROM unnest(v_periods, v_amounts) AS s (id, amount) WHERE p.id = s.id;
  PERFORM remember_spending(v_periods, v_amounts, v_now);
  PERFORM raise_alerts(v_periods, v_now);
  RETURN QUERY SELECT unnest(v_ids);
END $$;

-- The attempt that an entry is of.
CREATE FUNCTION attempt_of(p_kind text, p_attempt integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_kind = 'adjustment' THEN (p_attempt - 1) / 1000 + 1 ELSE p_attempt END
$$;

-- Runs as the owner: a tenant's session does not see the platform's records.
CREATE OR REPLACE FUNCTION had_platform_provider(p_name text) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT EXISTS (SELECT FROM providers p WHERE p.tenant_id IS NULL AND p.name = p_name)
$$;

-- What the platform pays for, only an operator corrects. A call from before its payer was noted counts as the platform's if the platform ever had a
-- provider of that name: no tenant is to take back what the platform paid. So does an attempt at another provider than the one that its call ended with,
-- whose payer its call notes: p_lent is NULL for it.
CREATE OR REPLACE FUNCTION is_platform_paid(p_lent boolean, p_provider text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce(p_lent, had_platform_provider(p_provider))
$$;

CREATE OR REPLACE FUNCTION guard_adjustment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE v_lent boolean;
BEGIN
  SELECT c.lent INTO v_lent FROM calls c
    WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.call_id AND c.admitted_at = NEW.admitted_at AND c.provider = NEW.provider;
  IF is_platform_paid(v_lent, NEW.provider) THEN
    PERFORM refuse_platform_rule('The platform paid for this call, or may have. Only an operator may price it again: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;

-- A reset writes an entry `manual` on the period it resets.
CREATE OR REPLACE FUNCTION guard_manual_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM budget_periods p JOIN budgets b ON b.tenant_id = p.tenant_id AND b.id = p.budget_id
    WHERE p.id = ANY (NEW.period_ids) AND b.set_by = 'operator') THEN
    PERFORM refuse_platform_rule('An operator set this budget. Only an operator may reset it: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;
