import type { Config } from '../platform/config/index.js';

type Timeouts = Pick<Config['timeouts'], 'connectMs' | 'firstByteMs' | 'totalMs'>;

/** How long a hold lives without a heartbeat. */
export const LEASE_SECONDS = 30;
/** What `call_ends` in Postgres adds to a call's deadline, to book it. */
const GRACE_MS = 10_000;
/** Clocks of two machines do not tick alike, and a check takes a moment. */
const MARGIN_MS = 1_000;

/** How long a call may take, counted from its hold. After that and ten seconds more the reaper may book it as an estimate. */
export const deadlineMs = ({ connectMs, firstByteMs, totalMs }: Timeouts): number => connectMs + firstByteMs + totalMs;

/**
 * How old a hold may be when its request is written. A request takes `totalMs` at most, so one that is written in this time is over by the
 * deadline of its hold; and the hold still has its first lease.
 */
export const sendWithinMs = ({ connectMs, firstByteMs }: Timeouts): number =>
  Math.min(LEASE_SECONDS * 1_000, connectMs + firstByteMs + GRACE_MS) - MARGIN_MS;
