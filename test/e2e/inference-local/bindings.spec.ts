import { send } from '../../support/network-client.js';
import { ScriptedUpstream } from '../../support/upstream.js';
import { addUpstream, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { type AdminReply, clientOf, type Send } from '../admin/client.js';

const OWN = '/v1/organization/inference/bindings';
const of = ({ id }: TestTenant) => `/v1/platform/tenants/${id}/inference/bindings`;

let upstream: ScriptedUpstream;
let weir: TestWeir;
/** Another process on the same database. */
let second: TestWeir;
let operator: Send;
let alice: TestTenant;
let bob: TestTenant;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  const environment = { WEIR_EGRESS_ALLOW: upstream.hostPort, WEIR_TRUSTED_PROXIES: '127.0.0.1' };
  weir = await startTestWeir({ ...environment, WEIR_INFERENCE_LISTEN: 'pods=127.0.0.1:0' });
  second = await startTestWeir({ ...environment, DATABASE_URL: weir.databaseUrl });
  operator = clientOf(weir, weir.operatorKey);
  [alice, bob] = [await createTenant(weir), await createTenant(weir)];
  for (const tenant of [alice, bob]) {
    await addUpstream(tenant, upstream.baseUrl);
    await tenant.admin('PUT', '/v1/organization/inference', { provider: 'up', model: 'test-model', verify: false });
  }
});

afterAll(async () => {
  await second.stop();
  await weir.stop();
  await upstream.stop();
});

const call = (localAddress: string, { publicUrl } = weir) =>
  send(`${publicUrl}/v1/chat/completions`, {
    from: { localAddress },
    headers: { host: 'inference.local' },
    body: { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 10 },
  });

const refusal = ({ status, body }: AdminReply) => [status, body.error?.code, body.error?.message];
const cidr = (value: string) => ({ kind: 'cidr', value });
const loopback = (value: string) => ({ ...cidr(value), allow_loopback: true });
const bind = async (tenant: TestTenant, body: object): Promise<string> => {
  const reply = await operator('POST', of(tenant), body);
  expect(reply.status).toBe(200);
  return reply.body.id;
};
const unbind = (tenant: TestTenant, id: string) => operator('DELETE', `${of(tenant)}/${id}`);

test('ranges of two tenants do not overlap, and the operator is told with which; those of one may', async () => {
  const id = await bind(alice, cidr('10.1.0.0/16'));
  for (const value of ['10.1.0.0/16', '10.1.2.0/24', '10.1.2.3', '10.0.0.0/8', '8.0.0.0/5'])
    expect(refusal(await operator('POST', of(bob), cidr(value)))).toEqual([
      409,
      'conflict',
      expect.stringContaining('overlaps "10.1.0.0/16", which is bound to another tenant'),
    ]);
  const inner = await bind(alice, cidr('10.1.2.0/24'));
  expect(refusal(await operator('POST', of(alice), cidr('10.1.2.0/24')))).toEqual([
    409,
    'conflict',
    expect.stringContaining('bound already'),
  ]);
  const beside = await bind(bob, cidr('10.2.0.0/16'));
  const v6 = await bind(alice, cidr('fd00:1::/32'));
  expect((await operator('POST', of(bob), cidr('FD00:1:2::/48'))).status).toBe(409);
  await unbind(alice, id);
  expect((await operator('POST', of(bob), cidr('10.1.2.3'))).status).toBe(409);
  for (const one of [inner, v6]) await unbind(alice, one);
  await unbind(bob, beside);
});

test('of two tenants whose ranges overlap and that are bound at once, one is', async () => {
  const replies = await Promise.all([alice, bob].map((tenant, i) => operator('POST', of(tenant), cidr(i ? '10.9.0.0/16' : '10.9.9.0/24'))));
  expect(replies.map(({ status }) => status).sort()).toEqual([200, 409]);
  await Promise.all([alice, bob].map((tenant, i) => replies[i]!.status === 200 && unbind(tenant, replies[i]!.body.id)));
});

test.each([
  [cidr('127.0.0.1'), 'loopback'],
  [cidr('127.0.0.0/8'), 'loopback'],
  [cidr('0.0.0.0/0'), 'loopback'],
  [cidr('::1'), 'loopback'],
  [cidr('::/0'), 'loopback'],
  [cidr('10.1.2.3/16'), 'send "10.1.0.0/16"'],
  [cidr('10.1.0.0/33'), 'must be an address or a network'],
  [cidr('10.1/16'), 'must be an address or a network'],
  [cidr('010.1.0.0/16'), 'must be an address or a network'],
  [cidr('0x0a000000'), 'must be an address or a network'],
  [cidr('::ffff:10.0.0.0/104'), 'must be an address or a network'],
  [cidr('fe80::1%eth0'), 'must be an address or a network'],
  [cidr('pods.example'), 'must be an address or a network'],
  [{ kind: 'listener', value: 'pod' }, 'There is no listener "pod" in WEIR_INFERENCE_LISTEN. It has pods.'],
  [{ kind: 'listener', value: '../x' }, 'must be the name of a listener'],
  [{ kind: 'client_certificate', value: 'ab'.repeat(32) }, 'kind'],
])('%j is refused', async (body, hint) => {
  expect(refusal(await operator('POST', of(alice), body))).toEqual([400, 'invalid_request', expect.stringContaining(hint)]);
});

