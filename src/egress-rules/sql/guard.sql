-- A rule that an operator set for a tenant, or that is to look as if one did.
CREATE OR REPLACE FUNCTION guard_egress_rule() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (TG_OP <> 'DELETE' AND NEW.set_by = 'operator') OR (TG_OP <> 'INSERT' AND OLD.set_by = 'operator') THEN
    PERFORM refuse_platform_rule('An operator set this egress rule. Only an operator may change or remove it: ask whoever runs this installation.');
  END IF;
  RETURN coalesce(NEW, OLD);
END $$;
