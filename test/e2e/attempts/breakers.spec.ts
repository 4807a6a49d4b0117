import { BreakersRepository } from '../../../src/breakers/index.js';
import { lend, operator } from '../../attacks/support/lent.js';
import { brokenInvariants } from '../../support/ledger.js';
import { answer, delta, hang, json, type Script, ScriptedUpstream } from '../../support/upstream.js';
import {
  createTenant,
  eventually,
  type SecondGateway,
  startSecondGateway,
  startTestWeir,
  type TestTenant,
  type TestWeir,
} from '../../support/weir.js';

interface Breaker {
  model: string;
  key: string | null;
  tenant: string | null;
  state: string;
  reason: string;
  failures: number;
  until: number;
}

interface Provider {
  id: string;
  keys: { id: string }[];
  breakers: Breaker[];
}

let upstream: ScriptedUpstream;
let weir: TestWeir;
let second: SecondGateway;
let tenant: TestTenant;
let provider: Provider;

const environment = () => ({ WEIR_EGRESS_ALLOW: upstream.hostPort, WEIR_RETRIES: '2', WEIR_BREAKER_FAILURES: '5' });
const failed = json(500, { error: { message: 'down', type: 'server_error' } });
const REASON = 'failed 5 times in a row, last: upstream_error (500)';

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  weir = await startTestWeir(environment());
  second = await startSecondGateway(weir, environment());
});

afterAll(async () => {
  await second?.stop();
  await weir?.stop();
  await upstream?.stop();
});

