import {
  isBilled,
  isCounted,
  isGatewayTimeout,
  noFacts,
  type Refusal,
  type ReplyFacts,
  type StreamReader,
  type WholeReply,
} from '../../dialects/index.js';
import { WeirError } from '../../kernel/errors.js';
import type { Work } from '../../kernel/slices.js';
import type { Attempt } from '../../ledger/index.js';
import type { Failure } from './failure.js';
import type { Incoming } from './incoming.js';
import { SecretWatch } from './secret-watch.js';

/** Why a provider's final count did not come. Labels of a metric. */
export type Untold =
  /** Its provider was cut off when the client left. */
  | 'client_left'
  /** Too many providers were being drained. */
  | 'drain_refused'
  /** A drain took too long. */
  | 'drain_late'
  /** The connection broke. */
  | 'provider_broke'
  /** The provider reported a failure. */
  | 'provider_failed'
  | 'provider_silent'
  | 'output_limit'
  | 'shutdown'
  | 'unreadable'
  | 'exception'
  /** The process that served it is gone. */
  | 'gateway_lost'
  /** The answer is whole, and was not counted. */
  | 'not_counted';

/** How a call went, whatever happened. */
export interface Outcome {
  /** `completed`: the whole answer came. `cut`: part of it. `failed`: nothing of use. */
  status: 'completed' | 'cut' | 'failed';
  /** What the client is told; null when it got its answer, or is gone. */
  error: WeirError | null;
  /** The provider may have used, and may bill, something. */
  used: boolean;
  facts: ReplyFacts;
  attempts: Attempt[];
  /** What went wrong at the provider; null: nothing, or it is not the provider's. */
  failure: Failure | null;
  firstByteMs: number | null;
  /** The whole reply, where it is not streamed. */
  whole: WholeReply | null;
  /** What ends the stream, where it is. */
  reader: StreamReader | null;
  /** Whether the end of a stream repeats what the provider was shown. */
  repeatsSecret(tail: Buffer): Work<boolean>;
  /** Where the provider's final count is missing, why. */
  untold: Untold;
  /** How much the model was to think, as it was sent; null: nothing was said. */
  effort: string | null;
}

/** What is known of a call while it goes on. */
export type SoFar = Pick<Outcome, 'facts' | 'reader' | 'effort'>;

/** What is booked of a refusal: whether there is anything, and why its count is missing where it is. */
export function billOfRefusal(refusal: Refusal, { status, answers, facts }: Incoming): Pick<Outcome, 'used' | 'untold'> {
  if (answers) return { used: isBilled(refusal, facts), untold: 'provider_failed' };
  return isGatewayTimeout(status) ? { used: true, untold: 'provider_silent' } : { used: isCounted(facts), untold: 'provider_failed' };
}

/** Of a call that an exception ended. @param sent the provider may bill it, so it is booked, as an estimate. */
export const unforeseen = (cause: unknown, sent: boolean): Outcome => ({
  status: sent ? 'cut' : 'failed',
  error: cause instanceof WeirError ? cause : new WeirError('internal_error', { cause }),
  used: sent,
  facts: noFacts(),
  attempts: [],
  failure: null,
  firstByteMs: null,
  whole: null,
  reader: null,
  repeatsSecret: (tail) => new SecretWatch([]).search(tail),
  untold: 'exception',
  effort: null,
});

/** Of a request whose answer is not read while it comes. */
export const noSoFar = (): SoFar => ({ facts: noFacts(), reader: null, effort: null });
