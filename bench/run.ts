// Measures Weir and nginx before the same scripted provider, in turns, on one core each. `npm run bench -- --help`
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../src/platform/postgres/embedded.js';
import { leash } from '../test/support/leash.js';
import { byAutocannon } from './autocannon.js';
import { readBookings } from './bookings.js';
import { closedLoop, type Destination, type LoadResult, quantile, steadyLoad } from './load.js';
import { type Cores, cpuOf, cpuOfFamily, describeMachine, divideCores } from './machine.js';
import { EVENTS, PLAIN_PATH, requestBytes, WEIR_PATH } from './messages.js';
import { startNginx } from './nginx.js';
import { HELP, type Options, readOptions } from './options.js';
import { startUpstream, type Upstream } from './processes.js';
import { INSPECT, profile, profileTable } from './profile.js';
import { latencyTable, loadTable, type Measurement, type Row } from './report.js';
import { startWeir, untilServed, type Weir } from './weir.js';

type Kind = 'json' | 'stream';

/** Something calls can be sent to. */
interface Contestant {
  name: string;
  destination(kind: Kind): Destination;
  /** CPU time of the proxy so far, in µs. */
  cpu(): number;
  postgresCpu(): number;
}

interface Stage {
  upstream: Upstream;
  weir: Weir;
  databaseUrl: string;
  straight: Contestant;
  proxies: Contestant[];
}

const cleanUp: (() => unknown)[] = [];

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (!options) return void process.stdout.write(HELP);
  const cores = divideCores();
  say(describeMachine(cores));
  const stage = await setUp(options, cores);
  if (options.profile) return profileWeir(stage, options, options.profile);
  await measure(stage, options);
  await compareBookings(stage);
}

async function setUp(options: Options, cores: Cores | null): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  chmodSync(directory, 0o755); // as root, Postgres runs as another user
  cleanUp.push(() => rmSync(directory, { recursive: true, force: true }));
  const upstream = await startUpstream();
  cleanUp.push(() => upstream.stop());
  const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres'), durable: true });
  cleanUp.push(() => postgres.stop(), leash(postgres.pid, directory));
  const nodeArgs = options.profile ? INSPECT : [];
  const weir = await startWeir({ directory, dist: options.dist, databaseUrl: postgres.url, upstreamPort: upstream.port, cores, nodeArgs });
  cleanUp.push(() => weir.stop());
  const nginx = await startNginx(directory, upstream.port, cores);
  if (!nginx) say('No nginx: Weir is measured alone.');
  if (nginx) cleanUp.push(() => nginx.stop());

  const no = () => Number.NaN;
  const plain = (port: number) => (kind: Kind) => ({ port, request: requestBytes(PLAIN_PATH, port, 'none', kind === 'stream') });
  const straight = { name: 'straight', destination: plain(upstream.port), cpu: no, postgresCpu: no };
  const proxies: Contestant[] = nginx
    ? [{ name: 'nginx', destination: plain(nginx.port), cpu: () => cpuOf(nginx.worker), postgresCpu: no }]
    : [];
  proxies.push({
    name: 'Weir',
    destination: (kind) => ({ port: weir.port, request: requestBytes(WEIR_PATH, weir.port, weir.apiKey, kind === 'stream') }),
    cpu: () => cpuOf(weir.pid),
    postgresCpu: () => cpuOfFamily(postgres.pid),
  });
  await checkAnswers([straight, ...proxies], weir);
  return { upstream, weir, databaseUrl: postgres.url, straight, proxies };
}

/** Every contestant gives the whole answer. */
async function checkAnswers(contestants: Contestant[], weir: Weir): Promise<void> {
  for (const contestant of contestants) {
    const json = (await (await untilServed(() => send(contestant, 'json'), weir)).json()) as { usage?: { total_tokens?: number } };
    if (json.usage?.total_tokens !== 540) throw new Error(`${contestant.name} gave another JSON answer than the provider`);
    const stream = await (await untilServed(() => send(contestant, 'stream'), weir)).text();
    const events = stream.split('\n\n').filter(Boolean);
    if (events.length !== EVENTS + 2 || events.at(-1) !== 'data: [DONE]')
      throw new Error(`${contestant.name} gave another stream than the provider`);
  }
}

