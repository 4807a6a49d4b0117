import { addMock, clientOf, type Send } from '../e2e/admin/client.js';
import { createTenant, eventually, type TestTenant } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';

const { weir } = withWeir({ tenant: 'none' });
let operator: Send;
let tenant: TestTenant;
let admin: Send;

beforeAll(async () => {
  operator = clientOf(weir, weir.operatorKey);
  tenant = await createTenant(weir);
  admin = clientOf(weir, tenant.adminKey);
  await addMock(tenant);
});

const OPERATORS = '/v1/platform/operator_keys';
const ADMINS = '/v1/organization/admin_api_keys';

const works = async (path: string, key: string) => (await clientOf(weir, key)('GET', path)).status === 200;
const statusOf = async (key: string) => (await fetch(`${weir.publicUrl}/v1/key`, { headers: { 'x-api-key': key } })).status;

describe.each([
  ['operator', OPERATORS, () => operator],
  ['admin', ADMINS, () => admin],
] as const)('a key of an %s', (_, path, send) => {
  test('is made by another, shown once, and refused from the moment it is revoked', async () => {
    const { body: made } = await send()('POST', path, { name: 'second' });
    expect(await works(path, made.value)).toBe(true);
    const secret = made.value.slice(9, -9);
    const replies = [
      await send()('GET', path),
      await send()('GET', `${path}/${made.id}`),
      await send()('POST', `${path}/${made.id}/revoke`),
    ];
    expect(replies.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(JSON.stringify(replies.map(({ body }) => body))).not.toContain(secret);
    expect(await works(path, made.value)).toBe(false);
    expect((await send()('DELETE', `${path}/${made.id}`)).body).toMatchObject({ id: made.id, deleted: true });
    expect((await send()('GET', `${path}/${made.id}`)).body.revoked_at).toBe(replies[2]!.body.revoked_at);
    expect((await send()('POST', `${path}/${made.id}/rotate`)).status).toBe(409);
  });

  test('is rotated: the value before works during the overlap, none from earlier, and not at all without one', async () => {
    const { body: made } = await send()('POST', path, { name: 'third' });
    const rotate = async (body?: object) => (await send()('POST', `${path}/${made.id}/rotate`, body)).body;
    const second = await rotate();
    expect([second.id, await works(path, made.value), await works(path, second.value)]).toEqual([made.id, true, true]);
    const third = await rotate({ overlap_seconds: 60 });
    expect([await works(path, made.value), await works(path, second.value), await works(path, third.value)]).toEqual([false, true, true]);
    const fourth = await rotate({ overlap_seconds: 0 });
    expect([await works(path, third.value), await works(path, fourth.value)]).toEqual([false, true]);
    expect(await send()('POST', `${path}/${made.id}/rotate`, { overlap_seconds: -1 })).toMatchObject({ status: 400 });
  });

  test('that is revoked, or rotated, is on record with who did it', async () => {
    const { body: made } = await send()('POST', path, { name: 'fourth' });
    await send()('POST', `${path}/${made.id}/rotate`);
    await send()('POST', `${path}/${made.id}/revoke`);
    await send()('POST', `${path}/${made.id}/revoke`);
    const { rows } = await weir.db.query(`SELECT kind, payload ->> 'actor' AS actor FROM outbox WHERE payload ->> 'key' = $1 ORDER BY id`, [
      made.id,
    ]);
    const actor = expect.stringMatching(/^akey_/);
    expect(rows).toEqual([
      { kind: 'admin_key.rotated', actor },
      { kind: 'admin_key.revoked', actor },
    ]);
  });
});

test('the last operator key that works is not revoked, also when two are revoked at once', async () => {
  const keys = async () => (await operator('GET', OPERATORS)).body.data.filter(({ revoked_at }) => revoked_at === null);
  const { body: other } = await operator('POST', OPERATORS, { name: 'other' });
  const mine = (await keys()).find(({ id }) => id !== other.id)!;
  // One that has ended does not count as one that works.
  const { body: ended } = await operator('POST', OPERATORS, { name: 'ended' });
  await weir.db.query(`UPDATE admin_keys SET expires_at = now() - interval '1 day' WHERE name = 'ended'`);
  expect(await works(OPERATORS, ended.value)).toBe(false);
  for (const { id } of await keys()) if (![other.id, mine.id, ended.id].includes(id)) await operator('DELETE', `${OPERATORS}/${id}`);

  const others = clientOf(weir, other.value);
  const replies = await Promise.all([operator('DELETE', `${OPERATORS}/${other.id}`), others('POST', `${OPERATORS}/${mine.id}/revoke`)]);
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
  const key = (await works(OPERATORS, weir.operatorKey)) ? weir.operatorKey : other.value;
  const left = (await clientOf(weir, key)('GET', OPERATORS)).body.data.find(
    ({ id, revoked_at }) => revoked_at === null && id !== ended.id,
  )!;
  const refused = await clientOf(weir, key)('DELETE', `${OPERATORS}/${left.id}`);
  expect([refused.status, refused.body.error.code]).toEqual([409, 'last_operator_key']);
  operator = clientOf(weir, key);
});

describe('an API key', () => {
  const project = () => `/v1/organization/projects/${tenant.projectId}/api_keys`;

  test('keeps its id, its caps and the rules on it when it is rotated, and its value before works during the overlap', async () => {
    const inside: Send = (method, path, body) => operator(method, path, body, { 'x-weir-tenant': tenant.id });
    const { body: made } = await inside('POST', project(), { name: 'capped', models: ['mock/echo'], max_cost_per_call: '0.01' });
    await inside('POST', '/v1/organization/budgets', { scope: { kind: 'key', value: made.id }, limit: '1.00', period: 'month' });
    const { status, body: rotated } = await admin('POST', `${project()}/${made.id}/rotate`, { overlap_seconds: 60 });
    expect([status, rotated]).toEqual([
      200,
      expect.objectContaining({ id: made.id, models: ['mock/echo'], max_cost_per_call: '0.01', set_by: 'operator' }),
    ]);
    await eventually(async () => (await statusOf(rotated.value)) === 200, 1_000);
    expect(await statusOf(made.value)).toBe(200);
    const own = await fetch(`${weir.publicUrl}/v1/key`, { headers: { 'x-api-key': rotated.value } });
    expect(JSON.stringify(await own.json())).toContain('api_key');
    const { body: again } = await admin('POST', `${project()}/${made.id}/rotate`, { overlap_seconds: 0 });
    await eventually(async () => (await statusOf(again.value)) === 200 && (await statusOf(rotated.value)) === 401, 1_000);
    expect(await statusOf(made.value)).toBe(401);
    await inside('DELETE', `${project()}/${made.id}`);
    await eventually(async () => (await statusOf(again.value)) === 401, 1_000);
    expect((await admin('POST', `${project()}/${made.id}/rotate`)).status).toBe(409);
  });
});
