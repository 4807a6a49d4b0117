import { withWeir } from '../../support/with-weir.js';
import { addMock, clientOf, makeCall, type Send } from './client.js';

const { weir, tenant } = withWeir();
let send: Send;

beforeAll(async () => {
  send = clientOf(weir, tenant.adminKey);
  await addMock(tenant);
});

const create = async (fields: object = {}) =>
  (await send('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1.00', period: 'month', ...fields })).body;

test('a budget starts with its first period open and nothing spent', async () => {
  const reply = await send('POST', '/v1/organization/budgets', {
    scope: { kind: 'key', value: tenant.keyId },
    limit: '1.00',
    period: 'month',
    external_id: 'ours',
    metadata: { team: 'a' },
  });
  expect(reply.status).toBe(200);
  expect(reply.headers.get('etag')).toBe('"1"');
  expect(reply.body).toMatchObject({
    object: 'budget',
    scope: { kind: 'api_key', value: tenant.keyId },
    limit: '1.00',
    currency: 'usd',
    period: 'month',
    timezone: 'UTC',
    mode: 'deny',
    version: 1,
    external_id: 'ours',
    metadata: { team: 'a' },
    current_period: {
      object: 'budget_period',
      limit: '1.00',
      granted: '0.00',
      spent: '0.00',
      held: '0.00',
      remaining: '1.00',
      closed_at: null,
    },
  });
});

test('a lifetime budget has no end', async () => {
  expect(await create({ period: 'lifetime' })).toMatchObject({ current_period: { ends_at: null } });
});

test('a new limit holds at once, and each change raises the version', async () => {
  const made = await create();
  const reply = await send('POST', `/v1/organization/budgets/${made.id}`, { limit: '0.50' });
  expect(reply.headers.get('etag')).toBe('"2"');
  expect(reply.body).toMatchObject({ limit: '0.50', version: 2, current_period: { limit: '0.50', remaining: '0.50' } });
  expect((await send('GET', `/v1/organization/budgets/${made.id}`)).headers.get('etag')).toBe('"2"');
});

test('If-Match: of two changes to one version, one is made', async () => {
  const path = `/v1/organization/budgets/${(await create()).id}`;
  const replies = await Promise.all(['2.00', '3.00'].map((limit) => send('PATCH', path, { limit }, { 'if-match': '"1"' })));
  expect(replies.map(({ status }) => status).sort()).toEqual([200, 412]);
  expect(replies.find(({ status }) => status === 412)!.body.error).toMatchObject({ code: 'precondition_failed' });
  expect((await send('PATCH', path, { limit: '4.00' }, { 'if-match': '*' })).status).toBe(200);
  expect((await send('PATCH', path, { limit: '5.00' }, { 'if-match': '"what"' })).status).toBe(412);
});

test('If-Match: what has changed is not deleted', async () => {
  const path = `/v1/organization/budgets/${(await create()).id}`;
  await send('PATCH', path, { limit: '2.00' });
  expect((await send('DELETE', path, undefined, { 'if-match': '"1"' })).body.error).toMatchObject({ code: 'precondition_failed' });
  expect((await send('DELETE', path, undefined, { 'if-match': '"2"' })).status).toBe(200);
});

test('a reset brings what is spent to zero, says who did it, and costs stay', async () => {
  const made = await create();
  await makeCall(tenant);
  const path = `/v1/organization/budgets/${made.id}`;
  const spent = (await send('GET', path)).body.current_period.spent;
  expect(Number(spent)).toBeGreaterThan(0);
  const costs = async () => (await send('GET', '/v1/organization/costs?start_time=1795000000&limit=180')).body.data;
  const before = await costs();

  const reply = await send('POST', `${path}/reset`, { reason: 'a goodwill gesture' });
  expect(reply.body).toMatchObject({ id: made.id, current_period: { spent: '0.00', remaining: '1.00' } });
  const { rows } = await weir.db.query(`SELECT actor, reason FROM ledger_entries WHERE kind = 'manual'`);
  expect(rows).toEqual([{ actor: expect.stringMatching(/^akey_/), reason: 'a goodwill gesture' }]);
  expect((await costs()).map((bucket: { results: unknown }) => bucket.results)).toEqual(
    before.map((bucket: { results: unknown }) => bucket.results),
  );
  expect((await send('POST', `${path}/reset`)).status).toBe(200);
});

test('the periods of a budget are listed, the current one first', async () => {
  const made = await create();
  const { body } = await send('GET', `/v1/organization/budgets/${made.id}/periods?limit=5`);
  expect(body).toMatchObject({ object: 'list', data: [made.current_period], has_more: false });
});

test('a deleted budget is gone, and no longer in the way', async () => {
  const made = await create({ limit: '0' });
  await expect(makeCall(tenant)).rejects.toMatchObject({ status: 402 });
  expect((await send('DELETE', `/v1/organization/budgets/${made.id}`)).body).toEqual({
    id: made.id,
    object: 'budget',
    deleted: true,
  });
  expect((await send('GET', `/v1/organization/budgets/${made.id}`)).status).toBe(404);
  await makeCall(tenant);
});
