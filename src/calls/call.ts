import { publicId } from '../kernel/ids.js';
import { formatUsd, type Nano } from '../kernel/money.js';
import type { Setter } from '../kernel/setter.js';
import { showUsage, type Usage } from '../kernel/usage.js';
import { unixSeconds } from '../platform/openapi/index.js';

export const CALL_STATUSES = ['completed', 'cut', 'failed'] as const;
export type CallStatus = (typeof CALL_STATUSES)[number];

/** One try at a provider, as it was booked. */
interface BookedAttempt {
  provider: string;
  /** Absent: it was booked before models were noted. */
  model?: string;
  credential: string | null;
  status: number | null;
  reason: string | null;
  /** Null: it was under way when its gateway was lost. */
  latency_ms: number | null;
  /** Nano-USD; null: its price was unknown. Absent: it cost nothing. */
  amount?: string | null;
}

/** A call that is over, with the sums of its ledger entries. */
export interface CallRecord {
  tenantId: string;
  id: string;
  admittedAt: Date;
  projectId: string;
  apiKeyId: string;
  /** Whom it was made for, in the tenant's own words; null: not said. */
  endUser: string | null;
  session: string | null;
  tags: readonly string[];
  scopes: readonly string[];
  surface: string;
  stream: boolean;
  requestedModel: string;
  servedModel: string | null;
  provider: string;
  /** The provider is the platform's own, which pays it; null: it was booked before that was noted. */
  lent: boolean | null;
  status: CallStatus;
  httpStatus: number;
  errorCode: string | null;
  finishReason: string | null;
  /** Metered by Weir, because the provider's numbers never came. */
  estimated: boolean;
  attempts: readonly BookedAttempt[];
  firstByteMs: number | null;
  durationMs: number | null;
  usage: Usage;
  /** The provider's own usage object; null: it reported none. */
  usageRaw: unknown;
  /** All its entries together: usage, overrun and later corrections. Null: the price was unknown. */
  cost: Nano | null;
  /** What its providers take for it, and what of that the tenant itself pays. Null: unknown, or nothing of it. */
  providerCost: Nano | null;
  ownProviderCost: Nano | null;
}

const usdOrNull = (amount: Nano | null): string | null => (amount === null ? null : formatUsd(amount));

/** Milliseconds with three decimals at most. */
const toMicroseconds = (ms: number): number => Math.round(ms * 1000) / 1000;

export const renderAttempt = ({ provider, model, credential, status, reason, latency_ms, amount }: BookedAttempt) => ({
  provider,
  ...(model !== undefined && { model }),
  credential_id: credential && publicId('credential', credential),
  status,
  reason,
  latency_ms: latency_ms === null ? null : toMicroseconds(latency_ms),
  ...(amount !== undefined && { cost: amount === null ? null : formatUsd(BigInt(amount) as Nano) }),
});

/** A call as the public and the admin API show it. What the platform pays for it is the operator's to know. */
export const renderCall = (call: CallRecord, viewer: Setter) => ({
  id: publicId('call', call.id),
  object: 'call' as const,
  created_at: unixSeconds(call.admittedAt),
  status: call.status,
  http_status: call.httpStatus,
  error_code: call.errorCode,
  surface: call.surface,
  stream: call.stream,
  requested_model: call.requestedModel,
  served_model: call.servedModel,
  provider: call.provider,
  lent: call.lent,
  finish_reason: call.finishReason,
  project_id: publicId('project', call.projectId),
  api_key_id: publicId('apiKey', call.apiKeyId),
  end_user: call.endUser,
  session: call.session,
  tags: [...call.tags],
  scopes: [...call.scopes],
  usage: showUsage(call.usage, 'call'),
  cost: usdOrNull(call.cost),
  provider_cost: usdOrNull(viewer === 'operator' ? call.providerCost : call.ownProviderCost),
  currency: 'usd' as const,
  estimated: call.estimated,
  attempts: call.attempts.map(renderAttempt),
  first_byte_ms: call.firstByteMs === null ? null : toMicroseconds(call.firstByteMs),
  duration_ms: call.durationMs === null ? null : toMicroseconds(call.durationMs),
});
