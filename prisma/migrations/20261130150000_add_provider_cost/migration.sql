-- What an attempt costs its provider's payer, beside what is charged for it. NULL: unknown, or an entry that changes the charge alone.
-- lent: the platform is the payer. NULL: booked before that was noted.
ALTER TABLE ledger_entries ADD COLUMN provider_cost bigint, ADD COLUMN lent boolean;

-- provider_cost: the sum of that of the period's entries. archived_cost: of those that went with dropped months.
ALTER TABLE budget_periods ADD COLUMN provider_cost bigint NOT NULL DEFAULT 0, ADD COLUMN archived_cost bigint NOT NULL DEFAULT 0;

ALTER TYPE outcome ADD ATTRIBUTE provider_cost bigint;
