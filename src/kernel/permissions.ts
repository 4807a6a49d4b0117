/** What a person or an admin key is in its tenant. */
export const ROLES = ['owner', 'admin', 'billing', 'approver', 'developer', 'viewer'] as const;
export type Role = (typeof ROLES)[number];

export type Verb = 'read' | 'write';

const EVERYBODY: readonly Role[] = ROLES;
const ADMINS: readonly Role[] = ['owner', 'admin'];

/**
 * Who may do what in a tenant: each resource of the admin REST, who may read it and who may write it. Operators may do everything.
 * A route names its resource with `@Access`; a GET reads and what is not a GET writes, unless the route says otherwise.
 */
export const PERMISSIONS = {
  admin_keys: { read: ADMINS, write: ADMINS },
  api_keys: { read: EVERYBODY, write: [...ADMINS, 'developer'] },
  audit_logs: { read: ADMINS, write: [] },
  approvals: { read: EVERYBODY, write: [...ADMINS, 'approver'] },
  budgets: { read: EVERYBODY, write: ADMINS },
  calls: { read: EVERYBODY, write: [] },
  egress_rules: { read: EVERYBODY, write: ADMINS },
  inference: { read: EVERYBODY, write: ADMINS },
  models: { read: EVERYBODY, write: ADMINS },
  people: { read: ADMINS, write: ADMINS },
  prices: { read: EVERYBODY, write: [...ADMINS, 'billing'] },
  projects: { read: EVERYBODY, write: ADMINS },
  providers: { read: EVERYBODY, write: ADMINS },
  rate_limits: { read: EVERYBODY, write: ADMINS },
  routes: { read: EVERYBODY, write: ADMINS },
  settings: { read: EVERYBODY, write: ADMINS },
  webhooks: { read: ADMINS, write: ADMINS },
  single_sign_on: { read: ADMINS, write: ['owner'] },
  usage: { read: EVERYBODY, write: [] },
} as const satisfies Record<string, Record<Verb, readonly Role[]>>;

export type Resource = keyof typeof PERMISSIONS;

/** Whether one with a role may make another one with that role, or change it. Nobody makes more than itself. */
export const mayAssign = (own: Role, other: Role): boolean => own === 'owner' || (own === 'admin' && other !== 'owner');

export const rolesFor = (resource: Resource, verb: Verb): readonly Role[] => PERMISSIONS[resource][verb];
