import { setTimeout as delay } from 'node:timers/promises';
import type { Logger } from '../telemetry/index.js';

/** How long a start waits for a Postgres that recovers or is being started again. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 1_000;
/** How long what is under way may still take after a signal. */
const ABORT_MS = 15_000;

/** Postgres' words for starting up, recovering and stopping, for a broken connection and for too many of them; Prisma's; the system's. */
const AWAY = /^(57P0[123]|08.{3}|53300|P1001|P1017|ECONN(REFUSED|RESET|ABORTED)|EPIPE|EAI_AGAIN)$/;
/** pg's own errors have no code. A pool has connected before: where it gets no connection in time, the server is busy. */
const BROKEN = /^(Connection terminated|Client has encountered a connection error|timeout exceeded when trying to connect)/;
/** Prisma's adapter tells a kind of its own. */
const UNREACHABLE = /^(DatabaseNotReachable|ConnectionClosed)$/;

/** Whether Postgres is away for the moment, by this error or what caused it. One that takes connections and is silent is not: it may be the wrong server. */
export function isPostgresAway(error: unknown): boolean {
  for (
    let depth = 0, one = error as Partial<Record<'code' | 'message' | 'kind' | 'cause', unknown>> | undefined;
    one && depth < 5;
    depth++
  ) {
    const [code, message, kind] = [one.code, one.message, one.kind].map(String);
    if (AWAY.test(code!) || UNREACHABLE.test(kind!) || (one.code === undefined && BROKEN.test(message!))) return true;
    one = one.cause as typeof one;
  }
  return false;
}

/**
 * Does work that needs Postgres. While Postgres is away the work is begun anew each second, for 30 seconds; a log line says so each time.
 * @param signal gives up the waiting. @throws what the work threw last.
 */
export async function patiently<T>(work: () => Promise<T>, log: Logger, signal?: AbortSignal): Promise<T> {
  const startedAt = performance.now();
  for (;;) {
    try {
      return await unlessAborted(work(), signal);
    } catch (error) {
      const waitedMs = performance.now() - startedAt;
      if (!isPostgresAway(error) || waitedMs > PATIENCE_MS || signal?.aborted) throw error;
      log.warn(
        { seconds: Math.round(waitedMs / 1000), cause: (error as Error).message },
        'Postgres does not answer yet; the start waits for it',
      );
      await delay(PAUSE_MS, undefined, { signal }).catch(() => {
        throw error;
      });
    }
  }
}

/** What was begun is ended in order after a signal, unless it hangs. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return work;
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined;
    const abort = () => {
      timer = setTimeout(() => reject(new Error('the start did not end in time after a signal')), ABORT_MS);
    };
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
    });
  });
}
