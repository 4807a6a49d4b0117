import OpenAI from 'openai';
import { brokenInvariants } from '../../support/ledger.js';
import { answer, ScriptedUpstream } from '../../support/upstream.js';
import {
  addUpstream,
  admin,
  createTenant,
  eventually,
  type SecondGateway,
  startSecondGateway,
  startTestWeir,
  type TestTenant,
  type TestWeir,
} from '../../support/weir.js';

let weir: TestWeir;
let other: SecondGateway;
let upstream: ScriptedUpstream;
let tenant: TestTenant;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  const given = { WEIR_EGRESS_ALLOW: upstream.hostPort };
  weir = await startTestWeir(given);
  other = await startSecondGateway(weir, given);
});

beforeEach(async () => {
  tenant = await createTenant(weir);
  await addUpstream(tenant, upstream.baseUrl);
  upstream.script = answer();
  upstream.calls.length = 0;
});

afterEach(async () => {
  expect(await brokenInvariants(weir.db)).toEqual([]);
});

afterAll(async () => {
  await other.stop();
  await weir.stop();
  await upstream.stop();
});

// biome-ignore lint/suspicious/noExplicitAny: an answer is looked at from outside.
type Body = any;

/** A budget of $0.0001, which no call of 100 tokens at $2 per million fits into. */
const addBudget = (fields: object = {}) =>
  tenant.admin<Body>('POST', '/v1/organization/budgets', {
    scope: { kind: 'tenant' },
    limit: '0.0001',
    period: 'month',
    mode: 'approve',
    ...fields,
  });

const BODY = { model: 'up/test-model', messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 100 };
const approvals = (query = '') => tenant.admin<Body>('GET', `/v1/organization/approvals${query}`);
const decide = (id: string, what: 'approve' | 'reject', body?: object) =>
  tenant.admin<Body>('POST', `/v1/organization/approvals/${id}/${what}`, body);
const tenantsBudget = async (id: string) => (await tenant.admin<Body>('GET', `/v1/organization/budgets/${id}`)).current_period;

async function call(headers: Record<string, string> = {}, body: object = BODY, url = weir.publicUrl, signal?: AbortSignal) {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: signal ?? null,
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, error: response.ok ? null : (JSON.parse(text) as Body).error };
}

/** The request that waits for a decision. */
async function pending(): Promise<Body> {
  await eventually(async () => (await approvals('?state=pending')).data.length === 1);
  return (await approvals('?state=pending')).data[0];
}

test('the official SDK: 402 with an id, an approval, and the same request passes once', async () => {
  const budget = await addBudget();
  const refused = await tenant.openai.chat.completions.create(BODY).catch((error) => error as InstanceType<typeof OpenAI.APIError>);
  if (!(refused instanceof OpenAI.APIError)) throw new Error('it was not refused');
  expect(refused.status).toBe(402);
  expect(refused.code).toBe('approval_required');
  expect(refused.type).toBe('insufficient_quota');
  const { approval_id: id, budgets, state } = refused.error as Body;
  expect(state).toBe('pending');
  expect(budgets).toEqual([expect.objectContaining({ budget_id: budget.id, limit: '0.0001', spent: '0.00' })]);
  expect(refused.message).toContain(`x-weir-approval: ${id}`);
  expect(refused.headers!.get('location')).toBe(`/v1/approvals/${id}`);
  expect(refused.headers!.get('x-should-retry')).toBe('false');
  expect(upstream.calls).toHaveLength(0);

  // The same request again is the same approval; its state can be read by the key that needs it, and by no other.
  expect((await call()).error.approval_id).toBe(id);
  const read = async (key: string) =>
    (await fetch(`${weir.publicUrl}/v1/approvals/${id}`, { headers: { authorization: `Bearer ${key}` } })).json() as Body;
  expect(await read(tenant.apiKey)).toMatchObject({ id, state: 'pending', model: 'up/test-model', decision: null, decider: 'approver' });
  const { value: another } = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
    name: 'b',
  });
  expect((await read(another)).error.code).toBe('not_found');

  const decided = await Promise.all(Array.from({ length: 8 }, () => decide(id, 'approve', { reason: 'a demo' })));
  for (const approval of decided) expect(approval).toMatchObject({ id, state: 'approved', decision: { kind: 'once', reason: 'a demo' } });
  expect((await call()).error).toMatchObject({ code: 'approval_required', approval_id: id, state: 'approved' });

  const passed = await tenant.openai.chat.completions.create(BODY, { headers: { 'x-weir-approval': id } });
  expect(passed.choices[0]!.message.content).toBe('Hello from upstream');
  expect(await read(tenant.apiKey)).toMatchObject({ state: 'used' });
  // The call cost $0.000033, which the budget had: nothing of the grant is left.
  await eventually(async () => (await tenantsBudget(budget.id)).granted === '0.00');
  const { data: grants } = await tenant.admin<Body>('GET', `/v1/organization/budgets/${budget.id}/grants`);
  expect(grants).toEqual([expect.objectContaining({ approval_id: id, reason: 'a demo' })]);
  expect(grants[0].taken_back).toBe(grants[0].amount);
  expect((await call({ 'x-weir-approval': id })).error.code).toBe('approval_required');
  expect(upstream.calls).toHaveLength(1);
});

