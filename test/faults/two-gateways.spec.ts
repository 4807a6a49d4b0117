import { LedgerRepository } from '../../src/ledger/ledger.repository.js';
import { createPool } from '../../src/platform/postgres/index.js';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants } from '../support/ledger.js';
import { answer, hang, json } from '../support/upstream.js';
import { admin, eventually } from '../support/weir.js';
import { type Gateway, Rig } from './support/rig.js';

/** What one process knows, the other knows within a second. A busy machine is given more. */
const WITHIN_MS = 5_000;

jest.setTimeout(120_000);

let database: TestDatabase;
let rig: Rig;
/** Two processes, each with a home of its own, as on two machines. */
let one: Gateway & { adminUrl: string };
let two: Gateway;

const ask = async ({ url }: Gateway, model: string) => {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${rig.tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20 }),
  });
  const { error } = (await response.json()) as { error?: { code: string } };
  return { status: response.status, served: response.headers.get('x-weir-model'), code: error?.code };
};
/** Whether a call is refused without a request to the provider. */
const isSpared = async (gateway: Gateway, model: string) => {
  const before = rig.upstream.calls.length;
  const { status } = await ask(gateway, model);
  return status !== 200 && rig.upstream.calls.length === before;
};
const post = <T>(path: string, body: object) => admin<T>(one, rig.tenant.adminKey, 'POST', `/v1/organization/${path}`, body);

beforeAll(async () => {
  database = await createDatabase();
  rig = await Rig.start(
    { url: database.url, db: openPool(database.url) },
    { environment: { WEIR_BREAKER_FAILURES: '3', WEIR_RETRIES: '1' } },
  );
  const begun = rig.launch('one', { WEIR_ROLES: 'control,gateway' });
  two = await rig.spawn('two');
  const ready = await begun.process.ready();
  one = { ...begun, url: ready.public, adminUrl: ready.admin };
  for (const name of ['limited', 'broken', 'late']) {
    await post('prices', { provider: name, model: '*', input: '1', output: '2' });
    const base_url = `http://${rig.upstream.hostPort}/v1`;
    const { id } = await post<{ id: string }>('providers', {
      name,
      type: 'openai',
      base_url,
      key: `sk-secret-of-${name}`,
      no_verify: true,
    });
    if (name === 'limited') await post(`providers/${id}/keys`, { key: 'sk-the-other-key-of-limited' });
  }
  for (const name of ['limited', 'broken', 'late'])
    await eventually(async () => (await ask(two, `${name}/test-model`)).status === 200, WITHIN_MS);
});

afterAll(async () => {
  await rig?.stop();
  await rig?.db.end();
  await database?.drop();
});

test('a route made through one process is used by the other', async () => {
  await post('routes', { name: 'smart', match: { kind: 'exact', value: 'smart' }, targets: [{ model: 'late/test-model' }] });
  await eventually(async () => (await ask(two, 'smart')).served === 'late/test-model', WITHIN_MS);
});

test('a cooldown that one process begins is obeyed by the other', async () => {
  const limit = json(429, { error: { message: 'slow down' } }, { 'retry-after': '60' });
  const usesFirst = async (gateway: Gateway) => {
    const before = rig.upstream.calls.length;
    for (let n = 0; n < 4; n++) await ask(gateway, 'limited/test-model');
    return rig.upstream.calls.slice(before).some(({ headers }) => headers['authorization'] === 'Bearer sk-secret-of-limited');
  };
  let isLimited = true;
  rig.upstream.script = (call, response) => {
    const limits = !isLimited && call.headers['authorization'] === 'Bearer sk-secret-of-limited';
    isLimited ||= limits;
    return (limits ? limit : answer())(call, response);
  };
  expect(await usesFirst(two)).toBe(true);
  isLimited = false;
  while (!isLimited) await ask(one, 'limited/test-model');
  await eventually(async () => !(await usesFirst(two)), WITHIN_MS);
});

test('a breaker that one process opens is obeyed by the other', async () => {
  rig.upstream.script = json(500, { error: { message: 'oops' } });
  for (let n = 0; n < 2; n++) await ask(one, 'broken/test-model');
  rig.upstream.script = answer();
  await eventually(() => isSpared(two, 'broken/test-model'), WITHIN_MS);
});

test('kill -9 after a failed attempt: a reaper elsewhere books the call with its attempts, as sent only if it was sent again', async () => {
  const before = rig.upstream.calls.length;
  const refusal = (wait: string) => json(503, { error: { message: 'down' } }, { 'retry-after-ms': wait });
  rig.upstream.script = refusal('1');
  const again = ask(one, 'late/test-model').catch(() => null);
  await rig.upstream.received(before + 1);
  rig.upstream.script = hang;
  await rig.upstream.received(before + 2);
  rig.upstream.script = refusal('10000');
  const waiting = ask(one, 'late/test-model').catch(() => null);
  await eventually(async () => (await rig.db.query(`SELECT FROM holds WHERE state = 'open' AND NOT sent`)).rowCount === 1);
  await rig.kill(one);
  await Promise.all([again, waiting]);
  await rig.db.query(`UPDATE holds SET lease_until = '-infinity' WHERE state = 'open'`);
  const pool = createPool(database.url, { max: 1, statementTimeoutMs: 10_000, name: 'reaper' });
  await new LedgerRepository(pool).reap(10);
  await pool.end();
  const { rows } = await rig.db.query(`SELECT status, attempts FROM calls WHERE error_code = 'gateway_lost' ORDER BY id`);
  const failed = { provider: 'late', model: 'test-model', status: 503, reason: 'upstream_error', latency_ms: expect.any(Number) };
  const lost = { provider: 'late', status: null, reason: 'gateway_lost', latency_ms: null };
  expect(rows).toMatchObject([
    { status: 'cut', attempts: [failed, lost] },
    { status: 'failed', attempts: [failed] },
  ]);
  expect(await brokenInvariants(rig.db)).toEqual([]);
});
