/** The moments of a call, of a job and of the journal at which a test may inject a fault. */
export const CRASH_POINTS = [
  'after_auth',
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

let armed: Crash | null = null;
let passings = 0;

/** Fault injection, off unless WEIR_CRASH asks for it. */
export function armCrash(crash: Crash | null): void {
  armed = crash;
  passings = 0;
}

/** Does, once, what the tests want to see the consequences of. */
export function crashPoint(point: CrashPoint): void {
  if (armed === null || armed.point !== point || ++passings < armed.passing) return;
  const { kind } = armed;
  armed = null;
  if (kind === 'kill') process.kill(process.pid, 'SIGKILL');
  const error = new Error(`injected at ${point}`);
  if (kind === 'throw') throw error;
  if (kind === 'reject') void Promise.reject(error);
  if (kind === 'uncaught')
    setImmediate(() => {
      throw error;
    });
}

/** The same once what is being sent now has left for the server, and before it can have answered. */
export function crashOnceSent(point: CrashPoint): void {
  if (armed?.point === point) setImmediate(() => crashPoint(point));
}

/** The same when something has happened; costs nothing where no test asks for it. */
export function crashAfter(point: CrashPoint, emitter: { once(event: string, listener: () => void): unknown }, event: string): void {
  if (armed?.point === point) emitter.once(event, () => crashPoint(point));
}
