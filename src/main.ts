import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { readConfig } from './platform/config/index.js';
import { createLogger, type Logger } from './platform/telemetry/index.js';
import { describeFailure, readyJson, readyText } from './roles/announce.js';
import { startWeir, type Weir } from './roles/weir.js';

/** How long calls in flight may take to end after Ctrl-C or SIGTERM; a second signal ends them at once. */
const DRAIN_MS = 30_000;
/** The same after an exception that nothing caught: what the process still does may be wrong. */
const FAILURE_DRAIN_MS = 10_000;
/** For closing connections after the drain. */
const CLOSE_MS = 10_000;

async function main(): Promise<void> {
  const startedAt = performance.now();
  const { values: flags } = parseArgs({ options: { json: { type: 'boolean', default: false }, 'env-file': { type: 'string' } } });
  const config = readConfig(process.env, process.cwd(), flags['env-file']);
  const log = createLogger(config.logLevel);
  const waiting = new AbortController();
  const starting = startWeir(config, log, waiting.signal);
  stopOnSignals(starting, waiting);
  stopOnExceptions(starting, log);
  const weir = await starting;
  process.stdout.write(flags.json ? readyJson(weir) : readyText(weir, config, performance.now() - startedAt));
}

/** A signal during the start waits for it, so that what was started is also stopped; it does not wait for a Postgres that is away. */
function stopOnSignals(starting: Promise<Weir>, waiting: AbortController): void {
  let stopping = false;
  const onSignal = () => {
    const again = stopping;
    stopping = true;
    waiting.abort();
    starting.then((weir) => (again ? weir.cutCalls() : weir.stop(DRAIN_MS).then(() => process.exit(0)))).catch(fail);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

/** An exception that nothing caught: one line, no new calls, those in flight end and are booked, and the process ends with status 1. */
function stopOnExceptions(starting: Promise<Weir>, log: Logger): void {
  let stopping = false;
  const onException = (error: unknown) => {
    if (stopping) return;
    stopping = true;
    log.fatal({ err: error }, 'uncaught exception; the process ends once its calls have');
    setTimeout(() => process.exit(1), FAILURE_DRAIN_MS + CLOSE_MS);
    starting.then((weir) => weir.stop(FAILURE_DRAIN_MS)).then(() => process.exit(1), fail);
  };
  process.on('uncaughtException', onException);
  process.on('unhandledRejection', onException);
}

function fail(error: unknown): never {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exit(1);
}

main().catch(fail);
