import type { Pool } from 'pg';
import { AuditRepository } from '../../src/ledger/index.js';
import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool } from '../../src/platform/postgres/index.js';
import { type Gateway, PRICE, Rig } from '../faults/support/rig.js';
import { moveClock } from '../support/clock.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { quantity } from '../support/ledger.js';
import { chunk, delta, type Script, type UpstreamCall } from '../support/upstream.js';
import { admin, eventually } from '../support/weir.js';
import { lend } from './support/lent.js';

/**
 * A gateway that is lost takes with it what it saw of its calls. They are booked by what it told before, or by all that is held: the platform's
 * money and a tenant's cap stay true by the provider's own log.
 */

jest.setTimeout(90_000);

/** Each shows this many tokens, and most hide more. */
const WORDS = 60;
const SHOWN = (WORDS * 'word '.length) / 3;
const HIDDEN: Record<string, number> = { secretive: 8_000, plain: 0, thinker: 2 * SHOWN };
const LEARNED = 50;

interface InFlight {
  tag: number;
  model: string;
  ended: Promise<unknown>;
}
interface Booked {
  amount: bigint;
  held: bigint;
  estimated: boolean;
  error_code: string | null;
  output: number;
  kinds: string[];
}

let database: TestDatabase;
let db: Pool;
/** As the product's run-time role. */
let pool: Pool;
let rig: Rig;
let adminUrl: string;
let aheadSeconds = 0;
/** Lets answers end; until then they stop after what they show. */
let goOn = (): void => {};
let told = Promise.resolve();

beforeAll(async () => {
  database = await createDatabase();
  db = openPool(database.url);
  pool = createPool(database.url, { max: 2, statementTimeoutMs: 10_000, name: 'test' });
  rig = await Rig.start({ url: database.url, db });
  const control = rig.launch('control', { WEIR_ROLES: 'control,gateway' });
  const ready = await control.process.ready();
  adminUrl = ready.admin;
  const weir = { adminUrl, publicUrl: ready.public, operatorKey: rig.operatorKey, db, databaseUrl: database.url, stop: async () => {} };
  const { baseUrl } = rig.upstream;
  const post = (path: string, body: object) => admin(weir, rig.tenant.adminKey, 'POST', `/v1/organization/${path}`, body);
  const rates = { model: '*', input: '1', output: '1000' };
  await post('prices', { provider: 'own', ...rates });
  await post('providers', { name: 'own', type: 'openai', base_url: baseUrl, key: 'sk-own', models: Object.keys(HIDDEN) });
  await post('models', { provider: 'own', model: 'plain', reasoning: false });
  await admin(weir, rig.operatorKey, 'POST', '/v1/platform/prices', { provider: 'openai', ...rates, model: 'secretive' });
  await admin(weir, rig.operatorKey, 'POST', '/v1/platform/prices', { provider: 'openai', ...rates, model: 'plain' });
  const models = ['secretive', 'plain'];
  await lend(weir, [rig.tenant], { name: 'lent', type: 'openai', base_url: baseUrl, key: 'sk-lent', models });
  rig.upstream.script = answer;
});

afterEach(() => goOn());

afterAll(async () => {
  await rig?.stop();
  await Promise.all([db?.end(), pool?.end()]);
  await database?.drop();
});

const usageOf = ({ model }: UpstreamCall['body']) => ({ prompt_tokens: 9, completion_tokens: SHOWN + HIDDEN[model]! });
const costOf = (usage: ReturnType<typeof usageOf>) =>
  BigInt(usage.prompt_tokens) * PRICE.input + BigInt(usage.completion_tokens) * PRICE.output;
/** The provider bills what it made, whoever is there to hear of it. */
const billed = (tag: number): bigint => costOf(usageOf(rig.upstream.calls.find(({ body }) => body.max_tokens === tag)!.body));

const answer: Script = async ({ body }, response) => {
  const usage = usageOf(body);
  const text = 'word '.repeat(WORDS);
  if (body.stream) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    for (let word = 0; word < WORDS; word++) response.write(delta({ content: 'word ' }));
  }
  await told;
  if (body.stream) return void response.end(`${delta({}, 'stop')}${chunk({ choices: [], usage })}data: [DONE]\n\n`);
  const choices = [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }];
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: body.model, choices, usage }));
};

function stopAnswers(): void {
  told = new Promise((resolve) => (goOn = resolve));
}

const make = (gateway: Gateway, model: string, stream: boolean, tag = rig.nextTag()): Promise<Response> =>
  fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${rig.tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: tag, stream }),
  });

/** Resolves when the provider has it and its client all that is shown. */
async function begin(gateway: Gateway, model: string, stream: boolean): Promise<InFlight> {
  const tag = rig.nextTag();
  const reply = make(gateway, model, stream, tag);
  reply.catch(() => {});
  await eventually(async () => rig.upstream.calls.some(({ body }) => body.max_tokens === tag), 10_000);
  if (!stream) return { tag, model, ended: reply.then((response) => response.text()).catch(() => {}) };
  const reader = (await reply).body!.getReader();
  let text = '';
  while (text.split('word ').length <= WORDS) text += Buffer.from((await reader.read()).value!).toString();
  const rest = async () => {
    while (!(await reader.read()).done);
  };
  return { tag, model, ended: rest().catch(() => {}) };
}

/** A process that has just started on a busy machine may refuse a call. */
const learn = (gateway: Gateway): Promise<void> =>
  eventually(async () => {
    const reply = await make(gateway, 'own/thinker', true);
    return (await reply.text()).endsWith('[DONE]\n\n');
  }, 20_000);