beforeEach(async () => {
  upstream.script = answer();
  tenant = await createTenant(weir);
  provider = await tenant.admin<Provider>('POST', '/v1/organization/providers', {
    name: 'up',
    type: 'openai',
    base_url: upstream.baseUrl,
    key: 'sk-breakers-first-key-aaaa',
    models: ['test-model', 'other-model'],
  });
  // Of another model: what is counted here begins with the test.
  for (const at of [weir, second]) await eventually(async () => (await call(at, tenant, { model: 'up/other-model' })).status === 200);
  upstream.calls.length = 0;
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

async function call(at: { publicUrl: string } = weir, { apiKey } = tenant, body: object = {}, headers: Record<string, string> = {}) {
  const response = await fetch(`${at.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100, ...body }),
  });
  const text = await response.text();
  const { error } = response.ok ? {} : (JSON.parse(text) as { error: { code: string; message: string } });
  return {
    status: response.status,
    attempts: response.headers.get('x-weir-attempts'),
    retryAfter: Number(response.headers.get('retry-after')),
    retry: response.headers.get('x-should-retry'),
    code: error?.code,
    message: error?.message,
  };
}

/** Two calls fail: the second one at its second attempt, which is the fifth in a row. */
async function open(at = weir, of = tenant): Promise<void> {
  upstream.script = failed;
  expect(await call(at, of)).toMatchObject({ status: 502, attempts: '3' });
  expect(await call(at, of)).toMatchObject({ status: 502, code: 'upstream_error', attempts: '2' });
}

const isClosedFor = async (at: { publicUrl: string }, of = tenant) => (await call(at, of)).code === 'provider_unavailable';

test('a target that failed five times in a row gets nothing more: its calls are refused at once, with the reason and the time', async () => {
  await open();
  const openedAt = performance.now();
  expect(upstream.calls).toHaveLength(5);
  const refused = await call();
  expect(refused).toMatchObject({ status: 503, code: 'provider_unavailable', retry: 'true', attempts: null });
  expect(refused.message).toMatch(
    /^The model "test-model" of the provider "up" failed 5 times in a row, last: upstream_error \(500\)\. It is tried again in [45] s\.$/,
  );
  expect([4, 5]).toContain(refused.retryAfter);
  expect((await call(weir, tenant, { stream: true })).status).toBe(503);
  expect(upstream.calls).toHaveLength(5);

  // Nothing goes there until its time is over; then one does, and it is open for longer.
  await eventually(async () => (await call()).code !== 'provider_unavailable', 10_000);
  expect(performance.now() - openedAt).toBeGreaterThan(4_900);
  expect(upstream.calls).toHaveLength(6);
  expect((await call()).retryAfter).toBeGreaterThan(5);
  expect(upstream.calls).toHaveLength(6);
});

test('once its time is over one call tries it, and the others are refused until it is answered', async () => {
  await open();
  let goOn = () => {};
  const more = new Promise<void>((resolve) => (goOn = resolve));
  upstream.script = async (seen, response) => {
    await more;
    await answer()(seen, response);
  };
  const calls: ReturnType<typeof call>[] = [];
  await eventually(async () => {
    calls.push(call());
    return upstream.calls.length === 6;
  }, 10_000);
  for (let n = 0; n < 10; n++) expect(await isClosedFor(weir)).toBe(true);
  goOn();
  expect((await Promise.all(calls)).filter(({ status }) => status === 200)).toHaveLength(1);
  expect(upstream.calls).toHaveLength(6);
  upstream.script = answer();
  expect((await call()).status).toBe(200);
});

test('a stream that tries it lets others through from its first word', async () => {
  await open();
  let end = () => {};
  upstream.script = (seen, response) => {
    if (!seen.body.stream) return answer()(seen, response);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ role: 'assistant', content: '' }) + delta({ content: 'first' }));
    end = () => response.end(`${delta({}, 'stop')}data: [DONE]\n\n`);
  };
  let running: ReturnType<typeof call> | undefined;
  await eventually(async () => {
    running = call(weir, tenant, { stream: true });
    await Promise.race([running, upstream.received(6)]);
    return upstream.calls.length === 6;
  }, 10_000);
  await eventually(async () => (await call()).status === 200);
  end();
  expect((await running!).status).toBe(200);
});

test('the other gateway refuses its calls within a second, and so does one that starts', async () => {
  await open();
  const openedAt = performance.now();
  await eventually(() => isClosedFor(second), 1_000);
  expect(performance.now() - openedAt).toBeLessThan(1_000);
  expect((await call(second)).message).toContain(REASON);
  const sent = upstream.calls.length;
  const third = await startSecondGateway(weir, environment());
  try {
    // Another failed trial of the first makes it long enough for the start.
    await eventually(async () => (await call()).retryAfter > 5, 10_000);
    await eventually(() => isClosedFor(third), 2_000);
    expect(upstream.calls.length).toBeLessThanOrEqual(sent + 3);
  } finally {
    await third.stop();
  }
});

test('what one gateway finds to be well again the other tries at once', async () => {
  await open();
  await eventually(() => isClosedFor(second), 1_000);
  // It waits twice as long as the other.
  await eventually(async () => (await call(second)).code === 'upstream_error', 10_000);
  await eventually(async () => (await call()).retryAfter > 5, 2_000);
  upstream.script = answer();
  await eventually(async () => (await call(second)).status === 200, 15_000);
  await eventually(async () => (await call()).status === 200, 1_500);
});

test('other models of the provider, and providers of other tenants, are called as before', async () => {
  const other = await createTenant(weir);
  await other.admin('POST', '/v1/organization/providers', {
    name: 'up',
    type: 'openai',
    base_url: upstream.baseUrl,
    key: 'sk-other-key-of-other',
  });
  await eventually(async () => (await call(weir, other)).status === 200);
  await open();
  upstream.script = answer();
  expect(await isClosedFor(weir)).toBe(true);
  expect((await call(weir, tenant, { model: 'up/other-model' })).status).toBe(200);
  expect((await call(weir, other)).status).toBe(200);
});

test.each<[string, Script, number]>([
  ['400s', json(400, { error: { message: 'no', type: 'invalid_request_error' } }), 400],
  ['404s', json(404, { error: { message: 'no', type: 'invalid_request_error' } }), 404],
  ['422s', json(422, { error: { message: 'no', type: 'invalid_request_error' } }), 422],
  ['429s of a single key', json(429, { error: { message: 'slow down', type: 'requests' } }, { 'retry-after': '60' }), 429],
  ['401s', json(401, { error: { message: 'no', type: 'invalid_request_error' } }), 502],
])('%s never open it', async (_, script, status) => {
  upstream.script = script;
  for (let n = 0; n < 12; n++) expect((await call()).status).toBe(status);
  upstream.script = answer();
  expect((await call()).status).toBe(200);
});

test('clients that leave never open it', async () => {
  upstream.script = hang;
  for (let n = 0; n < 8; n++) {
    const leaving = new AbortController();
    const gone = fetch(`${weir.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      signal: leaving.signal,
      headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }] }),
    }).catch(() => 'left');
    await upstream.received(n + 1);
    leaving.abort();
    expect(await gone).toBe('left');
  }
  upstream.script = answer();
  expect((await call()).status).toBe(200);
});

test('a call with several targets goes on past one that is left alone, and where none answers the error says why', async () => {
  await open();
  upstream.script = (seen, response) => (seen.body.model === 'test-model' ? failed : answer())(seen, response);
  const models = { models: ['up/test-model', 'up/other-model'] };
  const sent = upstream.calls.length;
  expect(await call(weir, tenant, models)).toMatchObject({ status: 200, attempts: '1' });
  expect(upstream.calls.slice(sent).map(({ body }) => body.model)).toEqual(['other-model']);
  upstream.script = json(503, { error: { message: 'down', type: 'server_error' } });
  const { status, message } = await call(weir, tenant, models);
  expect(status).toBe(502);
  expect(message).toContain(`"up/test-model": The model "test-model" of the provider "up" ${REASON}.`);
  expect(message).toContain('"up/other-model"');
});

