-- Periods that end together are rolled one after the other, in the order of their ids: an index without the id had to read them all each time.
DROP INDEX budget_periods_unclosed_idx;
CREATE INDEX budget_periods_unclosed_idx ON budget_periods (ends_at, id) WHERE closed_at IS NULL;
DROP INDEX budget_periods_unopened_idx;
CREATE INDEX budget_periods_unopened_idx ON budget_periods (starts_at, id) WHERE opened_at IS NULL;
