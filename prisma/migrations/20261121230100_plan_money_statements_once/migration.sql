-- The statements inside take their batch as arrays. Postgres guesses that a plan for the arrays at hand is better than one for any, and so plans
-- them anew for each call: more than half of what a hold and a settlement of a single call cost it. The plans are the same.
DO $$
DECLARE f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN ('admit_batch', 'settle_batch') LOOP
    EXECUTE format('ALTER FUNCTION %s SET plan_cache_mode = force_generic_plan', f);
  END LOOP;
END $$;
