// Measures Weir and nginx before the same scripted provider, in turns, on one core each. `npm run bench -- --help`
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { byAutocannon } from './autocannon.js';
import { readBookings } from './bookings.js';
import { measureDialects, setUpDialects } from './dialects.js';
import { closedLoop, type Destination, type LoadResult, steadyLoad } from './load.js';
import { describeMachine, divideCores, watchOthers } from './machine.js';
import { EVENTS } from './messages.js';
import { HELP, type Options, readOptions } from './options.js';
import { profile, profileTable } from './profile.js';
import { runProgram } from './program.js';
import { latencyTable, loadTable } from './report.js';
import { type Stage, setUp } from './stage.js';
import { inTurns } from './turns.js';

/** Share of the machine that other programs may take before the figures are in doubt. */
const DISTURBANCE = 0.05;

const cleanUp: (() => unknown)[] = [];

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (!options) return say(HELP);
  const cores = divideCores();
  say(describeMachine(cores));
  const stage = await (options.dialects ? setUpDialects : setUp)(options, cores, cleanUp);
  if (options.profile) return profileWeir(stage, options, options.profile);
  const others = watchOthers(stage.cpu);
  if (options.dialects) say(await measureDialects(stage, options));
  else await measure(stage, options);
  await compareBookings(stage);
  if (others() > DISTURBANCE)
    say(`Other programs took ${Math.round(others() * 100)} % of the machine meanwhile: measure again when it is quiet.`);
}

async function measure({ straight, proxies }: Stage, options: Options): Promise<void> {
  const { callers, seconds, rounds, rate } = options;
  if (proxies.length === 1) say('This machine has no nginx: Weir is measured alone.');
  say(`${callers} callers, ${rounds} x ${seconds} s each in turns, medians; CPU is the proxy's own, per call`);

  const json = await inTurns(proxies, 'json', options, (destination, time) => jsonLoad(destination, time, options));
  say(loadTable('\nJSON call, 2 KB request, 1 KB reply', json));
  const stream = await inTurns(proxies, 'stream', options, (destination, time) => closedLoop(destination, callers, time));
  say(loadTable(`\nStream of ${EVENTS} events sent at once`, stream));
  const steady = await inTurns([straight, ...proxies], 'json', options, (destination, time) => steadyLoad(destination, rate, time));
  say(latencyTable(`\nJSON call at a steady ${rate} calls/s`, steady));
}

/** autocannon is given a number of calls, which a short run of our own tells. */
async function jsonLoad(destination: Destination, seconds: number, { callers, autocannon }: Options): Promise<LoadResult> {
  if (!autocannon) return closedLoop(destination, callers, seconds);
  const sample = await closedLoop(destination, callers, seconds / 10);
  return byAutocannon(destination, callers, Math.ceil((sample.calls / sample.seconds) * seconds));
}

/** Every call Weir sent to the provider is in the ledger, and no money is held any more. */
async function compareBookings({ upstream, databaseUrl }: Stage): Promise<void> {
  const { entries, open, held } = await readBookings(databaseUrl);
  const { weir: served } = await upstream.counts();
  say(`\nbooked: ${entries} of ${served} calls, held ${held}`);
  if (entries !== served || open !== 0 || held !== 0n) throw new Error('the ledger and the provider disagree');
}

async function profileWeir({ weir, proxies }: Stage, { callers, seconds, warmUpSeconds }: Options, file: string): Promise<void> {
  const destination = proxies.at(-1)!.destination('json');
  await closedLoop(destination, callers, warmUpSeconds);
  let calls = 0;
  const taken = await profile(weir.log, async () => {
    calls = (await closedLoop(destination, callers, seconds)).calls;
  });
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(taken));
  say(`${profileTable(taken, calls)}\n\nThe whole profile is in ${file}`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

runProgram(main, cleanUp);
