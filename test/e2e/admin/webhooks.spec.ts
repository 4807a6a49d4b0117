import { Webhook as StandardWebhook } from 'standardwebhooks';
import { ApiKeysRepository } from '../../../src/api-keys/api-keys.repository.js';
import { BreakersRepository } from '../../../src/breakers/index.js';
import { parsePublicId } from '../../../src/kernel/ids.js';
import { createPool, type Pool, Prisma } from '../../../src/platform/postgres/index.js';
import { EVENT_TYPES, eventSchema } from '../../../src/webhooks/index.js';
import { moveClock } from '../../support/clock.js';
import { answer, json, ScriptedUpstream, type UpstreamCall } from '../../support/upstream.js';
import { addUpstream, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { clientOf } from './client.js';

/** From what happens to what a receiver gets, through the product and its worker. */

const WEBHOOKS = '/v1/organization/webhooks';

interface Made {
  id: string;
  secret: string;
}

let upstream: ScriptedUpstream;
let receiver: ScriptedUpstream;
let weir: TestWeir;
let tenant: TestTenant;
/** Its webhook, which is told of everything. */
let hook: Made;
/** As the worker has it. */
let pool: Pool;

beforeAll(async () => {
  [upstream, receiver] = await Promise.all([ScriptedUpstream.start(), ScriptedUpstream.start()]);
  receiver.script = json(200, { thanks: 'a lot' });
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: `${upstream.hostPort},${receiver.hostPort}` });
  pool = createPool(weir.databaseUrl, { max: 4, statementTimeoutMs: 10_000, connectTimeoutMs: 20_000, name: 'test' });
});

beforeEach(async () => {
  upstream.script = answer();
  receiver.calls.length = 0;
  tenant = await createTenant(weir);
  hook = await tenant.admin<Made>('POST', WEBHOOKS, { name: 'all', url: receiver.baseUrl });
});

afterAll(async () => {
  await pool.end();
  await weir.stop();
  await Promise.all([upstream.stop(), receiver.stop()]);
});

interface Event {
  type: string;
  timestamp: string;
  data: Record<string, unknown>;
}

const uuid = () => parsePublicId('tenant', tenant.id)!;
const eventOf = ({ text }: UpstreamCall) => JSON.parse(text) as Event;
/** What the tenant's webhook was told of these types, in the order of types and data. Each has the shape that OpenAPI says. */
async function told(types: readonly string[], atLeast: number): Promise<Event[]> {
  const found = () => receiver.calls.map(eventOf).filter(({ type, data }) => types.includes(type) && data['tenant'] === tenant.id);
  await eventually(async () => found().length >= atLeast, 10_000);
  for (const event of found()) expect(eventSchema(event.type as (typeof EVENT_TYPES)[number]).parse(event)).toEqual(event);
  return found();
}
const kept = async (kind: string) =>
  (await weir.db.query<{ payload: object }>('SELECT payload FROM outbox WHERE tenant_id = $1 AND kind = $2', [uuid(), kind])).rows;
const call = (model = 'up/test-model', more: object = {}) =>
  tenant.openai.chat.completions.create({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20, ...more });

test('an event is signed as Standard Webhooks; its secret is shown once, and a receiver’s reply never', async () => {
  const path = `/v1/organization/projects/${tenant.projectId}/api_keys`;
  const key = await tenant.admin<{ id: string }>('POST', path, { name: 'told' });
  await tenant.admin('POST', `${path}/${key.id}/revoke`);
  await tenant.admin('POST', `${path}/${key.id}/revoke`);
  const events = await told(['key.created', 'key.revoked'], 2);
  const data = {
    tenant: tenant.id,
    api_key_id: key.id,
    project_id: tenant.projectId,
    name: 'told',
    actor: expect.stringMatching(/^akey_/),
  };
  expect(events.sort((a, b) => (a.type < b.type ? -1 : 1))).toEqual([
    { type: 'key.created', timestamp: expect.any(String), data },
    { type: 'key.revoked', timestamp: expect.any(String), data },
  ]);
  for (const { text, headers } of receiver.calls)
    expect(new StandardWebhook(hook.secret).verify(text, headers as Record<string, string>)).toEqual(JSON.parse(text));
  const { data: deliveries } = await tenant.admin<{ data: { id: string; type: string; state: string }[] }>(
    'GET',
    `${WEBHOOKS}/${hook.id}/deliveries?state=delivered`,
  );
  expect(deliveries.map(({ id }) => id).sort()).toEqual(receiver.calls.map(({ headers }) => headers['webhook-id']).sort());
  const shown = JSON.stringify([deliveries, await tenant.admin('GET', `${WEBHOOKS}/${hook.id}`), await tenant.admin('GET', WEBHOOKS)]);
  for (const secret of [hook.secret, 'a lot']) expect(shown).not.toContain(secret);
});

