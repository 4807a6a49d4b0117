import type { Pool } from 'pg';
import { AuditRepository } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool, sqlFunction } from '../../src/platform/postgres/index.js';
import { call, type Seen } from '../faults/support/client.js';
import { type Gateway, PRICE, Rig } from '../faults/support/rig.js';
import { clockThatJumps } from '../faults/support/wrong-clock.js';
import { AuthorizationServer } from '../support/authorization-server.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { TcpProxy } from '../support/tcp-proxy.js';
import { chunk, delta, type Script } from '../support/upstream.js';
import { admin, eventually } from '../support/weir.js';

/** A stopped gateway may wake up, and one that is cut off may come back: until it is known to be gone, what it may book stays out of reach. */

jest.setTimeout(60_000);

/** One call of 10,000 output tokens fits, two do not. */
const LIMIT = 12_000_000_000n;
const USAGE = { prompt_tokens: 9, completion_tokens: 9_500 };
const COST = BigInt(USAGE.prompt_tokens) * PRICE.input + BigInt(USAGE.completion_tokens) * PRICE.output;

let database: TestDatabase;
let db: Pool;
/** As the product's run-time role. */
let pool: Pool;
let ledger: LedgerRepository;
let proxy: TcpProxy;
/** Where a provider's tokens come from. */
let logins: AuthorizationServer;
let rig: Rig;
let other: Gateway;
let adminUrl: string;
/** How far the ledger's clock is ahead. */
let aheadSeconds = 0;

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  pool = createPool(database.url, { max: 2, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
  ledger = new LedgerRepository(pool);
  logins = await AuthorizationServer.start();
  proxy = await TcpProxy.start(Number(new URL(database.url).port));
  rig = await Rig.start(
    { url: database.url, db },
    {
      async prepare(_, post) {
        await post('budgets', { scope: { kind: 'tenant' }, limit: '12.00', period: 'lifetime' });
        // What is seen of a stream of it is all there is.
        await post('models', { provider: 'up', model: 'test-model', reasoning: false });
      },
    },
  );
  other = rig.launch('other', { WEIR_ROLES: 'control,gateway', ...allowLogins() });
  const ready = await other.process.ready();
  other.url = ready.public;
  adminUrl = ready.admin;
  const post = (path: string, body: object) => admin({ adminUrl }, rig.tenant.adminKey, 'POST', `/v1/organization/${path}`, body);
  await post('prices', { provider: 'azure', model: '*', input: '1', output: '1000' });
  const credential = { type: 'entra', tenant_id: 'ours', client_id: 'app', client_secret: 'entra~secret', authority: logins.url };
  const azure = { name: 'azure', type: 'azure-openai', base_url: `${rig.upstream.baseUrl}`, credential, models: ['test-model'] };
  await post('providers', azure);
});

beforeEach(async () => {
  await proxy.set({ kind: 'pass' });
  const { rows } = await db.query('SELECT tenant_id, budget_id, scope_value FROM budget_periods');
  for (const { tenant_id, budget_id, scope_value } of rows)
    await pool.query(`SELECT FROM ${sqlFunction('reset_period')}($1, $2, $3, 'test', NULL, gen_random_uuid())`, [
      tenant_id,
      budget_id,
      scope_value,
    ]);
});

afterAll(async () => {
  await rig?.stop();
  await proxy?.stop();
  await logins?.stop();
  await Promise.all([db?.end(), pool?.end()]);
  await database?.drop();
});

const allowLogins = () => ({ WEIR_EGRESS_ALLOW: `${rig.upstream.hostPort},${logins.hostPort}` });

/** The lifetime budget. */
const budget = async (): Promise<{ spent: bigint; held: bigint }> =>
  (await db.query('SELECT spent, held FROM budget_periods WHERE limit_nano = $1', [LIMIT])).rows[0];
const expectWithinLimit = async () => {
  const { spent, held } = await budget();
  expect(spent + held).toBeLessThanOrEqual(LIMIT);
};
const breaches = async () => (await new AuditRepository(pool).audit('full')).breaches.map(({ invariant }) => invariant);
const entriesOf = async (tag: number) =>
  (
    await db.query(
      `SELECT l.kind, l.amount FROM ledger_entries l JOIN calls c ON c.id = l.call_id WHERE div(c.held, $1) = $2 ORDER BY l.booked_at`,
      [PRICE.output, tag],
    )
  ).rows as { kind: string; amount: bigint }[];
