/** What has a default model, the nearest to a call first. */
export const DEFAULT_OWNERS = ['session', 'api_key', 'project', 'tenant', 'installation'] as const;
export type DefaultOwner = (typeof DEFAULT_OWNERS)[number];

/** What sets a call's output limit. */
export const LIMIT_SOURCES = ['client', 'api_key', 'model', 'default'] as const;
export type LimitSource = (typeof LIMIT_SOURCES)[number];