test('a test event, its replay, and what refuses either', async () => {
  const test = await tenant.admin<{ id: string }>('POST', `${WEBHOOKS}/${hook.id}/test`);
  expect(test).toMatchObject({ object: 'webhook.delivery', type: 'webhook.test', state: 'pending', attempts: 0 });
  await told(['webhook.test'], 1);
  const find = async () =>
    (await tenant.admin<{ data: { id: string; state: string }[] }>('GET', `${WEBHOOKS}/${hook.id}/deliveries`)).data[0]!;
  await eventually(async () => (await find()).state === 'delivered');
  await tenant.admin('POST', `${WEBHOOKS}/${hook.id}/deliveries/${test.id}/replay`);
  await told(['webhook.test'], 2);
  expect(receiver.calls.map(({ headers }) => headers['webhook-id'])).toEqual([test.id, test.id]);

  await tenant.admin('PATCH', `${WEBHOOKS}/${hook.id}`, { enabled: false });
  const send = clientOf(weir, tenant.adminKey);
  for (const [path, body, param] of [
    [`${WEBHOOKS}/${hook.id}/test`, undefined, null],
    [`${WEBHOOKS}/${hook.id}/deliveries/replay`, undefined, null],
    [WEBHOOKS, { name: 'w', format: 'email', emails: ['a@example.com'] }, 'format'],
    [WEBHOOKS, { name: 'w', format: 'slack', emails: ['a@example.com'] }, 'url'],
    [WEBHOOKS, { name: 'w', url: 'https://169.254.169.254/' }, 'url'],
    [WEBHOOKS, { name: 'w', url: 'http://127.0.0.1:1/' }, 'url'],
    [WEBHOOKS, { name: 'w', url: 'https://hooks.example.com/', types: ['nonsense'] }, 'types.0'],
    [WEBHOOKS, { name: 'w', url: 'https://hooks.example.com/', tenant_events: true }, 'tenant_events'],
  ] as const) {
    const { status, body: reply } = await send('POST', path, body);
    expect([path, body, status, reply.error.param]).toEqual([path, body, body ? 400 : 409, param]);
  }
});

test('what 32 calls at once spend of a budget is told once per threshold, and once that it is spent', async () => {
  await addUpstream(tenant, upstream.baseUrl);
  const budget = { scope: { kind: 'tenant' }, limit: '0.0003', period: 'month', mode: 'observe', thresholds: [50, 80, 100] };
  await tenant.admin('POST', '/v1/organization/budgets', budget);
  await tenant.admin('POST', '/v1/organization/budgets', {
    ...budget,
    scope: { kind: 'project', value: tenant.projectId },
    thresholds: [],
  });
  await Promise.all(Array.from({ length: 32 }, () => call()));
  const events = await told(['budget.threshold_reached', 'budget.exceeded', 'budget.period_opened'], 7);
  expect(events.map(({ type, data }) => `${type} ${data['threshold_percent'] ?? ''}`.trim()).sort()).toEqual([
    'budget.exceeded',
    'budget.exceeded',
    'budget.period_opened',
    'budget.period_opened',
    'budget.threshold_reached 100',
    'budget.threshold_reached 50',
    'budget.threshold_reached 80',
  ]);
  for (const { data } of events)
    expect(data).toMatchObject({ budget_id: expect.stringMatching(/^bud_/), limit: '0.0003', currency: 'usd' });
  await call();
  expect([await kept('budget.threshold_reached'), await kept('budget.exceeded')].map(({ length }) => length)).toEqual([3, 2]);
});

