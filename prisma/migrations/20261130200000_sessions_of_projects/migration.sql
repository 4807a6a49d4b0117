-- A session belongs to its project. Defaults that were set before are those of each project of their tenant.
ALTER TABLE sessions ADD COLUMN project_id uuid, DROP CONSTRAINT sessions_pkey;
INSERT INTO sessions (tenant_id, project_id, id, default_model, thinking_level, created_at, used_at)
  SELECT s.tenant_id, p.id, s.id, s.default_model, s.thinking_level, s.created_at, s.used_at FROM sessions s JOIN projects p ON p.tenant_id = s.tenant_id;
DELETE FROM sessions WHERE project_id IS NULL;
ALTER TABLE sessions ALTER COLUMN project_id SET NOT NULL, ADD PRIMARY KEY (tenant_id, project_id, id),
  ADD FOREIGN KEY (tenant_id, project_id) REFERENCES projects (tenant_id, id);

-- has_sessions: a session of it was given defaults once. Calls of other projects need not look for them.
ALTER TABLE projects ADD COLUMN has_sessions boolean NOT NULL DEFAULT false;
UPDATE projects p SET has_sessions = true WHERE EXISTS (SELECT FROM sessions s WHERE s.tenant_id = p.tenant_id AND s.project_id = p.id);
