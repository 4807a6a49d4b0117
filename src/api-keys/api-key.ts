import type { Nano } from '../kernel/money.js';
import type { DefaultOwner } from '../kernel/plan-sources.js';
import type { ThinkingLevel } from '../kernel/thinking.js';

/** A tenant's key for inference. The key itself is shown once, when it is made. */
export interface ApiKey {
  id: string;
  tenantId: string;
  projectId: string;
  name: string;
  last4: string;
  /** Model references the key may use; `*` stands for all, an empty list for none. */
  models: readonly string[];
  /** Endpoints it may call; `*` stands for all, an empty list for none. */
  endpoints: readonly string[];
  /** Networks it may be used from; `*` stands for all. */
  cidrs: readonly string[];
  /** The most output tokens a call may ask for; null: no limit of its own. */
  maxOutputTokens: number | null;
  /** The most one call may cost, in nano-USD; null: no limit of its own. */
  maxCallNano: bigint | null;
  /** `shrink`: lower a call's output limit to what its budgets still allow, instead of refusing it. */
  fit: string | null;
  /** How much models are to think for calls that do not say; null: as the provider does. */
  thinkingLevel: string | null;
  /** The model of calls that name none; null: that of its project. */
  defaultModel: string | null;
  /** `drop`: what the provider of a call cannot do at all is left out with a warning, instead of refusing the call. */
  unsupported: string | null;
  metadata: unknown;
  createdBy: string;
  /** `operator`: the tenant can rotate it, and neither change nor revoke it. */
  setBy: string;
  createdAt: Date;
  expiresAt: Date | null;
  /** Since when it may not be used for now. */
  disabledAt: Date | null;
  /** To about a minute. */
  lastUsedAt: Date | null;
  revokedAt: Date | null;
  /** How long its value from before the last rotation works. */
  previousUntil: Date | null;
}

/** What a budget can be set on. The value is a public id. */
interface Scope {
  kind: 'tenant' | 'project' | 'api_key' | 'binding';
  value: string;
}

/** Who is calling: a verified key, or a network identity that is bound to a tenant. */
export interface Caller {
  tenantId: string;
  projectId: string;
  /** Of a call without a key, the id of its binding. */
  apiKeyId: string;
  keyName: string;
  /** Null: any model. */
  models: ReadonlySet<string> | null;
  /** Null: any endpoint. */
  endpoints: ReadonlySet<string> | null;
  maxOutputTokens: number | null;
  maxCallCost: Nano | null;
  shrinksToFit: boolean;
  thinkingLevel: ThinkingLevel | null;
  dropsUnsupported: boolean;
  /** The model of calls that name none: the key's own, else its project's, else its tenant's. Null: there is none. */
  defaultModel: string | null;
  defaultModelFrom: DefaultOwner | null;
  /** Sessions of its project may have defaults. */
  hasSessions: boolean;
  /** What a call of unknown price is held and booked for under a hard budget; null: it is refused. */
  unpricedCallCost: Nano | null;
  /** Answers of its calls with an `Idempotency-Key` are kept for repeats. */
  keepsAnswers: boolean;
  /** The scopes whose budgets its calls count against. */
  scopes: readonly Scope[];
}