function send(contestant: Contestant, kind: Kind): Promise<Response> {
  const { port, request } = contestant.destination(kind);
  const [head, body] = request.toString().split('\r\n\r\n') as [string, string];
  const [start, ...lines] = head.split('\r\n') as [string, ...string[]];
  const headers = lines.map((line) => line.split(': ') as [string, string]).filter(([name]) => !/^(host|content-length)$/i.test(name));
  return fetch(`http://127.0.0.1:${port}${start.split(' ')[1]}`, { method: 'POST', headers, body });
}

async function measure({ straight, proxies }: Stage, options: Options): Promise<void> {
  const { callers, seconds, rounds, rate } = options;
  say(`${callers} callers, ${rounds} rounds of ${seconds} s each in turns, medians`);
  say(
    loadTable(
      '\nJSON call, 2 KB request, 1 KB reply',
      await inTurns(proxies, options, 'json', (destination, seconds) => jsonLoad(destination, seconds, options)),
    ),
  );
  say(
    loadTable(
      `\nStream of ${EVENTS} events sent at once`,
      await inTurns(proxies, options, 'stream', (destination, seconds) => closedLoop(destination, callers, seconds)),
    ),
  );
  say(
    latencyTable(
      `\nJSON call at a steady ${rate} calls/s`,
      await inTurns([straight, ...proxies], options, 'json', (destination, seconds) => steadyLoad(destination, rate, seconds)),
    ),
  );
}

/** How many calls autocannon is given is taken from a short run of our own. */
async function jsonLoad(destination: Destination, seconds: number, { callers, autocannon }: Options): Promise<LoadResult> {
  if (!autocannon) return closedLoop(destination, callers, seconds);
  const sample = await closedLoop(destination, callers, seconds / 10);
  return byAutocannon(destination, callers, Math.ceil((sample.calls / sample.seconds) * seconds));
}

async function inTurns(
  contestants: Contestant[],
  options: Options,
  kind: Kind,
  load: (to: Destination, seconds: number) => Promise<LoadResult>,
): Promise<Row[]> {
  const rows = contestants.map((contestant) => ({ contestant, name: contestant.name, rounds: [] as Measurement[] }));
  for (const { contestant } of rows) await load(contestant.destination(kind), options.warmUpSeconds);
  for (let round = 0; round < options.rounds; round++) {
    for (const row of rows)
      row.rounds.push(await measureOnce(row.contestant, () => load(row.contestant.destination(kind), options.seconds)));
  }
  return rows;
}

async function measureOnce({ name, cpu, postgresCpu }: Contestant, load: () => Promise<LoadResult>): Promise<Measurement> {
  const before = { cpu: cpu(), postgres: postgresCpu() };
  const { calls, failures, seconds, latencies } = await load();
  if (failures > 0) throw new Error(`${failures} of ${calls} calls through ${name} failed`);
  const used = cpu() - before.cpu;
  return {
    callsPerSecond: calls / seconds,
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    cpu: used / calls,
    core: used / seconds / 1e4,
    postgres: (postgresCpu() - before.postgres) / calls,
  };
}

/** Every call the provider was sent by Weir is in the ledger, once, and no money is held any more. */
async function compareBookings({ upstream, databaseUrl }: Stage): Promise<void> {
  const bookings = await readBookings(databaseUrl);
  const { weir: served } = await upstream.counts();
  say(`\nbooked: ${bookings.entries} of ${served} calls, held ${bookings.held}`);
  if (bookings.entries !== served || bookings.held !== 0n || bookings.open !== 0) throw new Error('the ledger and the provider disagree');
}

async function profileWeir({ weir, proxies }: Stage, { callers, seconds, warmUpSeconds }: Options, file: string): Promise<void> {
  const destination = proxies.at(-1)!.destination('json');
  await closedLoop(destination, callers, warmUpSeconds);
  let calls = 0;
  const result = await profile(weir.log, async () => {
    calls = (await closedLoop(destination, callers, seconds)).calls;
  });
  writeFileSync(file, JSON.stringify(result));
  say(`${profileTable(result, calls)}\n\nwritten to ${file}`);
}

const say = (text: string): unknown => process.stdout.write(`${text}\n`);

async function finish(code: number): Promise<void> {
  for (let step = cleanUp.pop(); step; step = cleanUp.pop()) await step();
  process.exit(code);
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void finish(130));
main().then(
  () => finish(0),
  (error: Error) => {
    process.stderr.write(`bench: ${error.message}\n`);
    return finish(1);
  },
);