test.each([
  ['whole', BODY],
  ['stream', { ...BODY, stream: true }],
])('a connection that waits is answered without another request: %s', async (_name, body) => {
  await addBudget();
  // At the other gateway: decisions are told between processes.
  const waiting = call({ prefer: 'wait=60' }, body, other.publicUrl);
  const { id } = await pending();
  expect(upstream.calls).toHaveLength(0);
  await decide(id, 'approve');
  const { status, text } = await waiting;
  expect(status).toBe(200);
  expect(text).toContain('upstream');
});

test('a connection that waits is told that it was rejected, with the reason, and so is the next', async () => {
  await addBudget();
  const waiting = call({ prefer: 'respond-async, wait=60' });
  const { id } = await pending();
  await decide(id, 'reject', { reason: 'use a smaller model' });
  const { status, error } = await waiting;
  expect(status).toBe(402);
  expect(error).toMatchObject({ code: 'cost_limit_exceeded', approval_id: id, state: 'rejected' });
  expect(error.message).toContain('use a smaller model');
  expect((await call()).error).toMatchObject({ code: 'cost_limit_exceeded', approval_id: id });
  await expect(decide(id, 'approve')).rejects.toThrow(/409.*approval_decided/);
  expect(upstream.calls).toHaveLength(0);
});

test('who stops waiting, or waits too short, has the request still there', async () => {
  await addBudget();
  expect((await call({ prefer: 'wait=1' })).error).toMatchObject({ code: 'approval_required', state: 'pending' });
  const leaving = new AbortController();
  const waiting = call({ prefer: 'wait=60' }, BODY, weir.publicUrl, leaving.signal).catch((error) => error.name);
  const { id } = await pending();
  leaving.abort();
  expect(await waiting).toBe('AbortError');
  await decide(id, 'approve');
  expect((await call({ 'x-weir-approval': id })).status).toBe(200);
});

test('a key that is revoked while it waits is refused within a second, and its request is never sent', async () => {
  await addBudget();
  const waiting = call({ prefer: 'wait=60' });
  const { id } = await pending();
  await tenant.admin('DELETE', `/v1/organization/projects/${tenant.projectId}/api_keys/${tenant.keyId}`);
  const revokedAt = performance.now();
  expect((await waiting).error.code).toBe('invalid_api_key');
  expect(performance.now() - revokedAt).toBeLessThan(5_000); // a second, on a machine that is not busy
  await decide(id, 'approve');
  expect(upstream.calls).toHaveLength(0);
});

test('an approval is for its request: another body, or another key, does not pass by it', async () => {
  await addBudget();
  const { id } = { id: (await call()).error.approval_id };
  await decide(id, 'approve');
  const larger = { ...BODY, max_tokens: 101 };
  const { error } = await call({ 'x-weir-approval': id }, larger);
  expect(error).toMatchObject({ code: 'approval_required', state: 'pending' });
  expect(error.approval_id).not.toBe(id);
  expect((await call({ 'x-weir-approval': 'apr_nothing' })).error).toMatchObject({ code: 'invalid_request', param: 'x-weir-approval' });
  expect(upstream.calls).toHaveLength(0);
  expect((await call({ 'x-weir-approval': id })).status).toBe(200);
});

