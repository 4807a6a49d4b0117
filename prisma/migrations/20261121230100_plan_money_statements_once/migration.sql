-- The statements inside take their batch as arrays. Postgres guesses that a plan for the arrays at hand is better than one for any, and so plans
-- them anew each time: half of what the hold and the settlement of a single call cost it. The plans are the same.
-- What is planned once must serve tables that have grown since: they are found by their indexes, also while they are small.
DO $$
DECLARE f regprocedure;
BEGIN
  FOR f IN SELECT p.oid FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace AND p.proname IN ('admit_batch', 'settle_batch') LOOP
    EXECUTE format('ALTER FUNCTION %s SET plan_cache_mode = force_generic_plan', f);
    EXECUTE format('ALTER FUNCTION %s SET enable_seqscan = off', f);
  END LOOP;
END $$;
