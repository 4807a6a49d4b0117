import type { Nano } from '../kernel/money.js';
import type { Usage } from '../kernel/usage.js';

/** What is asked of the ledger before a call: money for its worst case, on every budget of its scopes. */
export interface HoldRequest {
  /** Made by the gateway; also the call's id. Repeating it is safe. */
  id: string;
  tenantId: string;
  /** Null: the price is unknown. */
  amount: Nano | null;
  scopes: readonly { kind: string; value: string }[];
  context: HoldContext;
}

/** What the ledger must know of a call to book it should its gateway die. */
export interface HoldContext {
  project: string;
  key: string;
  surface: string;
  stream: boolean;
  requested_model: string;
  provider: string;
  model: string;
  credential: string | null;
  price: string | null;
  /** Nano-USD per million tokens, by class; null when unpriced. */
  rates: Record<string, number> | null;
  /** A fair estimate of the prompt, for a call that nobody lives to meter. */
  input_tokens: number;
}

export type Verdict = 'held' | 'exceeded' | 'too_large' | 'busy' | 'unpriced';

/** The budget that stood in the way. Amounts in nano-USD. */
export interface Denial {
  budgetId: string;
  scopeKind: string;
  scopeValue: string;
  amount: Nano | null;
  limit: Nano;
  spent: Nano;
  held: Nano;
  headroom: Nano;
  /** Unix seconds; null: never. */
  resetsAt: number | null;
}

export interface HoldAnswer {
  verdict: Verdict;
  /** Least headroom over the call's budgets after the hold; null: it has none. */
  remaining: Nano | null;
  /** Present unless held. */
  denial: Denial | null;
}

/** One try at a provider. */
export interface Attempt {
  provider: string;
  credential: string | null;
  /** The provider's HTTP status; null when none came. */
  status: number | null;
  /** An error code, or null when it went well. */
  reason: string | null;
  latencyMs: number;
}

/** How a call ended. `settled`: something was used and is booked; `voided`: nothing was. */
export interface Settlement {
  id: string;
  state: 'settled' | 'voided';
  /** Null when voided, or when the price is unknown. */
  amount: Nano | null;
  status: 'completed' | 'cut' | 'failed';
  httpStatus: number;
  errorCode: string | null;
  finishReason: string | null;
  /** By our own meter, because the provider's numbers never came. */
  estimated: boolean;
  servedModel: string | null;
  attempts: Attempt[];
  firstByteMs: number | null;
  durationMs: number;
  usage: Usage;
  usageRaw: unknown;
  rates: Record<string, number> | null;
}