test('an amount lets through whatever fits, and no approval is asked for where a budget denies', async () => {
  const budget = await addBudget();
  const waiting = call({ prefer: 'wait=60' });
  const { id } = await pending();
  await decide(id, 'approve', { amount: '0.0005', seconds: 3600 });
  expect((await waiting).status).toBe(200);
  expect((await call()).status).toBe(200);
  expect(await tenantsBudget(budget.id)).toMatchObject({ granted: '0.0005' });
  await addBudget({ mode: 'deny', limit: '0.00009' });
  expect((await call()).error.code).toBe('request_exceeds_budget');
});

test('what an operator set, an operator alone decides', async () => {
  const operate = <T>(method: string, path: string, body?: object) =>
    admin<T>(weir, weir.operatorKey, method, path, body, { 'x-weir-tenant': tenant.id });
  await operate('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.0001', period: 'month', mode: 'approve' });
  const { approval_id: id } = (await call()).error;
  await expect(decide(id, 'approve')).rejects.toThrow(/403.*platform_rule/);
  expect((await approvals()).data[0]).toMatchObject({ id, decider: 'operator', state: 'pending' });
  await operate('POST', `/v1/organization/approvals/${id}/approve`);
  expect((await call({ 'x-weir-approval': id })).status).toBe(200);
});

test('where a budget wants four eyes, whoever made the key does not decide', async () => {
  await addBudget({ four_eyes: true });
  const { approval_id: id } = (await call()).error;
  await expect(decide(id, 'approve')).rejects.toThrow(/403.*somebody else/);
  const { value } = await tenant.admin<{ value: string }>('POST', '/v1/organization/admin_api_keys', {
    name: 'approver',
    role: 'approver',
  });
  const decided = await admin<Body>(weir, value, 'POST', `/v1/organization/approvals/${id}/approve`);
  expect(decided).toMatchObject({ state: 'approved', four_eyes: true });
});

test('a connection that waits is answered when its budget was raised meanwhile', async () => {
  const budget = await addBudget();
  const waiting = call({ prefer: 'wait=60' });
  await pending();
  await tenant.admin('POST', `/v1/organization/budgets/${budget.id}`, { limit: '1.00' });
  expect((await waiting).status).toBe(200);
}, 30_000);

test('what changed since a request was made counts: who set its budget, its four eyes, and the networks of its key', async () => {
  const budget = await addBudget();
  const asOperator = (method: string, path: string, body: object) =>
    admin<Body>(weir, weir.operatorKey, method, path, body, { 'x-weir-tenant': tenant.id });
  const { approval_id: id } = (await call()).error;
  await asOperator('POST', `/v1/organization/budgets/${budget.id}`, { set_by: 'operator' });
  await expect(decide(id, 'approve')).rejects.toThrow(/403.*platform_rule/);
  await asOperator('POST', `/v1/organization/budgets/${budget.id}`, { set_by: 'tenant', four_eyes: true });
  await expect(decide(id, 'approve')).rejects.toThrow(/403.*somebody else/);
  await tenant.admin('POST', `/v1/organization/budgets/${budget.id}`, { four_eyes: false });

  const waiting = call({ prefer: 'wait=60' });
  const path = `/v1/organization/projects/${tenant.projectId}/api_keys/${tenant.keyId}`;
  await tenant.admin('POST', path, { endpoints: ['embeddings'] });
  await decide(id, 'approve');
  expect((await waiting).error.code).toBe('endpoint_not_allowed');
  expect(upstream.calls).toHaveLength(0);
});

test('an approval that would lift no budget any more is refused', async () => {
  const budget = await addBudget();
  const { approval_id: id } = (await call()).error;
  await tenant.admin('DELETE', `/v1/organization/budgets/${budget.id}`);
  await expect(decide(id, 'approve')).rejects.toThrow(/409.*approval_decided/);
  expect((await call()).status).toBe(200);
});

test('eight connections of a tenant wait; one more is told at once', async () => {
  await addBudget();
  const waiting = Array.from({ length: 8 }, (_, at) =>
    call({ prefer: 'wait=60' }, { ...BODY, messages: [{ role: 'user', content: `Hello ${at}` }] }),
  );
  await eventually(async () => (await approvals('?state=pending')).data.length === 8);
  const { error } = await call({ prefer: 'wait=60' });
  expect(error).toMatchObject({ code: 'approval_required', state: 'pending' });
  const { data } = await approvals('?state=pending&limit=100');
  await Promise.all(data.map(({ id }: { id: string }) => decide(id, 'reject')));
  for (const { status } of await Promise.all(waiting)) expect(status).toBe(402);
});
