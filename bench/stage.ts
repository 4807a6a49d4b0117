import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startEmbeddedPostgres } from '../src/platform/postgres/embedded.js';
import { openPool } from '../test/support/database.js';
import { leash } from '../test/support/leash.js';
import type { Destination } from './load.js';
import { type Cores, cpuOf, cpuOfFamily } from './machine.js';
import { EVENTS, PLAIN_PATH, parseRequest, requestBytes, TOTAL_TOKENS, WEIR_PATH } from './messages.js';
import { startNginx } from './nginx.js';
import type { Options } from './options.js';
import { startUpstream, type Upstream } from './processes.js';
import { INSPECT } from './profile.js';
import { fillWal } from './wal.js';
import { startWeir, untilServed, type Weir } from './weir.js';

export type Kind = 'json' | 'stream';

/** Something calls can be sent to. */
export interface Contestant {
  name: string;
  destination(kind: Kind): Destination;
  /** CPU time of the proxy so far, in µs. */
  cpu(): number;
  /** CPU time of its Postgres so far, in µs. */
  postgresCpu(): number;
}

/** Everything that runs while the bench measures. */
export interface Stage {
  upstream: Upstream;
  weir: Weir;
  databaseUrl: string;
  /** The provider itself, without a proxy. */
  straight: Contestant;
  /** nginx, where there is one, then Weir. */
  proxies: Contestant[];
  /** CPU time of everything that belongs to the bench so far, in µs. */
  cpu(): number;
}

/** The provider, Postgres and Weir. `cleanUp` gets what undoes them, the last first. */
export async function start(options: Options, cores: Cores | null, cleanUp: (() => unknown)[]) {
  const directory = mkdtempSync(join(tmpdir(), 'weir-bench-'));
  chmodSync(directory, 0o755); // as root, Postgres runs as another user
  cleanUp.push(() => rmSync(directory, { recursive: true, force: true }));
  const upstream = await startUpstream();
  cleanUp.push(() => upstream.stop());
  const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres'), durable: true });
  cleanUp.push(leash(postgres.pid, directory), () => postgres.stop());
  const db = openPool(postgres.url);
  await fillWal(db).finally(() => db.end());
  const nodeArgs = options.profile ? INSPECT : [];
  const weir = await startWeir({ directory, dist: options.dist, databaseUrl: postgres.url, upstreamPort: upstream.port, cores, nodeArgs });
  cleanUp.push(() => weir.stop());
  const metered = (name: string, destination: Contestant['destination']): Contestant => ({
    name,
    destination,
    cpu: () => cpuOf(weir.pid),
    postgresCpu: () => cpuOfFamily(postgres.pid),
  });
  const cpu = () => [process.pid, upstream.pid, weir.pid].reduce((sum, pid) => sum + cpuOf(pid), cpuOfFamily(postgres.pid));
  return { directory, upstream, weir, databaseUrl: postgres.url, straight: unmetered('straight', upstream.port), metered, cpu };
}

/** Starts it all, and sees that every contestant gives the provider's answers. `cleanUp` gets what undoes it, the last first. */
export async function setUp(options: Options, cores: Cores | null, cleanUp: (() => unknown)[]): Promise<Stage> {
  const { directory, metered, ...stage } = await start(options, cores, cleanUp);
  const { upstream, weir, straight } = stage;
  const nginx = await startNginx(directory, upstream.port, cores);
  if (nginx) cleanUp.push(() => nginx.stop());
  const proxies = nginx ? [{ ...unmetered('nginx', nginx.port), cpu: () => cpuOf(nginx.worker) }] : [];
  proxies.push(
    metered('Weir', (kind) => ({ port: weir.port, request: requestBytes(WEIR_PATH, weir.port, weir.apiKey, kind === 'stream') })),
  );
  for (const contestant of [straight, ...proxies]) await checkAnswers(contestant, weir);
  const cpu = () => stage.cpu() + (nginx ? cpuOf(nginx.worker) : 0);
  return { ...stage, proxies, cpu };
}

function unmetered(name: string, port: number): Contestant {
  const unknown = () => Number.NaN;
  const destination = (kind: Kind) => ({ port, request: requestBytes(PLAIN_PATH, port, 'none', kind === 'stream') });
  return { name, destination, cpu: unknown, postgresCpu: unknown };
}

/** A contestant gives the whole answer. @throws Error when it does not */
async function checkAnswers(contestant: Contestant, weir: Weir): Promise<void> {
  const json = await untilServed(() => send(contestant, 'json'), weir);
  const { usage } = (await json.json()) as { usage?: { total_tokens?: number } };
  if (usage?.total_tokens !== TOTAL_TOKENS) throw new Error(`${contestant.name} gives another JSON answer than the provider`);
  const stream = await untilServed(() => send(contestant, 'stream'), weir);
  const events = (await stream.text()).split('\n\n').filter(Boolean);
  // After the events come the usage and the end.
  if (events.length !== EVENTS + 2 || events.at(-1) !== 'data: [DONE]')
    throw new Error(`${contestant.name} gives another stream than the provider`);
}

export function send(contestant: Contestant, kind: Kind): Promise<Response> {
  const { port, request } = contestant.destination(kind);
  const { path, headers, body } = parseRequest(request);
  return fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', headers, body });
}