test('a tenant binds certificates only, and only an operator removes what an operator bound', async () => {
  const act = clientOf(weir, alice.adminKey);
  const id = await bind(alice, cidr('10.3.0.0/16'));
  for (const body of [cidr('10.4.0.0/16'), { kind: 'listener', value: 'pods' }])
    expect(refusal(await act('POST', OWN, body))).toEqual([400, 'invalid_request', expect.stringContaining('only an operator binds')]);
  for (const value of ['ab', 'zz'.repeat(32), `${'ab:'.repeat(32)}`])
    expect(refusal(await act('POST', OWN, { kind: 'client_certificate', value }))).toEqual([
      400,
      'invalid_request',
      expect.stringContaining('SHA-256 fingerprint'),
    ]);
  const own = await act('POST', OWN, { kind: 'client_certificate', value: 'AB'.repeat(32) });
  expect(own.body).toMatchObject({ object: 'inference_binding', value: 'ab'.repeat(32), project_id: alice.projectId });
  const theirs = await clientOf(weir, bob.adminKey)('POST', OWN, { kind: 'client_certificate', value: 'ab'.repeat(32) });
  expect(refusal(theirs)).toEqual([409, 'conflict', expect.not.stringContaining(alice.id)]);
  expect((await act('GET', OWN)).body.data.map((one) => one.id)).toEqual([own.body.id, id]);
  expect(refusal(await act('DELETE', `${OWN}/${id}`)).slice(0, 2)).toEqual([403, 'platform_rule']);
  expect((await clientOf(weir, bob.adminKey)('DELETE', `${OWN}/${own.body.id}`)).status).toBe(404);
  expect((await act('DELETE', `${OWN}/${own.body.id}`)).status).toBe(200);
  await unbind(alice, id);
});

test('a tenant does not escape an operator’s rule on a binding by removing it', async () => {
  const act = clientOf(weir, alice.adminKey);
  const { body } = await act('POST', OWN, { kind: 'client_certificate', value: 'cd'.repeat(32) });
  const rule = { scope: { kind: 'binding', value: body.id }, limit: '1.00', period: 'month' };
  const budget = await operator('POST', '/v1/organization/budgets', rule, { 'x-weir-tenant': alice.id });
  expect(budget.status).toBe(200);
  expect(refusal(await act('DELETE', `${OWN}/${body.id}`)).slice(0, 2)).toEqual([403, 'platform_rule']);
  await operator('DELETE', `/v1/organization/budgets/${budget.body.id}`, undefined, { 'x-weir-tenant': alice.id });
  expect((await act('DELETE', `${OWN}/${body.id}`)).status).toBe(200);
});

test('budgets and limits on a binding hold, and those of others do not', async () => {
  const id = await bind(alice, loopback('127.0.1.1'));
  await bind(alice, loopback('127.0.1.2'));
  const budget = await alice.admin<{ id: string }>('POST', '/v1/organization/budgets', {
    scope: { kind: 'binding', value: id },
    limit: '0.00000001',
    period: 'month',
  });
  const denied = await call('127.0.1.1');
  expect([denied.status, denied.body.error.code]).toEqual([402, 'request_exceeds_budget']);
  expect((await call('127.0.1.2')).status).toBe(200);
  await alice.admin('DELETE', `/v1/organization/budgets/${budget.id}`);
  const limit = { scope: { kind: 'binding', value: '*' }, max_requests_per_1_minute: 2 };
  const { id: limitId } = await alice.admin<{ id: string }>('POST', '/v1/organization/rate_limits', limit);
  const statuses: number[] = [];
  for (const from of ['127.0.1.1', '127.0.1.1', '127.0.1.1', '127.0.1.2']) statuses.push((await call(from)).status);
  expect(statuses).toEqual([200, 200, 429, 200]);
  await alice.admin('DELETE', `/v1/organization/rate_limits/${limitId}`);

  const foreign = { scope: { kind: 'binding', value: id }, limit: '1.00', period: 'month' };
  expect((await clientOf(weir, bob.adminKey)('POST', '/v1/organization/budgets', foreign)).status).toBe(404);
  const kept = await alice.admin<{ id: string; uncounted: null }>('POST', '/v1/organization/budgets', foreign);
  expect(kept.uncounted).toBeNull();
  await unbind(alice, id);
  expect(await alice.admin('GET', `/v1/organization/budgets/${kept.id}`)).toMatchObject({ uncounted: 'The binding is deleted.' });
});

test('the budget of the tenant holds for calls without a key', async () => {
  const id = await bind(bob, loopback('127.0.1.3'));
  const budget = await bob.admin<{ id: string }>('POST', '/v1/organization/budgets', {
    scope: { kind: 'tenant' },
    limit: '0.00000001',
    period: 'month',
  });
  expect((await call('127.0.1.3')).status).toBe(402);
  await bob.admin('DELETE', `/v1/organization/budgets/${budget.id}`);
  await unbind(bob, id);
});

test('another process obeys within a second', async () => {
  const within = (condition: () => Promise<boolean>) => eventually(condition, 1_000);
  const status = async () => (await call('127.0.2.1', second)).status;
  expect(await status()).toBe(401);
  const id = await bind(bob, loopback('127.0.2.1'));
  await within(async () => (await status()) === 200);
  await bob.admin('PUT', '/v1/organization/inference', { provider: 'up', model: 'other/model', verify: false });
  await within(async () => (await call('127.0.2.1', second)).headers['x-weir-model'] === 'up/other/model');
  await bob.admin('DELETE', '/v1/organization/inference');
  await within(async () => (await status()) === 503);
  await unbind(bob, id);
  await within(async () => (await status()) === 401);
});

test('what a deleted tenant had bound can be bound anew', async () => {
  const carol = await createTenant(weir);
  await bind(carol, cidr('10.7.0.0/16'));
  await operator('POST', `/v1/platform/tenants/${carol.id}/suspend`);
  await eventually(async () => (await operator('DELETE', `/v1/platform/tenants/${carol.id}`)).status === 200, 10_000);
  await unbind(alice, await bind(alice, cidr('10.7.0.0/16')));
});
