import { brokenInvariants } from '../../support/ledger.js';
import { answer, json, type Script, ScriptedUpstream } from '../../support/upstream.js';
import {
  createTenant,
  eventually,
  type SecondGateway,
  startSecondGateway,
  startTestWeir,
  type TestTenant,
  type TestWeir,
} from '../../support/weir.js';

const [A, B] = ['sk-cooldowns-first-aaaa', 'sk-cooldowns-second-bbbb'] as const;

let upstream: ScriptedUpstream;
let weir: TestWeir;
let second: SecondGateway;
let tenant: TestTenant;
let providerId: string;
/** What the provider says to each key; an answer to those that are not here. */
let says: Record<string, Script>;

const environment = () => ({ WEIR_EGRESS_ALLOW: upstream.hostPort, WEIR_RETRIES: '2' });

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
  says = {};
  upstream.script = (call, response) => (says[keyOf(call)] ?? answer())(call, response);
  tenant = await createTenant(weir);
  ({ id: providerId } = await tenant.admin<{ id: string }>('POST', '/v1/organization/providers', {
    name: 'up',
    type: 'openai',
    base_url: upstream.baseUrl,
    keys: [A, B],
    models: ['test-model', 'other-model'],
  }));
  for (const { publicUrl } of [weir, second]) await eventually(async () => (await call(publicUrl)).status === 200);
  upstream.calls.length = 0;
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

const keyOf = ({ headers }: { headers: Record<string, unknown> }) => String(headers['authorization']).replace('Bearer ', '');

async function call(publicUrl: string, model = 'up/test-model') {
  const response = await fetch(`${publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100 }),
  });
  await response.arrayBuffer();
  return { status: response.status, attempts: response.headers.get('x-weir-attempts') };
}

/** Keys that the next calls of a gateway show. */
async function keysAt({ publicUrl }: { publicUrl: string }, calls = 4, model?: string): Promise<Set<string>> {
  const before = upstream.calls.length;
  for (let n = 0; n < calls; n++) await call(publicUrl, model);
  return new Set(upstream.calls.slice(before).map(keyOf));
}

/** Lets the first gateway meet a key that is limited; resolves when it did. */
async function limit(key: string, seconds: number, message = 'slow down'): Promise<void> {
  says[key] = json(429, { error: { message, type: 'requests' } }, { 'retry-after': String(seconds) });
  await eventually(async () => {
    const { status, attempts } = await call(weir.publicUrl);
    expect(status).toBe(200);
    return attempts === '2';
  });
  says = {};
}

test('a limited key costs its call a second attempt, and the other gateway does not use it within a second', async () => {
  await limit(A, 60);
  const limitedAt = performance.now();
  await eventually(async () => !(await keysAt(second)).has(A), 1_000);
  expect(performance.now() - limitedAt).toBeLessThan(1_000);
  expect(await keysAt(second, 6)).toEqual(new Set([B]));
});

test('a key that is limited for a model serves the others, unless the provider limits its account', async () => {
  const OTHER = 'up/other-model';
  await limit(A, 60);
  await eventually(async () => !(await keysAt(second)).has(A), 1_000);
  for (const gateway of [weir, second]) expect(await keysAt(gateway, 4, OTHER)).toEqual(new Set([A, B]));
  const { keys } = await tenant.admin<{ keys: object[] }>('GET', `/v1/organization/providers/${providerId}`);
  expect(keys).toMatchObject([
    { last4: 'aaaa', health: 'cooling', cooling_models: [{ model: 'test-model' }] },
    { health: 'healthy', cooling_models: [] },
  ]);
  await limit(B, 60, 'Your account has reached its limit.');
  await eventually(async () => !(await keysAt(second, 2, OTHER)).has(B), 1_000);
});

test('the other gateway uses the key again when its time is over, or once it is entered again', async () => {
  await limit(A, 1);
  await eventually(async () => (await keysAt(second, 2)).has(A), 5_000);
  await limit(B, 60);
  await eventually(async () => !(await keysAt(second)).has(B), 1_000);
  await tenant.admin('POST', `/v1/organization/providers/${providerId}`, { keys: [A, B] });
  await eventually(async () => (await keysAt(second, 2)).has(B));
});

test('a gateway that starts, or was without its connection to Postgres, learns what is limited', async () => {
  await limit(A, 30);
  const third = await startSecondGateway(weir, environment());
  try {
    expect(await keysAt(third)).toEqual(new Set([B]));
    await weir.db.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'weir-listen'`,
    );
    // Nobody is told of it.
    await weir.db.query(
      `INSERT INTO credential_health SELECT id, tenant_id, 'rate_limited', now() + interval '10 minutes' FROM credentials
       WHERE provider_id = $1 AND last4 = 'bbbb'`,
      [providerId.replace('prov_', '')],
    );
    // Both rest: the one that is ready first is used.
    await eventually(async () => !(await keysAt(third, 2)).has(B), 10_000);
  } finally {
    await third.stop();
  }
});
