import type { Nano } from '../kernel/money.js';
import type { Usage } from '../kernel/usage.js';

/** What is asked of the ledger before a call: money for its worst case, on every budget of its scopes. */
export interface HoldRequest {
  /** Made by the gateway; of a first attempt also the call's id. Repeating it is safe. */
  id: string;
  tenantId: string;
  /** Null: the price is unknown. */
  amount: Nano | null;
  /** The headroom that every hard budget must have; absent: the amount. */
  wanted?: Nano | null;
  /** The most tokens the call may use, as limits on tokens count it. */
  tokens: number;
  scopes: readonly Scope[];
  context: HoldContext;
  /** May hold it beyond its budgets. */
  approval?: PresentedApproval | null;
}

/** An approval that a request named. fingerprint: digest of what is asked for, which must be what was approved. */
export interface PresentedApproval {
  id: string;
  fingerprint: Buffer;
}

/** What a call that is held was held for: enough to book it should Postgres lose the hold. */
export type HeldFacts = Pick<HoldRequest, 'tenantId' | 'amount' | 'scopes' | 'context'>;

/** One of the things a call is counted by. Values are opaque and belong to the tenant. */
export interface Scope {
  kind: string;
  value: string;
}

/** What the ledger must know of a call to book it should its gateway die. */
export interface HoldContext {
  /** How long the call may take, from its hold on, by the time-outs it is made with. */
  deadline_ms: number;
  /** Of a later attempt: the id of the call, which is that of the hold of its first attempt. */
  call?: string;
  /** Of a later attempt: its number, from 2. */
  attempt?: number;
  project: string;
  key: string;
  surface: string;
  stream: boolean;
  requested_model: string;
  provider: string;
  /** The provider's record: its name can mean another one later. */
  provider_id: string;
  /** The platform's own record: the platform pays for the call. */
  lent: boolean;
  model: string;
  credential: string | null;
  price: string | null;
  /** Nano-USD per million tokens, by class; null when unpriced. */
  rates: Record<string, number> | null;
  /** A fair estimate of the prompt. */
  input_tokens: number;
  /** The most tokens of output, of all answers together. */
  output_tokens: number;
  /** Nano-USD to book should the gateway be lost, where there are rates and no amount is held. */
  estimate?: string;
  end_user?: string;
  session?: string;
  tags?: readonly string[];
  scopes?: readonly string[];
}

/** What is to be booked of a call in flight, should nothing more be heard of it. */
export interface Checkpoint {
  inputTokens: number;
  outputTokens: number;
  /** Null: the price is unknown. */
  amount: Nano | null;
}

/** What is noted of a call in flight, should nothing more be heard of it. */
export interface FlightNote {
  /** Of its hold. */
  id: string;
  /** False: nothing is under way at a provider, so nothing is to be booked. */
  isSent: boolean;
  /** What is to be booked; null: all that is held. */
  checkpoint: Checkpoint | null;
  /** Those of its hold, with the one under way. */
  attempts: readonly Attempt[];
}

/** A call that was resolved because its gateway was lost. */
export interface ReapedCall {
  id: string;
  /** It was sent, or may have been. */
  isBooked: boolean;
  /** Null: nothing, or of unknown price. */
  amount: Nano | null;
  held: Nano | null;
}

/** What came of booking a call. */
export interface Booking {
  /** It is in Postgres or in the journal. Otherwise nobody may be told that the call is complete. */
  safe: boolean;
  /** It is in Postgres. */
  booked: boolean;
  /** Least headroom over the call's hard budgets once it was booked; null: it has none, or it is not booked in Postgres yet. */
  remaining: Nano | null;
}

/** What an attempt of a call was booked for, all its entries together. */
export interface BookedCall {
  callId: string;
  /** From 1. */
  attempt: number;
  /** As Postgres writes it, which keeps the microseconds. */
  admittedAt: string;
  provider: string;
  /** The record it was made with; null: it is not known, of a call from before records were noted, or that went on to another provider. */
  providerId: string | null;
  /** Whether the platform pays for it; null: likewise not known. */
  lent: boolean | null;
  model: string;
  usage: Usage;
  /** Null: its price was unknown. */
  charged: Nano | null;
  /** What it was booked for before corrections, and the rates as they are stored; null: its price was unknown. */
  booked: Nano | null;
  rates: Record<string, number> | null;
  /** Corrections so far. */
  adjustments: number;
}

/** A correction of what an attempt of a call was booked for. */
export interface Adjustment {
  callId: string;
  attempt: number;
  /** As Postgres writes it, which keeps the microseconds. */
  admittedAt: string;
  /** From 1; a number that has been used is not used again. */
  number: number;
  /** The difference in nano-USD. */
  amount: Nano;
  priceId: string;
  rates: Record<string, number>;
}

/** One try at a provider. */
export interface Attempt {
  provider: string;
  model: string;
  credential: string | null;
  /** The provider's HTTP status; null when none came. */
  status: number | null;
  /** An error code, or null when it went well. */
  reason: string | null;
  /** Null: it was under way when its gateway was lost. */
  latencyMs: number | null;
  /** What it was booked for; null: its price is unknown. Absent: it cost nothing. */
  amount?: Nano | null;
}

/** How an attempt of a call ended. `settled`: something was used and is booked; `voided`: nothing was. */
export interface Settlement {
  /** Of its hold. */
  id: string;
  state: 'settled' | 'voided';
  /** What is charged. Null when voided, or when the price is unknown. */
  amount: Nano | null;
  /** What the provider takes for it. Null when voided, or when it is unknown. */
  providerCost: Nano | null;
  status: 'completed' | 'cut' | 'failed';
  httpStatus: number;
  errorCode: string | null;
  finishReason: string | null;
  /** By our own meter, because the provider's numbers never came. */
  estimated: boolean;
  servedModel: string | null;
  /** The call goes on to another attempt, which is counted by its limits again: they get the request of this one back. */
  moved?: boolean;
  /** Which credential served it in the end; absent: the one it was held for. */
  credential?: string | null | undefined;
  /** Of the call so far. None: those that are known of it stay. */
  attempts: Attempt[];
  firstByteMs: number | null;
  durationMs: number;
  usage: Usage;
  usageRaw: unknown;
  rates: Record<string, number> | null;
  /** How the call was routed and what was changed in it. Absent: nothing of note; what is known of it stays. */
  plan?: object | undefined;
}
