import type { Logger } from '../platform/telemetry/index.js';
import type { Weir } from './weir.js';

/** How long calls in flight may take to end after a signal; a second signal ends them at once. */
const DRAIN_MS = 30_000;

/**
 * What signals do. SIGINT, SIGTERM and SIGQUIT drain and end the process. So does SIGHUP where there is a terminal, which is then gone; without
 * one it comes from `systemctl reload`, logrotate and their like, and ends nothing. SIGUSR1 and SIGUSR2 end nothing either, and SIGUSR1 does not
 * open Node's debugger. A signal during the start waits for it, so that what was started
 * is also stopped; it does not wait for a Postgres that is away.
 * @param waiting is aborted by a signal, and ends the waiting for Postgres.
 */
export function stopOnSignals(starting: Promise<Weir>, waiting: AbortController, log: Logger, fail: (error: unknown) => never): void {
  let stopping = false;
  const stop = () => {
    const again = stopping;
    stopping = true;
    waiting.abort();
    starting.then((weir) => (again ? weir.cutCalls() : weir.stop(DRAIN_MS).then(() => process.exit(0)))).catch(fail);
  };
  const goOn = (signal: NodeJS.Signals) =>
    log.warn({ signal }, 'the signal does nothing: to use a new configuration or certificate, restart the process');

  const hasTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGQUIT'] as const) process.on(signal, stop);
  process.on('SIGHUP', hasTerminal ? stop : goOn);
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, goOn);
}

/** Whoever read what the process prints may leave, as in `npm start | head`: no call ends for it. */
export function outliveReaders(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
}