const bookedOf = async (tag: number) => (await entriesOf(tag)).reduce((sum, { amount }) => sum + amount, 0n);
const noted = async (tag: number): Promise<bigint> =>
  (await db.query('SELECT checkpoint_output_tokens AS noted FROM holds WHERE div(amount, $1) = $2', [PRICE.output, tag])).rows[0].noted;
const openHolds = async () => (await db.query(`SELECT FROM holds WHERE state = 'open'`)).rowCount;

async function passes(seconds: number): Promise<void> {
  aheadSeconds += seconds;
  await moveClock(db, `${aheadSeconds} s`);
  await ledger.reap(100);
}

/** Begins at once and ends when it is told to; billed in full. */
function pausedAnswer(): { script: Script; goOn: () => void } {
  let goOn = () => {};
  const told = new Promise<void>((resolve) => (goOn = resolve));
  const script: Script = async (seen, response) => {
    if (seen.body.stream) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(delta({ content: 'first ' }));
    }
    await told;
    seen.billed = USAGE;
    if (seen.body.stream) return void response.end(`${delta({}, 'stop')}${chunk({ choices: [], usage: USAGE })}data: [DONE]\n\n`);
    const choices = [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }];
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'test-model', choices, usage: USAGE }));
  };
  return { script, goOn };
}

const answerAtOnce: Script = (seen, response) => {
  const { script, goOn } = pausedAnswer();
  goOn();
  return script(seen, response);
};

const make = (gateway: Gateway, stream = false, tag = rig.nextTag()): Promise<Seen> =>
  call({ url: gateway.url!, key: rig.tenant.apiKey, tag, stream });

/** A call that the provider has and does not end before it is told to; of a stream, what is seen of it has been told. */
async function inFlight(gateway: Gateway, stream: boolean): Promise<{ tag: number; goOn: () => void; ended: Promise<Seen> }> {
  const { script, goOn } = pausedAnswer();
  rig.upstream.script = script;
  const tag = rig.nextTag();
  const ended = make(gateway, stream, tag);
  await eventually(async () => rig.upstream.calls.some(({ body }) => body.max_tokens === tag), 10_000);
  rig.upstream.script = answerAtOnce;
  if (stream) await eventually(async () => (await noted(tag)) > 0n, 15_000);
  return { tag, goOn, ended };
}

const LOST: [string, boolean, (gateway: Gateway) => unknown, (gateway: Gateway) => unknown][] = [true, false].flatMap((stream) => [
  [
    'stopped',
    stream,
    (gateway: Gateway) => gateway.process.child.kill('SIGSTOP'),
    (gateway: Gateway) => gateway.process.child.kill('SIGCONT'),
  ],
  ['cut off from Postgres', stream, () => proxy.set({ kind: 'black-hole' }), () => proxy.set({ kind: 'pass' })],
]);

