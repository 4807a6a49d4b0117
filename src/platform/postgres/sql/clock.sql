-- Postgres time decides; tests replace this function to move the clock.
CREATE OR REPLACE FUNCTION weir_now() RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT now() $$;
