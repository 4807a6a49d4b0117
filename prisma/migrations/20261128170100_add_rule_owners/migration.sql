-- Who set a rule on a tenant: an operator of the platform, or the tenant itself. What an operator set is the platform's rule: the tenant sees it and
-- cannot change it. (Prices say so already, by their source.)
--
-- Budgets and limits from before do not say who made them: they count as the platform's, so that no cap is lifted by the update. An operator hands
-- one over with set_by. Processes of the version before make rules without saying whose, and for them the same holds.
ALTER TABLE budgets ADD COLUMN set_by text NOT NULL DEFAULT 'operator';
ALTER TABLE limits ADD COLUMN set_by text NOT NULL DEFAULT 'operator';

-- Keys say who made them.
ALTER TABLE api_keys ADD COLUMN set_by text NOT NULL DEFAULT 'tenant';
UPDATE api_keys k SET set_by = 'operator' FROM admin_keys a WHERE a.tenant_id IS NULL AND k.created_by = 'akey_' || replace(a.id::text, '-', '');

ALTER TABLE budgets ADD CONSTRAINT budgets_set_by_check CHECK (set_by IN ('operator', 'tenant'));
ALTER TABLE limits ADD CONSTRAINT limits_set_by_check CHECK (set_by IN ('operator', 'tenant'));
ALTER TABLE api_keys ADD CONSTRAINT api_keys_set_by_check CHECK (set_by IN ('operator', 'tenant'));
