import { mkdtempSync, rmSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../src/platform/config/index.js';
import { startWeir, type Weir } from '../../src/roles/weir.js';
import { Random, sizeOf } from '../support/random.js';
import type { Script, UpstreamCall } from '../support/upstream.js';
import { eventually } from '../support/weir.js';
import { eventsOf, PROVIDER_FORMATS, type ProviderFormat, type Rig, startRig } from './support/formats.js';
import { CONVERSATIONS, type SurfaceRow, send } from './support/surfaces.js';

/**
 * Calls end in every way there is, and what is booked is held against the log of a provider that counts by a program of its own: a word is a
 * token, reasoning is billed and not shown, and only providers of the kind that stops are not billed to the end when they are left.
 */
const CALLS = sizeOf('CROSS_CHECK_CALLS', 100);
/** As many as one tenant may have drained at once. */
const AT_ONCE = 4;
const INPUT_RATE = 1_000n;
const OUTPUT_RATE = 2_000n;
const FIRST_BYTE_MS = 300;
const LIMIT = 4_000;

const WAYS = [
  'complete',
  'left', // the client leaves after some event
  'left before the head',
  'broken', // the provider breaks off after some event
  'ended', // the provider ends its stream in order, after some event
  'late head',
  'stalled',
  'stalled for good',
  'output limit',
] as const;
type Way = (typeof WAYS)[number];

interface Plan {
  id: string;
  surface: SurfaceRow;
  format: ProviderFormat;
  way: Way;
  stops: boolean;
  stream: boolean;
  words: number;
  hidden: number;
  /** Events that are sent before it is left or cut. */
  events: number;
}

/** What the provider knows of one call. */
interface Entry {
  plan: Plan;
  prompt: number;
  /** Words that were written before its client left. */
  written: number;
  /** All of its answer, and its count, went to a connection that was there. */
  told: boolean;
  billed: bigint;
}

interface Booked {
  session: string;
  estimated: boolean;
  amount: bigint;
  /** What was held for it. */
  held: bigint;
}

/** One word, which no other text has: a token, by this provider. */
const word = (n: number): string => `w${n}x `;
const wordsIn = (text: string): number => new Set(text.match(/w\d+x/g)).size;
const cost = (input: number, output: number): bigint => BigInt(input) * INPUT_RATE + BigInt(output) * OUTPUT_RATE;

const log = new Map<string, Entry>();
const gates = new Map<string, Gates>();
/** Of a call that was over for its client before the provider had read it. */
const OVER: Pick<Gates, 'wrote' | 'left'> = { wrote: () => {}, left: Promise.resolve() };

/** Where the provider waits for the client, and the client for the provider. */
class Gates {
  wrote!: () => void;
  goOn!: () => void;
  readonly written = new Promise<void>((resolve) => (this.wrote = resolve));
  readonly left = new Promise<void>((resolve) => (this.goOn = resolve));
}

const write = (response: ServerResponse, bytes: Buffer): Promise<void> =>
  new Promise((resolve) => (response.destroyed ? resolve() : response.write(bytes, () => resolve())));

const program: Script = async (call, response) => {
  const id = /call-(\d+)-end/.exec(JSON.stringify(call.body))![0];
  const { plan, ...rest } = log.get(id)!;
  const entry: Entry = { plan, ...rest };
  log.set(id, entry);
  entry.prompt = Math.ceil(Buffer.byteLength(JSON.stringify(call.body)) / 8);
  const said = {
    text: Array.from({ length: plan.words }, (_, n) => word(n)).join(''),
    usage: { input: entry.prompt, cacheRead: 0, output: plan.words + plan.hidden },
  };
  // What it does, it bills: all of it, unless it is of the kind that stops.
  entry.billed = cost(entry.prompt, plan.words + plan.hidden);
  if (plan.stream) await streamed(call, response, entry, said);
  else await whole(call, response, entry, said);
};

/** It may be broken off at any time: what it writes then need not arrive. */
const mayStop = ({ stops, way }: Plan): boolean => stops && way !== 'complete';

type Said = Parameters<ProviderFormat['says']>[0];

async function streamed(_call: UpstreamCall, response: ServerResponse, entry: Entry, said: Said): Promise<void> {
  const { plan } = entry;
  const { wrote, left } = gates.get(plan.id) ?? OVER;
  const { type, events } = eventsOf(plan.format, said);
  const first = plan.way === 'complete' || plan.way === 'output limit' ? events.length : Math.min(plan.events, events.length - 1);
  if (plan.way === 'late head' || plan.way === 'left before the head') {
    wrote();
    await left;
  }
  response.writeHead(200, { 'content-type': type });
  for (const event of events.slice(0, first)) await write(response, event);
  entry.written = wordsIn(Buffer.concat(events.slice(0, first)).toString('latin1'));
  if (['left', 'stalled', 'stalled for good'].includes(plan.way)) {
    wrote();
    await left;
  }
  switch (plan.way) {
    case 'broken':
      // What was written is on its way before the connection breaks.
      await new Promise((resolve) => setTimeout(resolve, 10));
      return void response.socket?.resetAndDestroy();
    case 'ended':
      return void response.end();
    case 'stalled for good':
      return;
    default:
      if (plan.stops && response.destroyed) {
        // Reasoning comes before the answer: it was made.
        entry.billed = cost(entry.prompt, plan.hidden + entry.written);
        return;
      }
      for (const event of events.slice(first)) await write(response, event);
      entry.told = !response.destroyed && !mayStop(plan);
      response.end();
  }
}

async function whole(call: UpstreamCall, response: ServerResponse, entry: Entry, said: Said): Promise<void> {
  const { plan } = entry;
  const { wrote, left } = gates.get(plan.id) ?? OVER;
  if (plan.way !== 'complete' && plan.way !== 'output limit' && plan.way !== 'broken' && plan.way !== 'ended') {
    wrote();
    await left;
  }
  if (plan.way === 'stalled for good') return;
  if (plan.way === 'broken' || plan.way === 'ended') {
    const { end } = response;
    response.end = ((body: string | Buffer) => {
      const bytes = Buffer.from(body);
      response.write(bytes.subarray(0, Math.floor((bytes.length * plan.events) / 10)), () =>
        setTimeout(() => (plan.way === 'broken' ? response.socket?.resetAndDestroy() : (end as () => void).call(response)), 10),
      );
      return response;
    }) as typeof end;
    return plan.format.says(said)(call, response);
  }
  if (plan.stops && response.destroyed) {
    entry.billed = cost(entry.prompt, plan.hidden);
    return;
  }
  entry.told = !response.destroyed && !mayStop(plan);
  return plan.format.says(said)(call, response);
}

/** Makes one call as a client, ends it as planned, and answers how many words it got. */
async function make(to: { publicUrl: string; apiKey: string }, plan: Plan): Promise<number> {
  const { surface, format, way, stream } = plan;
  const turn = new Gates();
  gates.set(plan.id, turn);
  log.set(plan.id, { plan, prompt: 0, written: 0, told: false, billed: 0n });
  const limit = way === 'output limit' ? 16 : LIMIT;
  const model = `${format.dialect}${plan.stops ? '-stops' : ''}/${format.model}`;
  const body = surface.body(model, `This is ${plan.id}`, { stream, [surface.limitField!]: limit });
  const leaving = new AbortController();
  const leaves = way === 'left' || way === 'left before the head';
  let got = '';
  const reading = (async () => {
    const reply = await send(to, surface, body, { 'x-weir-session': plan.id }, leaving.signal);
    const decoder = new TextDecoder();
    for await (const chunk of reply.body!) got += decoder.decode(chunk, { stream: true });
  })().catch(() => {});
  if (leaves) {
    await turn.written;
    // It has what was written, as far as it may have it.
    await Promise.race([reading, until(() => wordsIn(got) >= log.get(plan.id)!.written, 100)]);
    leaving.abort();
    await new Promise((resolve) => setTimeout(resolve, 20));
    turn.goOn();
  }
  await reading;
  turn.goOn();
  gates.delete(plan.id);
  return wordsIn(got);
}

async function until(condition: () => boolean, ms: number): Promise<void> {
  const deadline = performance.now() + ms;
  while (!condition() && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5));
}

