-- Deletes a tenant, if it is suspended and none of its calls is in flight. Answers what came of it: deleted · active (not suspended) ·
-- suspending (a process may not know of the suspension yet) · in_flight.
CREATE FUNCTION delete_tenant(p_tenant uuid, p_actor text) RETURNS text LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_now timestamptz := weir_now(); t tenants%ROWTYPE;
BEGIN
  PERFORM assert_every_tenant();
  SELECT * INTO t FROM tenants WHERE id = p_tenant FOR UPDATE;
  IF t.deleted_at IS NULL THEN
    IF t.suspended_at IS NULL THEN RETURN 'active'; END IF;
    IF t.suspended_at > v_now - interval '2 seconds' THEN RETURN 'suspending'; END IF;
    IF EXISTS (SELECT FROM holds WHERE tenant_id = p_tenant AND state = 'open') THEN RETURN 'in_flight'; END IF;
    UPDATE tenants SET deleted_at = v_now, name = 'deleted', external_id = NULL, metadata = '{}' WHERE id = p_tenant;
    PERFORM emit_event(p_tenant, 'tenant.deleted', 'tenant.deleted:' || p_tenant, jsonb_build_object('actor', p_actor));
    PERFORM erase_tenant(p_tenant);
  END IF;
  RETURN 'deleted';
END $$;

-- Blanks what may name a person, but in calls: names, external ids, metadata, reasons, and the labels that scopes carry.
CREATE FUNCTION erase_tenant(p_tenant uuid) RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_now timestamptz := weir_now(); v_labels text[] := ARRAY['end_user', 'session', 'tag', 'scope'];
BEGIN
  PERFORM assert_every_tenant();
  IF NOT EXISTS (SELECT FROM tenants WHERE id = p_tenant AND deleted_at IS NOT NULL) THEN
    RAISE EXCEPTION 'the tenant % is not deleted', p_tenant;
  END IF;

  DELETE FROM idempotency_keys WHERE scope IN (SELECT id::text FROM admin_keys WHERE tenant_id = p_tenant
    UNION ALL SELECT id::text FROM people WHERE tenant_id = p_tenant);
  DELETE FROM idempotent_calls WHERE tenant_id = p_tenant;
  DELETE FROM approvals WHERE tenant_id = p_tenant;
  DELETE FROM kept_answer_totals WHERE tenant_id = p_tenant;
  UPDATE api_keys SET name = 'deleted', digest = '', last4 = '', previous_lookup_id = NULL, previous_digest = NULL, previous_until = NULL,
    revoked_at = coalesce(revoked_at, v_now) WHERE tenant_id = p_tenant AND digest <> '';
  UPDATE admin_keys SET name = 'deleted', digest = '', last4 = '', previous_lookup_id = NULL, previous_digest = NULL, previous_until = NULL,
    revoked_at = coalesce(revoked_at, v_now) WHERE tenant_id = p_tenant AND digest <> '';
  DELETE FROM credential_health WHERE tenant_id = p_tenant;
  DELETE FROM credential_model_health WHERE tenant_id = p_tenant;
  DELETE FROM target_health WHERE tenant_id = p_tenant;
  DELETE FROM credentials WHERE tenant_id = p_tenant;
  DELETE FROM provider_headers WHERE tenant_id = p_tenant;
  DELETE FROM connections WHERE tenant_id = p_tenant;
  DELETE FROM provider_grants WHERE tenant_id = p_tenant;
  DELETE FROM inference_routes WHERE tenant_id = p_tenant;
  DELETE FROM network_bindings WHERE tenant_id = p_tenant;
  DELETE FROM models WHERE tenant_id = p_tenant;
  DELETE FROM routes WHERE tenant_id = p_tenant;
  DELETE FROM egress_rules WHERE tenant_id = p_tenant;
  DELETE FROM sessions WHERE tenant_id = p_tenant;
  DELETE FROM webhooks WHERE tenant_id = p_tenant;
  -- Their sessions and sign-in links go with them.
  DELETE FROM people WHERE tenant_id = p_tenant;
  DELETE FROM invites WHERE tenant_id = p_tenant;
  DELETE FROM single_sign_on WHERE tenant_id = p_tenant;
  DELETE FROM data_keys WHERE purpose = 'tenant:' || p_tenant;
  -- The name of a provider stays: entries of the ledger name it.
  UPDATE providers SET deleted_at = coalesce(deleted_at, v_now), base_url = 'https://deleted.invalid', quirks = '{}', gateway_options = NULL,
    capabilities = NULL, external_id = NULL, metadata = '{}' WHERE tenant_id = p_tenant AND base_url <> 'https://deleted.invalid';
  UPDATE prices SET notes = NULL WHERE tenant_id = p_tenant AND notes IS NOT NULL;
  UPDATE projects SET name = 'deleted', external_id = NULL, metadata = '{}', archived_at = coalesce(archived_at, v_now)
    WHERE tenant_id = p_tenant AND (name <> 'deleted' OR archived_at IS NULL);

  -- A truth that comes late may be booked meanwhile: rows are locked in the order of the ledger.
  UPDATE budgets SET deleted_at = coalesce(deleted_at, v_now), external_id = NULL, metadata = '{}',
    scope_value = CASE WHEN scope_kind = ANY (v_labels) AND scope_value <> '*' THEN 'deleted' ELSE scope_value END WHERE tenant_id = p_tenant;
  UPDATE limits SET deleted_at = coalesce(deleted_at, v_now), external_id = NULL, metadata = '{}',
    scope_value = CASE WHEN scope_kind = ANY (v_labels) AND scope_value <> '*' THEN 'deleted' ELSE scope_value END WHERE tenant_id = p_tenant;
  -- Closed without an event or a statement: there is nobody to tell. One whose end is not here yet would otherwise be closed by a worker then.
  PERFORM 1 FROM budget_periods WHERE tenant_id = p_tenant ORDER BY id FOR UPDATE;
  UPDATE budget_periods p SET opened_at = coalesce(p.opened_at, v_now), closed_at = coalesce(p.closed_at, v_now), stated = true, next_threshold = NULL,
    scope_value = CASE WHEN b.scope_kind = ANY (v_labels) THEN 'deleted:' || p.id ELSE p.scope_value END
    FROM budgets b WHERE p.tenant_id = p_tenant AND b.tenant_id = p.tenant_id AND b.id = p.budget_id
      AND (p.closed_at IS NULL OR NOT p.stated OR (b.scope_kind = ANY (v_labels) AND p.scope_value NOT LIKE 'deleted:%'));
  DELETE FROM limit_counters WHERE id = ANY (ARRAY(SELECT n.id FROM limit_counters n WHERE n.tenant_id = p_tenant AND n.open = 0 ORDER BY n.id FOR UPDATE));
  UPDATE grants SET reason = NULL WHERE tenant_id = p_tenant AND reason IS NOT NULL;
  UPDATE ledger_entries SET reason = NULL WHERE tenant_id = p_tenant AND reason IS NOT NULL;
  -- Who did what and when is kept; what it was about may name a person.
  UPDATE audit_log SET before = NULL, after = NULL, address = NULL WHERE tenant_id = p_tenant
    AND (before IS NOT NULL OR after IS NOT NULL OR address IS NOT NULL);
  DELETE FROM outbox WHERE tenant_id = p_tenant AND kind NOT LIKE 'tenant.%';