/** Calls of every payer, that hide something and do not, streamed and whole; and what is known of each has been told. */
async function inFlight(gateway: Gateway): Promise<InFlight[]> {
  await Promise.all(Array.from({ length: LEARNED }, () => learn(gateway)));
  stopAnswers();
  const calls: InFlight[] = [];
  for (const model of ['lent/secretive', 'own/secretive'])
    for (const stream of [true, false]) calls.push(await begin(gateway, model, stream));
  for (const model of ['lent/plain', 'own/plain', 'own/thinker']) calls.push(await begin(gateway, model, true));
  const { rows } = await db.query(`SELECT weir_now() + interval '30 s' AS noted`);
  const isNoted = `SELECT count(*) FILTER (WHERE lease_until > $1) AS noted, count(*) AS open FROM holds WHERE state = 'open'`;
  await eventually(async () => {
    const [{ noted, open }] = (await db.query<{ noted: bigint; open: bigint }>(isNoted, [rows[0].noted])).rows as [
      { noted: bigint; open: bigint },
    ];
    return noted === open && Number(open) === calls.length;
  }, 15_000);
  return calls;
}

const bookedOf = async (tag: number): Promise<Booked> =>
  (
    await db.query<Booked>(
      `SELECT sum(l.amount)::bigint AS amount, c.held, c.estimated, c.error_code, sum(${quantity('l', 'output')})::int AS output, array_agg(l.kind ORDER BY l.booked_at) AS kinds
       FROM calls c JOIN ledger_entries l ON l.call_id = c.id WHERE div(c.held, $1) = $2 GROUP BY c.held, c.estimated, c.error_code`,
      [PRICE.output, tag],
    )
  ).rows[0]!;

/** Of whom something is hidden for sure or maybe is booked all that is held; of others what they showed, and what their model hides. */
async function expectEstimates(calls: InFlight[]): Promise<void> {
  for (const { tag, model } of calls) {
    const booked = await bookedOf(tag);
    expect([model, booked]).toEqual([model, expect.objectContaining({ estimated: true, error_code: 'gateway_lost', kinds: ['usage'] })]);
    if (model === 'own/plain' || model === 'own/thinker') {
      expect(booked.output).toBeGreaterThanOrEqual(SHOWN + HIDDEN[model.slice(4)]!);
      expect(booked.amount).toBeLessThan(booked.held);
    } else expect([model, booked.amount, booked.output]).toEqual([model, booked.held, tag]);
    expect(booked.amount).toBeGreaterThanOrEqual(billed(tag));
  }
}

const breaches = async () => (await new AuditRepository(pool).audit('full')).breaches.map(({ message }) => message);
const held = async () => (await db.query('SELECT sum(held)::bigint AS held FROM budget_periods')).rows[0].held;
const passes = async (seconds: number) => {
  aheadSeconds += seconds;
  await moveClock(db, `${aheadSeconds} s`);
};

test('kill -9: the next start books what was told of each call, or all that is held, and counts both', async () => {
  const gateway = await rig.spawn('killed');
  const calls = await inFlight(gateway);
  await rig.kill(gateway);
  await Promise.all(calls.map(({ ended }) => ended));
  const next = rig.launch('killed');
  const ready = await next.process.ready();
  await expectEstimates(calls);
  expect(await held()).toBe(0n);
  expect(await breaches()).toEqual([]);
  const metrics = await (await fetch(`${ready.admin}/metrics`)).text();
  expect(metrics).toContain('weir_estimated_calls_total{reason="gateway_lost",basis="hold"} 5');
  expect(metrics).toContain('weir_estimated_calls_total{reason="gateway_lost",basis="checkpoint"} 2');
  await rig.end(next);
});

test("a machine that is lost, and an operator's word: the same", async () => {
  const gateway = await rig.spawn('burnt');
  const calls = await inFlight(gateway);
  await rig.kill(gateway);
  await Promise.all(calls.map(({ ended }) => ended));
  await passes(40);
  const asOperator = <T>(method: string, path: string, body?: object) =>
    admin<T>({ adminUrl }, rig.operatorKey, method, `/v1/platform/gateways${path}`, body);
  const [{ id }] = (await asOperator<{ data: [{ id: string }] }>('GET', '')).data;
  await asOperator('POST', `/${id}/forget`, { reason: 'its machine burnt down' });
  await expectEstimates(calls);
  expect(await held()).toBe(0n);
  expect(await breaches()).toEqual([]);
});

test('a gateway that is frozen beyond the deadline of its calls: the same, and the rest of each hold stays held; its truth corrects all of it', async () => {
  const gateway = await rig.spawn('frozen');
  const calls = await inFlight(gateway);
  gateway.process.child.kill('SIGSTOP');
  await passes(2_000);
  await new LedgerRepository(pool).reap(100);
  await expectEstimates(calls);
  let rest = 0n;
  for (const { tag } of calls) {
    const { amount, held } = await bookedOf(tag);
    rest += held - amount;
  }
  expect(await held()).toBe(rest);
  expect(await breaches()).toEqual([]);

  goOn();
  gateway.process.child.kill('SIGCONT');
  await Promise.all(calls.map(({ ended }) => ended));
  for (const { tag } of calls) await eventually(async () => (await bookedOf(tag)).kinds.length === 2, 15_000);
  for (const { tag, model } of calls) expect([model, (await bookedOf(tag)).amount]).toEqual([model, billed(tag)]);
  expect(await held()).toBe(0n);
  expect(await breaches()).toEqual([]);
  await rig.end(gateway);
});
