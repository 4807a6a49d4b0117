-- A suspended tenant makes no new calls. A deleted one has no keys and no secrets left; erased_at says when the last personal field was blanked.
ALTER TABLE tenants ADD COLUMN suspended_at timestamptz, ADD COLUMN deleted_at timestamptz, ADD COLUMN erased_at timestamptz;
