import type { Crash, CrashPoint } from './points.js';

export { CRASH_POINTS, type Crash, type CrashPoint } from './points.js';

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
