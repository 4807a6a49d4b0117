/** The moments of a call, of a job and of the journal at which a test may end the process as `kill -9` would. */
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

/** Where this process is to die. */
export interface Crash {
  point: CrashPoint;
  /** At which passing, from 1. */
  passing: number;
}

let armed: Crash | null = null;
let passings = 0;

/** Fault injection, off unless WEIR_CRASH asks for it. */
export function armCrash(crash: Crash | null): void {
  armed = crash;
  passings = 0;
}

/** Ends this process at once where the tests want to see what is left behind. */
export function crashPoint(point: CrashPoint): void {
  if (armed === null || armed.point !== point || ++passings < armed.passing) return;
  process.kill(process.pid, 'SIGKILL');
}

/** The same once what is being sent now has left for the server, and before it can have answered. */
export function crashOnceSent(point: CrashPoint): void {
  if (armed?.point === point) setImmediate(() => crashPoint(point));
}

/** The same when something has happened; costs nothing where no test asks for it. */
export function crashAfter(point: CrashPoint, emitter: { once(event: string, listener: () => void): unknown }, event: string): void {
  if (armed?.point === point) emitter.once(event, () => crashPoint(point));
}
