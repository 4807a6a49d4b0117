-- Tells of a call that cost more than was held for it, once, and of one that was served without a price: once per provider, model and day (UTC). Who tells of
-- the same model at this moment is not waited for: it tells it for both.
CREATE OR REPLACE FUNCTION tell_of_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_key text := CASE WHEN NEW.kind = 'overrun' THEN 'call.overrun:' || NEW.call_id || ':' || NEW.attempt
    ELSE concat_ws(':', 'price.unknown', NEW.tenant_id, (weir_now() AT TIME ZONE 'UTC')::date, NEW.provider, NEW.model) END;
BEGIN
  IF NEW.kind <> 'overrun' AND (EXISTS (SELECT FROM outbox o WHERE o.dedupe_key = v_key) OR NOT pg_try_advisory_xact_lock(hashtextextended(v_key, 0))) THEN
    RETURN NULL;
  END IF;
  INSERT INTO outbox (tenant_id, kind, dedupe_key, payload)
    VALUES (NEW.tenant_id, split_part(v_key, ':', 1), v_key, jsonb_build_object('call_id', NEW.call_id, 'provider', NEW.provider, 'model', NEW.model)
      || CASE WHEN NEW.kind = 'overrun' THEN jsonb_build_object('project_id', NEW.project_id, 'api_key_id', NEW.api_key_id, 'overrun_nano', NEW.amount::text)
         ELSE '{}' END)
    ON CONFLICT (dedupe_key) DO NOTHING;
  RETURN NULL;
END $$;
