/** What a call is counted by. The first four are ids; the others are names, of ours or the tenant's own. */
export const SCOPE_KINDS = ['tenant', 'project', 'api_key', 'binding', 'end_user', 'session', 'model', 'provider', 'tag', 'scope'] as const;
export type ScopeKind = (typeof SCOPE_KINDS)[number];

/** As people read it. */
export const scopeText = ({ scopeKind, scopeValue }: { scopeKind: string; scopeValue: string }): string =>
  `${scopeKind.replace('_', ' ')} ${scopeValue}`;

/** As a scope value: a counter of its own for each value that is seen. */
export const EACH = '*';
