import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { readConfig } from './platform/config/index.js';
import { createLogger, type Logger } from './platform/telemetry/index.js';
import { describeFailure, readyJson, readyText } from './roles/announce.js';
import { outliveReaders, stopOnSignals } from './roles/signals.js';
import { startWeir, type Weir, warmUp } from './roles/weir.js';

/** How long calls in flight may take to end after an exception that nothing caught: what the process still does may be wrong. */
const FAILURE_DRAIN_MS = 10_000;
/** For closing connections after the drain. */
const CLOSE_MS = 10_000;

async function main(): Promise<void> {
  const startedAt = performance.now();
  outliveReaders();
  const { values: flags } = parseArgs({ options: { json: { type: 'boolean', default: false }, 'env-file': { type: 'string' } } });
  const config = readConfig(process.env, process.cwd(), flags['env-file']);
  const log = createLogger(config.logLevel);
  const waiting = new AbortController();
  const starting = startWeir(config, log, waiting.signal);
  stopOnSignals(starting, waiting, log, fail);
  stopOnExceptions(starting, log);
  warmUp(config);
  const weir = await starting;
  process.stdout.write(flags.json ? readyJson(weir) : readyText(weir, config, performance.now() - startedAt));
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
