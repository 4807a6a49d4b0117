import 'reflect-metadata';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConfig } from './platform/config/index.js';
import { createLogger, type Logger } from './platform/telemetry/index.js';
import { readyJson, readyText } from './roles/announce.js';
import { describeFailure } from './roles/failure.js';
import { readFlags } from './roles/flags.js';
import { migrateOnly } from './roles/migrate.js';
import { reload } from './roles/reload.js';
import { outliveReaders, stopOnSignals } from './roles/signals.js';
import { startWeir, type Weir, warmUp } from './roles/weir.js';

/** How long calls in flight may take to end after an exception that nothing caught: what the process still does may be wrong. */
const FAILURE_DRAIN_MS = 10_000;
/** For closing connections after the drain. */
const CLOSE_MS = 10_000;

const HELP = `Weir: a gateway for LLM inference that holds each call's worst-case cost before it is made.

Usage: npm start -- [command] [options]

  migrate           only bring the database of DATABASE_URL up to date, and end

  --env-file FILE   read the configuration from this file; it wins over the environment, .env.local and .env
  --json            print what is ready as JSON
  --version         print the version
  --help            print this

Without any configuration Weir starts an embedded Postgres and a demo tenant, and prints a first call.
Every setting is a variable; .env.example names all of them.
`;
const { version: VERSION } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8')) as { version: string };

const BOOLEAN = { type: 'boolean', default: false } as const;
const OPTIONS = { json: BOOLEAN, help: { ...BOOLEAN, short: 'h' }, version: BOOLEAN, 'env-file': { type: 'string' } } as const;

async function main(): Promise<void> {
  const startedAt = performance.now();
  outliveReaders();
  const { flags, command } = readFlags(OPTIONS, ['migrate']);
  if (flags.help) return void process.stdout.write(HELP);
  if (flags.version) return void process.stdout.write(`weir ${VERSION}\n`);
  const directory = process.cwd();
  const read = () => readConfig(process.env, directory, flags['env-file']);
  const config = read();
  if (command === 'migrate') return void process.stdout.write(await migrateOnly(config));
  const log = createLogger(config.logLevel);
  for (const warning of config.warnings) log.warn(warning);
  const waiting = new AbortController();
  const starting = startWeir(config, log, waiting.signal);
  let current = config;
  const takeAnew = (weir: Weir) => {
    current = reload(current, read, (next) => weir.reload(next), log);
  };
  stopOnSignals(starting, waiting, config.drain, log, takeAnew, fail);
  stopOnExceptions(starting, log);
  warmUp(config);
  const weir = await starting;
  if (flags.json) return void process.stdout.write(readyJson(weir));
  const startupMs = performance.now() - startedAt;
  // Whoever reads it is an operator: it goes to a person's terminal, and into no log.
  const signIn = process.stdout.isTTY ? await weir.firstSignIn() : null;
  process.stdout.write(readyText(weir, config, startupMs, signIn));
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
