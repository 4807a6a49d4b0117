import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { readConfig } from './platform/config/index.js';
import { describeFailure, readyJson, readyText } from './roles/announce.js';
import { startWeir, type Weir } from './roles/weir.js';

/** How long calls in flight may take to end after Ctrl-C or SIGTERM; a second signal ends them at once. */
const DRAIN_MS = 30_000;

async function main(): Promise<void> {
  const startedAt = performance.now();
  const { values: flags } = parseArgs({ options: { json: { type: 'boolean', default: false }, 'env-file': { type: 'string' } } });
  const config = readConfig(process.env, process.cwd(), flags['env-file']);
  const starting = startWeir(config);
  stopOnSignals(starting);
  const weir = await starting;
  process.stdout.write(flags.json ? readyJson(weir) : readyText(weir, config, performance.now() - startedAt));
}

/** A signal during the start waits for it, so that what was started is also stopped. */
function stopOnSignals(starting: Promise<Weir>): void {
  let stopping = false;
  const onSignal = () => {
    const again = stopping;
    stopping = true;
    starting.then((weir) => (again ? weir.cutCalls() : weir.stop(DRAIN_MS).then(() => process.exit(0)))).catch(fail);
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
}

function fail(error: unknown): never {
  process.stderr.write(`${describeFailure(error)}\n`);
  process.exit(1);
}

main().catch(fail);
