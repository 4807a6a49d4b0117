/** Whether this build has fault injection. The build for production removes it, and makes this false: see scripts/build.mjs. */
export const HAS_CRASH_POINTS: boolean = true;

/** The moments of a call, of a job and of the journal at which a test may inject a fault. */
export const CRASH_POINTS = [
  'after_auth',
  'claim_committed',
  'hold_sent',
  'hold_committed',
  'before_connect',
  'connected',
  'first_byte',
  'mid_stream',
  'upstream_end',
  'settle_sent',
  'settle_committed',
  'before_done',
  'after_done',
  'reap_sent',
  'roll_sent',
  'rolled',
  'journal_appended',
  'webhook_sent',
] as const;
export type CrashPoint = (typeof CRASH_POINTS)[number];

/** `kill`: as `kill -9` would. `throw`: an exception there. `uncaught`: an exception that nothing around it can catch. `reject`: a promise that is rejected and not awaited. */
export const CRASH_KINDS = ['kill', 'throw', 'uncaught', 'reject'] as const;

/** The fault of this process, and where. */
export interface Crash {
  point: CrashPoint;
  /** At which passing, from 1. */
  passing: number;
  kind: (typeof CRASH_KINDS)[number];
}
