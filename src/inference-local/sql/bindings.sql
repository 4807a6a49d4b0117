-- A tenant's admin binds client certificates only: whoever names networks and listeners says whose calls come from there.
CREATE OR REPLACE FUNCTION guard_network_binding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (TG_OP <> 'DELETE' AND NEW.kind <> 'client_certificate') OR (TG_OP <> 'INSERT' AND OLD.kind <> 'client_certificate') THEN
    PERFORM refuse_platform_rule('Only an operator binds networks and listeners: ask whoever runs this installation.');
  END IF;
  IF TG_OP = 'INSERT' THEN RETURN NEW; END IF;
  -- A binding is not removed to escape what is set on it.
  IF has_platform_rule(OLD.tenant_id, 'binding', 'bind_' || replace(OLD.id::text, '-', '')) THEN
    PERFORM refuse_platform_rule('An operator set a rule on this binding. Only an operator may remove it: ask whoever runs this installation.');
  END IF;
  IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
  RETURN NEW;
END $$;

-- What may no longer be used is told by itself: see tell_key_withdrawn. The id of a binding.
CREATE OR REPLACE FUNCTION tell_binding_withdrawn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('weir_config', OLD.tenant_id || ' ' || OLD.id);
  RETURN NULL;
END $$;
