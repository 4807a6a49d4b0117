import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../platform/config/index.js';
import type { Logger } from '../platform/telemetry/index.js';
import type { Weir } from './weir.js';

/** Ctrl-C reaches a process twice: from the terminal, and from the npm that started it. */
const SAME_MS = 300;

/**
 * What signals do. SIGINT, SIGTERM and SIGQUIT drain and end the process; a second one cuts off what is in flight. So does SIGHUP where there is a terminal, which is then gone; without
 * one it comes from `systemctl reload` and its like, and the configuration is reloaded. SIGUSR1 and SIGUSR2 end nothing either, and SIGUSR1 does not
 * open Node's debugger. A signal during the start waits for it, so that what was started
 * is also stopped; it does not wait for a Postgres that is away.
 * @param waiting is aborted by a signal, and ends the waiting for Postgres.
 */
export function stopOnSignals(
  starting: Promise<Weir>,
  waiting: AbortController,
  { delayMs, limitMs }: Config['drain'],
  log: Logger,
  reload: (weir: Weir) => void,
  fail: (error: unknown) => never,
): void {
  const hurry = new AbortController();
  const drain = async (weir: Weir) => {
    weir.leave();
    await sleep(delayMs, undefined, { signal: hurry.signal }).catch(() => {});
    await weir.stop(limitMs);
    process.exit(0);
  };
  let firstAt = Number.NEGATIVE_INFINITY;
  const stop = () => {
    const again = waiting.signal.aborted;
    if (again && performance.now() - firstAt < SAME_MS) return;
    if (!again) firstAt = performance.now();
    waiting.abort();
    if (again) hurry.abort();
    starting.then((weir) => (again ? weir.cutCalls() : drain(weir))).catch(fail);
  };
  const takeAnew = () => void starting.then(reload, () => {});
  const goOn = (signal: NodeJS.Signals) =>
    log.warn({ signal }, 'the signal does nothing; SIGHUP reloads the configuration and certificates');

  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const) process.on(signal, stop);
  process.on('SIGHUP', hasTerminal ? stop : takeAnew);
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, goOn);
}

/** Whoever read what the process prints may leave, as in `npm start | head`: no call ends for it. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}
