-- What an admin key may do, where, and from which addresses. role: of a tenant's; an operator's key may do everything. project_id: the only project it
-- works in; NULL: all. cidrs: networks such as 10.1.0.0/16; * stands for all.
ALTER TABLE admin_keys
  ADD COLUMN role text NOT NULL DEFAULT 'owner' CHECK (role IN ('owner', 'admin', 'billing', 'approver', 'developer', 'viewer')),
  ADD COLUMN project_id uuid,
  ADD COLUMN cidrs text[] NOT NULL DEFAULT '{*}',
  ADD FOREIGN KEY (tenant_id, project_id) REFERENCES projects (tenant_id, id),
  ADD CHECK (project_id IS NULL OR tenant_id IS NOT NULL),
  ADD CHECK (role <> 'developer' OR project_id IS NOT NULL);
