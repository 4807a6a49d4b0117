-- What somebody sets or decides of these is in the audit log too.
CREATE TRIGGER egress_rules_audited AFTER INSERT OR UPDATE OR DELETE ON egress_rules FOR EACH ROW
  EXECUTE FUNCTION note_audit('egress_rule');
CREATE TRIGGER webhooks_audited AFTER INSERT OR UPDATE OR DELETE ON webhooks FOR EACH ROW
  EXECUTE FUNCTION note_audit('webhook');
-- A decision, and not that a call asks, uses it or comes too late.
CREATE TRIGGER approvals_audited AFTER UPDATE OF decided_by ON approvals FOR EACH ROW
  EXECUTE FUNCTION note_audit('approval');
