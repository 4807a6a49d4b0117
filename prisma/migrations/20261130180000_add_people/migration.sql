-- Persons who sign in. tenant_id NULL: an operator of the platform. project_id: the only project the person sees; NULL: all of the tenant. password: in
-- PHC format; NULL: none. totp_secret is sealed; it asks for codes once it is confirmed, and takes none of a step up to totp_last_step. recovery_codes
-- are digests. subject: who the person is at the tenant's identity provider. external_id: what the tenant's directory calls it.
CREATE TABLE people (
  id                uuid PRIMARY KEY,
  tenant_id         uuid REFERENCES tenants (id),
  project_id        uuid,
  email             text NOT NULL,
  name              text NOT NULL,
  role              text NOT NULL CHECK (role IN ('operator', 'owner', 'admin', 'billing', 'approver', 'developer', 'viewer')),
  password          text,
  totp_secret       bytea,
  totp_confirmed_at timestamptz,
  totp_last_step    bigint,
  recovery_codes    bytea[] NOT NULL DEFAULT '{}',
  subject           text,
  external_id       text,
  created_at        timestamptz NOT NULL,
  disabled_at       timestamptz,
  FOREIGN KEY (tenant_id, project_id) REFERENCES projects (tenant_id, id),
  CHECK ((tenant_id IS NULL) = (role = 'operator')),
  CHECK (project_id IS NULL OR role IN ('developer', 'viewer')),
  CHECK (totp_confirmed_at IS NULL OR totp_secret IS NOT NULL)
);
CREATE UNIQUE INDEX people_email_key ON people (tenant_id, email) NULLS NOT DISTINCT;
CREATE UNIQUE INDEX people_subject_key ON people (tenant_id, subject);
CREATE INDEX people_email_idx ON people (email);

-- Who is signed in. digest: of the secret in the cookie. confirmed: with a second factor.
CREATE TABLE admin_sessions (
  id           uuid PRIMARY KEY,
  tenant_id    uuid REFERENCES tenants (id),
  person_id    uuid NOT NULL REFERENCES people (id) ON DELETE CASCADE,
  digest       bytea NOT NULL UNIQUE,
  method       text NOT NULL CHECK (method IN ('password', 'sso', 'link')),
  confirmed    boolean NOT NULL,
  address      text NOT NULL,
  user_agent   text,
  created_at   timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL,
  expires_at   timestamptz NOT NULL
);
CREATE INDEX admin_sessions_person_idx ON admin_sessions (person_id, id);

-- Invitations to become a member of a tenant, or an operator (tenant_id NULL). digest: of the secret in the link.
CREATE TABLE invites (
  id          uuid PRIMARY KEY,
  tenant_id   uuid REFERENCES tenants (id),
  project_id  uuid,
  email       text NOT NULL,
  role        text NOT NULL CHECK (role IN ('operator', 'owner', 'admin', 'billing', 'approver', 'developer', 'viewer')),
  digest      bytea NOT NULL UNIQUE,
  created_by  text NOT NULL,
  created_at  timestamptz NOT NULL,
  expires_at  timestamptz NOT NULL,
  accepted_at timestamptz,
  revoked_at  timestamptz,
  FOREIGN KEY (tenant_id, project_id) REFERENCES projects (tenant_id, id),
  CHECK ((tenant_id IS NULL) = (role = 'operator')),
  CHECK (project_id IS NULL OR role IN ('developer', 'viewer'))
);
CREATE INDEX invites_owner_idx ON invites (tenant_id, id);

-- Links that sign a person in once. person_id NULL: whoever redeems it becomes the first operator.
CREATE TABLE sign_in_links (
  digest     bytea PRIMARY KEY,
  tenant_id  uuid REFERENCES tenants (id),
  person_id  uuid REFERENCES people (id) ON DELETE CASCADE,
  expires_at timestamptz NOT NULL
);

-- Sign-in through a tenant's identity provider. roles: by the value of the claim. required: the tenant's people sign in no other way. A deleted one keeps
-- its row, so that its version never comes back.
CREATE TABLE single_sign_on (
  tenant_id       uuid PRIMARY KEY REFERENCES tenants (id),
  issuer          text NOT NULL,
  client_id       text NOT NULL,
  client_secret   bytea,
  allowed_domains text[] NOT NULL,
  role_claim      text,
  roles           jsonb NOT NULL,
  default_role    text,
  creates_people  boolean NOT NULL,
  required        boolean NOT NULL,
  version         integer NOT NULL DEFAULT 1,
  updated_at      timestamptz NOT NULL,
  deleted_at      timestamptz
);

SELECT isolate_tenants('people');
SELECT isolate_tenants('admin_sessions');
SELECT isolate_tenants('invites');
SELECT isolate_tenants('sign_in_links');
SELECT isolate_tenants('single_sign_on');

CREATE TRIGGER people_audited AFTER INSERT OR UPDATE OR DELETE ON people FOR EACH ROW
  EXECUTE FUNCTION note_audit('person');
CREATE TRIGGER invites_audited AFTER INSERT OR UPDATE OR DELETE ON invites FOR EACH ROW
  EXECUTE FUNCTION note_audit('invite');
CREATE TRIGGER single_sign_on_audited AFTER INSERT OR UPDATE OR DELETE ON single_sign_on FOR EACH ROW
  EXECUTE FUNCTION note_audit('single_sign_on', 'tenant_id');
-- Who is signed in anew by it is an event of its own.
CREATE TRIGGER sign_in_links_audited AFTER INSERT ON sign_in_links FOR EACH ROW
  EXECUTE FUNCTION note_audit('sign_in_link', 'person_id');
