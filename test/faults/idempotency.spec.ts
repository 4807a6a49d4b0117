import { request } from 'node:http';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants } from '../support/ledger.js';
import { answer } from '../support/upstream.js';
import { type Gateway, Rig } from './support/rig.js';

jest.setTimeout(120_000);

let database: TestDatabase;
let rig: Rig;

beforeAll(async () => {
  database = await createDatabase();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    // A busy machine is no frozen Postgres.
    { environment: { WEIR_LEDGER_TIMEOUT_MS: '5000' } },
  );
});

afterAll(async () => {
  await rig?.stop();
  await rig?.db.end();
  await database?.drop();
});

interface Got {
  /** Null: the gateway died. */
  status: number | null;
  code: string | null;
  text: string;
  isReplay: boolean;
}

/** Calls with a key. The tag names the call in the ledger and at the upstream. */
function call(url: string, key: string, tag: number, stream = false): Promise<Got> {
  const body = JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: tag, stream });
  return new Promise((resolve) => {
    let got: Got = { status: null, code: null, text: '', isReplay: false };
    const sending = request(`${url}/v1/chat/completions`, {
      method: 'POST',
      agent: false,
      headers: { authorization: `Bearer ${rig.tenant.apiKey}`, 'content-type': 'application/json', 'idempotency-key': key },
    });
    sending.on('error', () => resolve(got));
    sending.on('response', (response) => {
      got = { ...got, status: response.statusCode!, isReplay: response.headers['x-weir-replayed'] === 'true' };
      response.setEncoding('utf8').on('data', (piece: string) => (got.text += piece));
      response.on('error', () => {});
      response.on('close', () => resolve({ ...got, code: /"code":"([a-z_]+)"/.exec(got.text)?.[1] ?? null }));
    });
    sending.end(body);
  });
}

const heardOf = (tag: number): number => rig.upstream.calls.filter(({ body }) => body.max_tokens === tag).length;

/** What is charged for a call, and how often. */
async function chargesOf(tag: number): Promise<number> {
  const { rows } = await rig.db.query(
    `SELECT 1 FROM calls c JOIN ledger_entries l ON l.call_id = c.id AND l.kind = 'usage' WHERE div(c.held, 1000000) = $1 AND l.amount > 0`,
    [tag],
  );
  return rows.length;
}

/** `spent`: repeats are told so. `again`: the call is made again. `replayed`: its answer is there. */
type Fate = 'spent' | 'again' | 'replayed';
const CASES: [point: string, stream: boolean, fate: Fate][] = [
  ['claim_committed', false, 'again'],
  ['hold_committed', false, 'again'],
  ['connected', false, 'spent'],
  ['first_byte', false, 'spent'],
  ['mid_stream', true, 'spent'],
  ['settle_committed', false, 'spent'],
  ['settle_committed', true, 'spent'],
  ['before_done', false, 'replayed'],
  ['before_done', true, 'replayed'],
];

describe('after kill -9', () => {
  const tags: number[] = [];
  let successor: Gateway;

  /** Processes start slowly and each dies after one call, so all die first, two at a time; their successor then answers for all. */
  beforeAll(async () => {
    const rest = [...CASES.entries()];
    const worker = async () => {
      for (let next = rest.shift(); next; next = rest.shift()) {
        const [n, [point, stream]] = next;
        tags[n] = rig.nextTag();
        const doomed = rig.launch('kept', { WEIR_CRASH: point });
        const { public: url } = await doomed.process.ready();
        await call(url, `crash-${n}`, tags[n], stream);
        expect(await doomed.process.exited()).toBe('SIGKILL');
      }
    };
    await Promise.all([worker(), worker()]);
    successor = await rig.spawn('kept');
  });

  test.each(CASES.map((one, n) => [n, ...one] as const))(
    '%i at %s (stream: %s) a repeat is %s, and there is one charge',
    async (n, _point, stream, fate) => {
      const tag = tags[n]!;
      const repeat = await call(successor.url!, `crash-${n}`, tag, stream);
      if (fate === 'spent') expect(repeat).toMatchObject({ status: 409, code: 'idempotency_spent' });
      else expect(repeat).toMatchObject({ status: 200, isReplay: fate === 'replayed' });
      const again = await call(successor.url!, `crash-${n}`, tag, stream);
      expect(again).toMatchObject(fate === 'spent' ? { code: 'idempotency_spent' } : { isReplay: true, text: repeat.text });
      expect(await chargesOf(tag)).toBe(1);
      expect(heardOf(tag)).toBeLessThanOrEqual(1);
    },
  );
});

