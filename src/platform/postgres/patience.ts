import { setTimeout as delay } from 'node:timers/promises';
import { type Logger, oneLine } from '../telemetry/index.js';

/** How long a start waits for a Postgres that recovers or is being started again. */
const PATIENCE_MS = 30_000;
const PAUSE_MS = 1_000;
/** How often it says that it waits. */
const SAY_MS = 10_000;
/** How long what is under way may still take after a signal. */
const ABORT_MS = 15_000;

/** Postgres' words for starting up, recovering and stopping, for a broken connection and for too many of them; Prisma's; the system's. */
const AWAY = /^(57P0[123]|08.{3}|P1001|P1017|ECONN(REFUSED|RESET|ABORTED)|EPIPE|EAI_AGAIN)$/;
/** pg's own errors have no code. A pool has connected before: where it gets no connection in time, the server is busy. */
const BROKEN =
  /^(Connection terminated(?! due to connection timeout)|Client has encountered a connection error|timeout exceeded when trying to connect)/;
/** Every connection that Postgres has is taken, in its words and in Prisma's. */
const FULL = /^(53300|P2037|TooManyConnections)$/;
/** Prisma's adapter tells a kind of its own. */
const UNREACHABLE = /^(DatabaseNotReachable|ConnectionClosed)$/;

/** Whether Postgres is away for the moment, by this error or what caused it. One that takes connections and is silent is not: it may be the wrong server. */
export const isPostgresAway = (error: unknown): boolean =>
  isFull(error) ||
  causes(error).some(
    ({ code, message, kind }) => AWAY.test(String(code)) || UNREACHABLE.test(String(kind)) || (!code && BROKEN.test(String(message))),
  );

const isFull = (error: unknown): boolean => causes(error).some(({ code, kind }) => FULL.test(String(code)) || FULL.test(String(kind)));

type Cause = Partial<Record<'code' | 'message' | 'kind' | 'cause', unknown>> & { meta?: { driverAdapterError?: unknown } };

/** An error and what caused it. Of a raw query Prisma tells that in `meta`. */
function causes(error: unknown): Cause[] {
  const found: Cause[] = [];
  for (
    let one = error as Cause | undefined;
    one && found.length < 5;
    one = (one.cause ?? one.meta?.driverAdapterError) as Cause | undefined
  )
    found.push(one);
  return found;
}

/**
 * Does work that needs Postgres. While Postgres is away the work is begun anew each second, for 30 seconds; a log line says so at once, then every 10 seconds.
 * @param signal gives up the waiting. @throws what the work threw last.
 */
export async function patiently<T>(work: () => Promise<T>, log: Logger, signal?: AbortSignal): Promise<T> {
  const startedAt = performance.now();
  let saidAt = Number.NEGATIVE_INFINITY;
  for (;;) {
    try {
      return await unlessAborted(work(), signal);
    } catch (error) {
      const now = performance.now();
      if (!isPostgresAway(error) || now - startedAt > PATIENCE_MS || signal?.aborted) throw error;
      if (now - saidAt >= SAY_MS) {
        saidAt = now;
        log.warn(
          { seconds: Math.round((now - startedAt) / 1000), cause: oneLine(error) },
          isFull(error)
            ? 'Postgres has no connection to give yet; the start waits for one'
            : 'Postgres does not answer yet; the start waits for it',
        );
      }
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
