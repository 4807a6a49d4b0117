-- A recent audit reads open periods a page at a time, and the newest closed ones. Neither index has a column that booking a call changes.
CREATE INDEX budget_periods_open_idx ON budget_periods (id) WHERE closed_at IS NULL;
CREATE INDEX budget_periods_closed_idx ON budget_periods (closed_at) WHERE closed_at IS NOT NULL;