test('a call that costs more than was held for it, and a model without a price, are told once each', async () => {
  await addUpstream(tenant, upstream.baseUrl);
  await tenant.admin('POST', '/v1/organization/providers', {
    name: 'free',
    type: 'openai',
    base_url: upstream.baseUrl,
    key: 'sk',
    models: ['m'],
  });
  await eventually(async () => (await tenant.openai.models.list()).data.some(({ id }) => id === 'free/m'));
  await Promise.all(Array.from({ length: 8 }, () => call('free/m')));
  upstream.script = answer('Much', { prompt_tokens: 9, completion_tokens: 100_000, total_tokens: 100_009 });
  await call();
  const events = await told(['price.unknown', 'call.overrun'], 2);
  expect(events.sort((a, b) => (a.type < b.type ? -1 : 1))).toEqual([
    {
      type: 'call.overrun',
      timestamp: expect.any(String),
      data: expect.objectContaining({
        provider: 'up',
        model: 'test-model',
        api_key_id: tenant.keyId,
        overrun: expect.stringMatching(/^0\.1/),
      }),
    },
    { type: 'price.unknown', timestamp: expect.any(String), data: expect.objectContaining({ provider: 'free', model: 'm' }) },
  ]);
});

test('a target that several processes find broken, again and again, is told once until it works again', async () => {
  const provider = { name: 'broken', type: 'openai', base_url: upstream.baseUrl, key: 'sk', models: ['m'] };
  const made = await tenant.admin<{ id: string }>('POST', '/v1/organization/providers', provider);
  const breakers = new BreakersRepository(pool);
  const scope = { providerId: parsePublicId('provider', made.id)!, type: 'openai', credentialId: null, model: 'm', tenantId: null };
  const news = JSON.stringify({ from: 'another process', scope, opened: null });
  const open = () => breakers.noteOpened(scope, { reason: 'keeps failing', failures: 5 }, 30, news);
  const close = () => breakers.noteClosed(scope, news);
  await Promise.all([open(), open(), open()]);
  await open();
  await Promise.all([close(), close()]);
  await open();
  const events = await told(['provider.unhealthy', 'provider.recovered'], 3);
  expect(events.map(({ type, data }) => [type, data['provider_id'], data['model']]).sort()).toEqual([
    ['provider.recovered', made.id, 'm'],
    ['provider.unhealthy', made.id, 'm'],
    ['provider.unhealthy', made.id, 'm'],
  ]);
});

test('a key that expires within a week is told once, and one that was made for no longer never', async () => {
  const path = `/v1/organization/projects/${tenant.projectId}/api_keys`;
  const inDays = (days: number) => Math.floor(Date.now() / 1000) + days * 86_400;
  const long = await tenant.admin<{ id: string }>('POST', path, { name: 'long', expires_at: inDays(20) });
  await tenant.admin('POST', path, { name: 'short', expires_at: inDays(6) });
  const keys = new ApiKeysRepository(new Prisma(pool), pool);
  await keys.tellExpiring();
  expect(await kept('key.expiring')).toEqual([]);
  await moveClock(weir.db, '14 days');
  await Promise.all([keys.tellExpiring(), keys.tellExpiring(), keys.tellExpiring()]);
  const [event] = await told(['key.expiring'], 1);
  expect(event!.data).toMatchObject({ api_key_id: long.id, name: 'long' });
  expect(await kept('key.expiring')).toHaveLength(1);
  await moveClock(weir.db, '0 days');
});

test('what is not done is not told: a key that an operator keeps a tenant from revoking', async () => {
  const path = `/v1/organization/projects/${tenant.projectId}/api_keys`;
  const { body: key } = await clientOf(weir, weir.operatorKey)('POST', path, { name: 'ruled' }, { 'x-weir-tenant': tenant.id });
  const { status } = await clientOf(weir, tenant.adminKey)('POST', `${path}/${key.id}/revoke`);
  expect([status, await kept('key.revoked')]).toEqual([403, []]);
});

test('every type is described in OpenAPI', async () => {
  const { webhooks } = (await (await fetch(`${weir.adminUrl}/openapi.json`)).json()) as { webhooks: Record<string, object> };
  expect(Object.keys(webhooks)).toEqual([...EVENT_TYPES]);
});
