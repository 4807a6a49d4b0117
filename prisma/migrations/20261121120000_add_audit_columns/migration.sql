-- What the auditor needs to prove a period that was changed, or whose entries were archived.

-- archived: the sum of the ledger entries that were dropped with old partitions; archived_above: of those booked above their holds. most_allowed: the most a hard period was allowed to spend and
-- hold before its limit was lowered or its budget began to deny; NULL: never more than now.
ALTER TABLE budget_periods ADD COLUMN archived bigint NOT NULL DEFAULT 0, ADD COLUMN archived_above bigint NOT NULL DEFAULT 0,
  ADD COLUMN most_allowed bigint;

CREATE FUNCTION remember_allowance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.most_allowed := greatest(OLD.most_allowed, OLD.limit_nano + OLD.granted, CASE WHEN NOT OLD.hard THEN OLD.spent + OLD.held - OLD.aged END);
  RETURN NEW;
END $$;
-- Names its columns, so the statements of the money path do not run it.
CREATE TRIGGER budget_periods_allowance BEFORE UPDATE OF limit_nano, granted, hard ON budget_periods FOR EACH ROW
  WHEN (OLD.limit_nano + OLD.granted > NEW.limit_nano + NEW.granted OR OLD.hard <> NEW.hard) EXECUTE FUNCTION remember_allowance();
