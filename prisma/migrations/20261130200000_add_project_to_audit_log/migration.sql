-- project_id: of what was changed; NULL: it is of no project.
ALTER TABLE audit_log ADD COLUMN project_id uuid;
CREATE INDEX audit_log_project_idx ON audit_log (project_id, id);