END $$;

-- Blanks up to p_limit calls, after one in the order of their admission (NULL: from the first). Answers the last one; NULL: there are no more.
CREATE FUNCTION erase_calls(p_tenant uuid, p_after_at timestamptz, p_after_id uuid, p_limit integer, OUT last_at timestamptz, OUT last_id uuid) LANGUAGE plpgsql
SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE v_ids uuid[]; v_at timestamptz[];
BEGIN
  PERFORM assert_every_tenant();
  IF NOT EXISTS (SELECT FROM tenants WHERE id = p_tenant AND deleted_at IS NOT NULL) THEN
    RAISE EXCEPTION 'the tenant % is not deleted', p_tenant;
  END IF;
  SELECT array_agg(c.id), array_agg(c.admitted_at) INTO v_ids, v_at FROM (
    SELECT id, admitted_at FROM calls WHERE tenant_id = p_tenant AND (p_after_at IS NULL OR (admitted_at, id) > (p_after_at, p_after_id))
    ORDER BY admitted_at, id LIMIT p_limit
  ) c;
  PERFORM 1 FROM holds WHERE id = ANY (v_ids) AND tenant_id = p_tenant ORDER BY id FOR NO KEY UPDATE;
  UPDATE calls c SET end_user = NULL, session = NULL, tags = '{}', scopes = '{}', plan = NULL FROM unnest(v_ids, v_at) AS t (id, at)
    WHERE c.tenant_id = p_tenant AND c.id = t.id AND c.admitted_at = t.at
      AND (c.end_user IS NOT NULL OR c.session IS NOT NULL OR c.tags <> '{}' OR c.scopes <> '{}' OR c.plan IS NOT NULL);
  UPDATE holds SET context = context - '{end_user,session,tags,scopes}'::text[] WHERE id = ANY (v_ids) AND tenant_id = p_tenant
    AND context ?| '{end_user,session,tags,scopes}';
  last_at := v_at[cardinality(v_at)];
  last_id := v_ids[cardinality(v_ids)];
END $$;
