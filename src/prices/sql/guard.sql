-- An operator's price is the tenant's last word on a provider: what would go before it, or looks like it, is refused.
CREATE OR REPLACE FUNCTION guard_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.source <> 'admin' OR EXISTS (
    SELECT FROM prices p WHERE p.tenant_id = NEW.tenant_id AND p.provider = NEW.provider AND p.model IN (NEW.model, '*') AND p.source = 'operator') THEN
    PERFORM refuse_platform_rule('An operator set what this costs. Only an operator may set another price: ask whoever runs this installation.');
  END IF;
  RETURN NEW;
END $$;