test.each(LOST)(
  'a gateway that is %s with a call in flight (stream: %s) does not take a budget above its limit when it comes back',
  async (_how, stream, begin, end) => {
    const gateway = await rig.spawn(`lost-${rig.nextTag()}`, { DATABASE_URL: database.url.replace(/:\d+\//, `:${proxy.port}/`) });
    const lost = await inFlight(gateway, stream);
    await begin(gateway);

    await passes(40); // its lease is over
    expect(await make(other)).toMatchObject({ status: 429, code: 'budget_held' });
    expect(await entriesOf(lost.tag)).toEqual([]);
    await passes(2_000); // its call can no longer run
    expect(await entriesOf(lost.tag)).toMatchObject([{ kind: 'usage' }]);
    // Of a stream an estimate is booked, and the rest held apart; of an answer of which nothing was seen all is booked.
    const refusal = stream ? { status: 429, code: 'budget_held' } : { status: 402, code: 'request_exceeds_budget' };
    expect(await make(other)).toMatchObject(refusal);
    await expectWithinLimit();
    expect(await breaches()).toEqual([]);

    lost.goOn();
    await end(gateway);
    expect(await lost.ended).toMatchObject({ end: 'whole' });
    await eventually(async () => (await entriesOf(lost.tag)).length === 2, 15_000);
    expect(await entriesOf(lost.tag)).toMatchObject([{ kind: 'usage' }, { kind: 'late' }]);
    expect(await bookedOf(lost.tag)).toBe(COST);
    expect(await budget()).toEqual({ spent: COST, held: 0n });
    expect(await breaches()).toEqual([]);
    await rig.kill(gateway);
  },
);

test('a second start on the home of a stopped gateway takes nothing from it; once its process is dead, the next start frees all of it', async () => {
  const gateway = await rig.spawn('shared');
  const { tag, ended } = await inFlight(gateway, true);
  gateway.process.child.kill('SIGSTOP');
  await passes(40);
  const before = await budget();
  const second = rig.launch('shared');
  await second.process.ready();
  expect(await openHolds()).toBe(1);
  expect(await budget()).toEqual(before);
  await passes(2_000);
  expect((await budget()).spent + (await budget()).held).toBe(before.held);

  await rig.kill(gateway);
  await ended;
  await rig.kill(second);
  const third = rig.launch('shared');
  await third.process.ready();
  expect(await entriesOf(tag)).toMatchObject([{ kind: 'usage' }]);
  expect((await budget()).held).toBe(0n);
  await rig.kill(third);
});

test("an operator's word frees what a lost gateway holds, never while it is heard of; if the word was wrong, the audit says so", async () => {
  const gateway = await rig.spawn('unlucky');
  const lost = await inFlight(gateway, true);
  gateway.process.child.kill('SIGSTOP');
  const asOperator = <T>(method: string, path: string, body?: object) =>
    admin<T>({ adminUrl }, rig.operatorKey, method, `/v1/platform/gateways${path}`, body);
  const { rows } = await db.query(`SELECT gateway_id FROM holds WHERE state = 'open'`);
  const id = `gw_${rows[0].gateway_id.replaceAll('-', '')}`;
  await expect(asOperator('POST', `/${id}/forget`, { reason: 'its machine burnt down' })).rejects.toThrow(/409.*heard of/s);

  await passes(40);
  expect(await asOperator('GET', '')).toMatchObject({ data: [{ id, open: { calls: 1 }, held_apart: { calls: 0 }, gone_at: null }] });
  await passes(2_000);
  const [listed] = (await asOperator<{ data: { host: string; held_apart: { amount: string } }[] }>('GET', '')).data;
  expect(listed).toMatchObject({ id, open: { calls: 0 }, held_apart: { calls: 1 } });
  expect(listed!.host).not.toBeNull();
  const { data: budgets } = await admin<{ data: { limit: string; current_period: object }[] }>(
    { adminUrl },
    rig.tenant.adminKey,
    'GET',
    '/v1/organization/budgets',
  );
  const { amount } = listed!.held_apart;
  expect(budgets.find(({ limit }) => limit === '12.00')!.current_period).toMatchObject({ held: amount, held_apart: amount });

  expect(await asOperator('POST', `/${id}/forget`, { reason: 'its machine burnt down' })).toMatchObject({ forgotten: true });
  expect((await budget()).held).toBe(0n);
  expect(await asOperator('GET', '')).toMatchObject({ data: [] });
  expect(await make(other)).toMatchObject({ end: 'whole' });
  expect(await breaches()).toEqual([]);

  lost.goOn();
  gateway.process.child.kill('SIGCONT');
  await lost.ended;
  await eventually(async () => (await bookedOf(lost.tag)) === COST, 15_000);
  expect(await breaches()).toEqual(['I3']);
  await rig.kill(gateway);
});

test('a gateway whose machine was suspended between its hold and its request does not send it', async () => {
  // A suspended machine stops the monotonic clock as well: only its wall clock tells.
  const gateway = await rig.spawn('woken', { ...allowLogins(), ...clockThatJumps(60_000) });
  rig.upstream.script = answerAtOnce;
  const before = rig.upstream.calls.length;
  const asked = logins.requests.length;
  let giveToken = () => {};
  logins.script = (request, response) => {
    giveToken = () => logins.giveToken()(request, response);
  };
  const ended = fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${rig.tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'azure/test-model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100 }),
  });
  await eventually(async () => logins.requests.length > asked, 10_000);
  expect(await openHolds()).toBe(1);
  gateway.process.child.kill('SIGUSR2');
  for (let i = 0; i < 3; i++) await fetch(`${gateway.url}/v1/models`); // the signal is handled
  giveToken();
  const reply = await ended;
  expect([reply.status, ((await reply.json()) as { error: { code: string } }).error.code]).toEqual([503, 'hold_expired']);
  expect(rig.upstream.calls).toHaveLength(before);
  await eventually(async () => (await openHolds()) === 0);
  expect((await db.query('SELECT status FROM calls ORDER BY finished_at DESC LIMIT 1')).rows).toEqual([{ status: 'failed' }]);
  await rig.kill(gateway);
});