let rig: Rig;
let second: Weir;
let home: string;
const random = Random.ofRun('cross-check');
const { seed } = random;

beforeAll(async () => {
  rig = await startRig({ WEIR_FIRST_BYTE_TIMEOUT_MS: String(FIRST_BYTE_MS), WEIR_PROGRESS_TIMEOUT_MS: String(FIRST_BYTE_MS) });
  for (const { dialect, type, basePath } of PROVIDER_FORMATS) {
    const name = `${dialect}-stops`;
    const base_url = `http://${rig.upstream.hostPort}${basePath}`;
    const key =
      type === 'cloudflare-workers-ai'
        ? { credential: { type: 'headers', headers: { authorization: 'Bearer secret' } } }
        : { key: 'secret' };
    await rig.tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' });
    await rig.tenant.admin('POST', '/v1/organization/providers', {
      name,
      type,
      dialect,
      base_url,
      models: ['*'],
      on_client_gone: 'cancel',
      ...key,
    });
  }
  home = mkdtempSync(join(tmpdir(), 'weir-cross-check-'));
  second = await startWeir(
    readConfig(
      {
        DATABASE_URL: rig.weir.databaseUrl,
        WEIR_HOME: home,
        WEIR_PUBLIC_PORT: '0',
        WEIR_ADMIN_PORT: '0',
        WEIR_ROLES: 'gateway',
        WEIR_MASTER_KEY: 'test master key, at least 32 characters',
        WEIR_LOG_LEVEL: 'silent',
        WEIR_LEDGER_TIMEOUT_MS: '5000',
        WEIR_EGRESS_ALLOW: rig.upstream.hostPort,
      },
      home,
    ),
  );
  rig.upstream.script = program;
});

