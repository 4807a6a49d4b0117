-- How a call was routed and what was changed in it. NULL: a plain call, to the one model that it named.
ALTER TABLE calls ADD COLUMN plan jsonb;
ALTER TYPE outcome ADD ATTRIBUTE plan jsonb;
