-- A platform provider that an operator made, or whose key or address one changed. A start, which saves and destroys what the environment has and
-- has no more, leaves it alone. False for those found in the environment, and for tenants' own.
ALTER TABLE providers ADD COLUMN by_operator boolean NOT NULL DEFAULT false;