afterAll(async () => {
  await second?.stop(0).catch(() => {});
  await rig?.stop();
  if (home) rmSync(home, { recursive: true, force: true });
});

let made = 0;

function planned(way: Way, surface: SurfaceRow, format: ProviderFormat): Plan {
  const hides = random.chance(0.4);
  // It stops where it is left: a call that is not streamed has no such place.
  const stream = random.chance(0.75);
  return {
    id: `call-${made++}-end`,
    surface,
    format,
    way,
    stops: random.chance(0.25),
    stream,
    words: random.int(20, way === 'output limit' ? 220 : 80),
    hidden: hides ? random.int(1, 3_000) : 0,
    events: random.int(0, 11),
  };
}

async function bookedOf(plans: readonly Plan[]): Promise<Map<string, Booked>> {
  let rows: Booked[] = [];
  await eventually(async () => {
    ({ rows } = await rig.weir.db.query<Booked>(
      `SELECT c.session, c.estimated, coalesce(sum(l.amount), 0)::bigint AS amount, h.amount AS held
       FROM calls c JOIN holds h ON h.id = c.id LEFT JOIN ledger_entries l ON l.call_id = c.id
       WHERE c.session = ANY ($1) GROUP BY c.session, c.id, c.estimated, h.amount`,
      [plans.map(({ id }) => id)],
    ));
    return rows.length >= plans.length;
  }, 60_000);
  expect(rows).toHaveLength(plans.length);
  return new Map(rows.map((row) => [row.session, row]));
}

const tally = new Map<string, { calls: number; exact: number; booked: bigint; billed: bigint }>();

