-- What the platform pays for, only an operator corrects. A call from before its payer was noted counts as the platform's if the platform ever had a
-- provider of that name: no tenant is to take back what the platform paid.

-- Runs as the owner: a tenant's session does not see the platform's records.
CREATE FUNCTION had_platform_provider(p_name text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
  SELECT EXISTS (SELECT FROM providers p WHERE p.tenant_id IS NULL AND p.name = p_name)
$$;

CREATE FUNCTION is_platform_paid(p_lent boolean, p_provider text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT coalesce(p_lent, had_platform_provider(p_provider))
$$;

CREATE FUNCTION guard_adjustment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE v_lent boolean;
BEGIN
  SELECT c.lent INTO v_lent FROM calls c WHERE c.tenant_id = NEW.tenant_id AND c.id = NEW.call_id AND c.admitted_at = NEW.admitted_at;
  IF is_platform_paid(v_lent, NEW.provider) THEN
    PERFORM refuse_platform_rule('The platform paid for this call, or may have. Only an operator may price it again: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER ledger_entries_adjustment_guarded BEFORE INSERT ON ledger_entries FOR EACH ROW
  WHEN (NEW.kind = 'adjustment' AND weir_is_tenant_admin()) EXECUTE FUNCTION guard_adjustment();