test('a key with which it fails is left alone, and the calls are served with the other', async () => {
  const FIRST = 'Bearer sk-breakers-first-key-aaaa';
  await tenant.admin('POST', `/v1/organization/providers/${provider.id}/keys`, { key: 'sk-breakers-second-key-bbbb' });
  const keys = () => upstream.calls.map(({ headers }) => headers['authorization']);
  await eventually(async () => (await call()) && new Set(keys()).size === 2);
  upstream.script = (seen, response) => (seen.headers['authorization'] === FIRST ? failed : answer())(seen, response);
  await eventually(async () => {
    await call();
    const { breakers } = await tenant.admin<Provider>('GET', `/v1/organization/providers/${provider.id}`);
    return breakers.length === 1;
  });
  upstream.calls.length = 0;
  for (let n = 0; n < 6; n++) expect(await call()).toMatchObject({ status: 200, attempts: '1' });
  // Conversations keep to a key only while it is not left alone.
  for (let n = 0; n < 6; n++) {
    const session = { 'x-weir-session': `chat-${n}` };
    expect(await call(weir, tenant, {}, session)).toMatchObject({ status: 200, attempts: '1' });
  }
  expect(keys()).not.toContain(FIRST);
});

test('the admin REST shows what is left alone until when, and why; the metrics show how many', async () => {
  const read = () => tenant.admin<Provider>('GET', `/v1/organization/providers/${provider.id}`);
  expect((await read()).breakers).toEqual([]);
  await open();
  await eventually(async () => (await read()).breakers.length === 1);
  const { breakers, keys } = await read();
  expect(breakers).toEqual([
    {
      object: 'provider.breaker',
      model: 'test-model',
      key: keys[0]!.id,
      tenant: tenant.id,
      state: 'open',
      reason: REASON,
      failures: 5,
      until: expect.any(Number),
    },
  ]);
  expect(breakers[0]!.until - Date.now() / 1000).toBeGreaterThan(2);
  expect(breakers[0]!.until - Date.now() / 1000).toBeLessThan(6);
  const metrics = await (await fetch(`${weir.adminUrl}/metrics`)).text();
  expect(metrics).toMatch(/^weir_breakers_open\{provider="openai"\} [1-9]/m);
  expect(metrics).toMatch(/^weir_breaker_changes_total\{to="open"\} [1-9]/m);
  upstream.script = answer();
  await eventually(async () => (await call()).status === 200, 10_000);
  await eventually(async () => (await read()).breakers.length === 0);
});

test("a platform's provider is left alone for the tenant whose calls fail, and for all once two tenants' do", async () => {
  const name = `lent-${tenant.id.slice(-6)}`;
  const tenants = [tenant, await createTenant(weir), await createTenant(weir)] as const;
  const [a, b, c] = tenants;
  for (const one of tenants)
    await operator(weir, 'POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' }, one);
  const id = await lend(weir, tenants, { name, type: 'openai', base_url: upstream.baseUrl, key: 'sk-lent-key', models: ['test-model'] });
  const ask = (of: TestTenant) => call(weir, of, { model: `${name}/test-model` });
  for (const one of tenants) await eventually(async () => (await ask(one)).status === 200);

  const fail = async (one: TestTenant) => {
    upstream.script = failed;
    await eventually(async () => (await ask(one)).code === 'provider_unavailable');
    upstream.script = answer();
  };
  await fail(a);
  expect([(await ask(a)).status, (await ask(b)).status, (await ask(c)).status]).toEqual([503, 200, 200]);
  await fail(b);
  expect([(await ask(b)).status, (await ask(c)).status]).toEqual([503, 503]);
  const shown = async () => (await operator<Provider>(weir, 'GET', `/v1/platform/credentials/${id}`)).breakers;
  await eventually(async () => (await shown()).length === 3);
  expect(new Set((await shown()).map((breaker) => breaker.tenant))).toEqual(new Set([a.id, b.id, null]));
  await eventually(async () => (await ask(c)).status === 200, 10_000);
});

test('what nobody called for ten minutes is removed', async () => {
  const providerId = provider.id.replace('prov_', '');
  for (const [model, minutes] of [
    ['old', 11],
    ['young', 9],
  ] as const)
    await weir.db.query(
      `INSERT INTO target_health (id, provider_id, model, reason, failures, open_until, changed_at)
       VALUES (gen_random_uuid(), $1, $2, 'failed 5 times in a row', 5, now() - make_interval(mins => $3), now())`,
      [providerId, model, minutes],
    );
  await new BreakersRepository(weir.db).purge(1_000);
  const { rows } = await weir.db.query('SELECT model FROM target_health WHERE provider_id = $1', [providerId]);
  expect(rows).toEqual([{ model: 'young' }]);
});