/** What is wrong with how a call was booked; null: nothing. */
function judge({ plan, prompt, told, billed }: Entry, got: number, { estimated, amount, held }: Booked): string | null {
  const kind = `${plan.way}${plan.stops ? ', stops' : ''}`;
  const sum = tally.get(kind) ?? { calls: 0, exact: 0, booked: 0n, billed: 0n };
  tally.set(kind, {
    calls: sum.calls + 1,
    exact: sum.exact + Number(!estimated),
    booked: sum.booked + amount,
    billed: sum.billed + billed,
  });
  const about = `${plan.id} ${plan.surface.route} ${plan.format.dialect} ${kind}, stream ${plan.stream}, event ${plan.events}`;
  const exact = cost(prompt, plan.words + plan.hidden);
  if (!estimated && amount !== exact) return `${about}: told to be exact at ${amount}, the provider counted ${exact}`;
  if (told && estimated && plan.way !== 'output limit')
    return `${about}: an estimate of ${amount}, but the provider's count of ${exact} arrived`;
  const delivered = cost(prompt, got);
  // A provider that ignores its output limit may send more than was held: an estimate stays within the hold, and a hard budget with it.
  const least = plan.way === 'output limit' && estimated && delivered > held ? held : delivered;
  if (amount < least) return `${about}: ${amount} booked, ${delivered} delivered`;
  if (amount < billed && plan.hidden > 0 && !plan.stream) return `${about}: ${amount} booked, ${billed} billed`;
  return null;
}

async function run(to: () => { publicUrl: string; apiKey: string }, plans: readonly Plan[]): Promise<string[]> {
  const wrong: string[] = [];
  const queue = [...plans];
  const got = new Map<string, number>();
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      for (let plan = queue.shift(); plan; plan = queue.shift()) {
        got.set(plan.id, await make(to(), plan));
        // Its drain ends before the next begins.
        await bookedOf([plan]);
      }
    }),
  );
  const booked = await bookedOf(plans);
  for (const { id } of plans) {
    const fault = judge(log.get(id)!, got.get(id)!, booked.get(id)!);
    if (fault) wrong.push(fault);
    log.delete(id);
  }
  return wrong;
}

test(`${CALLS} calls of every surface, format and way to end are booked as their provider counts them (seed ${seed})`, async () => {
  const pairs = CONVERSATIONS.flatMap((surface) => PROVIDER_FORMATS.map((format) => ({ surface, format })));
  const wrong: string[] = [];
  for (let done = 0; done < CALLS; done += 500) {
    const plans = Array.from({ length: Math.min(500, CALLS - done) }, (_, n) => {
      const { surface, format } = pairs[(done + n) % pairs.length]!;
      return planned(random.pick(WAYS), surface, format);
    });
    wrong.push(...(await run(() => rig.to, plans)));
  }
  console.info(`seed ${seed}\n${figures()}`);
  expect({ seed, wrong: wrong.slice(0, 20) }).toEqual({ seed, wrong: [] });
}, 3_600_000);

test(`calls that a shutdown cuts are booked for what they may have cost (seed ${seed})`, async () => {
  const plans = CONVERSATIONS.flatMap((surface) => {
    const format = random.pick(PROVIDER_FORMATS);
    return [true, false].map((stream) => ({ ...planned('stalled for good', surface, format), stream }));
  });
  const to = { publicUrl: second.publicUrl!, apiKey: rig.tenant.apiKey };
  const making = plans.map((plan) => make(to, plan));
  await Promise.all(plans.map(({ id }) => gates.get(id)!.written));
  await second.stop(100);
  const got = await Promise.all(making);
  const booked = await bookedOf(plans);
  const wrong = plans.map(({ id }, at) => judge(log.get(id)!, got[at]!, booked.get(id)!)).filter((fault) => fault !== null);
  expect({ seed, wrong }).toEqual({ seed, wrong: [] });
}, 60_000);

function figures(): string {
  const lines = [...tally]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([kind, { calls, exact, booked, billed }]) => {
      const ratio = billed === 0n ? '-' : (Number(booked) / Number(billed)).toFixed(3);
      return `${kind.padEnd(32)} ${String(calls).padStart(6)} calls  ${String(exact).padStart(6)} exact  booked/billed ${ratio}`;
    });
  return lines.join('\n');
}