test('a gateway that died and has no successor: its key waits for the ledger, and is spent once the call is booked', async () => {
  const other = await rig.spawn('stays');
  const tag = rig.nextTag();
  const doomed = rig.launch('lost', { WEIR_CRASH: 'first_byte' });
  await call((await doomed.process.ready()).public, 'lost', tag);
  await doomed.process.exited();
  expect(await call(other.url!, 'lost', tag)).toMatchObject({ code: 'idempotency_in_progress' });

  const unsent = rig.nextTag();
  const early = rig.launch('lost-early', { WEIR_CRASH: 'claim_committed' });
  await call((await early.process.ready()).public, 'early', unsent);
  await early.process.exited();
  expect(await call(other.url!, 'early', unsent)).toMatchObject({ code: 'idempotency_in_progress' });

  await moveClock(rig.db, '3 minutes');
  expect(await call(other.url!, 'early', unsent)).toMatchObject({ status: 200, isReplay: false });
  expect(await call(other.url!, 'lost', tag)).toMatchObject({ code: 'idempotency_in_progress' });
  await moveClock(rig.db, '1 hour');
  const worker = await rig.spawn('worker', { WEIR_ROLES: 'gateway,worker' }); // its start resolves what is due
  await moveClock(rig.db, '62 minutes');
  expect(await call(other.url!, 'lost', tag)).toMatchObject({ code: 'idempotency_spent' });
  expect(await chargesOf(tag)).toBe(1);
  await moveClock(rig.db, '0 hours');
  await rig.forgetSilent();
  for (const gateway of [other, worker]) await rig.end(gateway);
});

describe('over two processes', () => {
  let gateways: Gateway[];

  beforeAll(async () => {
    gateways = [await rig.spawn('one'), await rig.spawn('two')];
  });

  test.each([false, true])(
    'of 64 requests with one key one is made, and the others wait or get its answer (stream: %s)',
    async (stream) => {
      for (let round = 0; round < 5; round++) {
        const tag = rig.nextTag();
        rig.upstream.script = answer();
        const all = await Promise.all(Array.from({ length: 64 }, (_, n) => call(gateways[n % 2]!.url!, `crowd-${tag}`, tag, stream)));
        const made = all.filter(({ status, isReplay }) => status === 200 && !isReplay);
        expect(made).toHaveLength(1);
        for (const { status, code, text } of all)
          if (status === 200) expect(text).toBe(made[0]!.text);
          else expect([status, code]).toEqual([409, 'idempotency_in_progress']);
        expect(heardOf(tag)).toBe(1);
        expect(await chargesOf(tag)).toBe(1);
        for (const { url } of gateways)
          expect(await call(url!, `crowd-${tag}`, tag, stream)).toMatchObject({ isReplay: true, text: made[0]!.text });
      }
    },
  );

  test('a key that failed calls free is taken by one of many, again and again', async () => {
    const tag = rig.nextTag();
    rig.upstream.script = (_call, response) => {
      response.writeHead(400, { 'content-type': 'application/json' });
      response.end('{"error":{"message":"no"}}');
    };
    await Promise.all(Array.from({ length: 64 }, (_, n) => call(gateways[n % 2]!.url!, `failing-${tag}`, tag)));
    rig.upstream.script = answer();
    const before = heardOf(tag);
    const all = await Promise.all(Array.from({ length: 64 }, (_, n) => call(gateways[n % 2]!.url!, `failing-${tag}`, tag)));
    expect(all.filter(({ status, isReplay }) => status === 200 && !isReplay)).toHaveLength(1);
    expect(heardOf(tag) - before).toBe(1);
    expect(await chargesOf(tag)).toBe(1);
  });
});

test('the ledger is whole', async () => {
  await rig.settled();
  expect(await brokenInvariants(rig.db)).toEqual([]);
});
