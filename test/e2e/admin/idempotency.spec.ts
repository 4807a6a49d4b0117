import { createTenant } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';
import { clientOf, type Send } from './client.js';

const { weir, tenant } = withWeir();
let send: Send;
let keys: string;

beforeAll(async () => {
  send = clientOf(weir, tenant.adminKey);
  keys = `/v1/organization/projects/${tenant.projectId}/api_keys`;
});

const once = (key: string) => ({ 'idempotency-key': key });

test('a repeated request gets the first response again, secret and ETag included', async () => {
  const first = await send('POST', keys, { name: 'k' }, once('a'));
  const second = await send('POST', keys, { name: 'k' }, once('a'));
  expect(second.body).toEqual(first.body);
  expect(second.headers.get('idempotent-replayed')).toBe('true');
  const { rows } = await weir.db.query<{ response: Buffer }>('SELECT response FROM idempotency_keys');
  for (const { response } of rows) expect(response.includes(first.body.value)).toBe(false);

  const budget = { scope: { kind: 'tenant' }, limit: '1.00', period: 'month' };
  await send('POST', '/v1/organization/budgets', budget, once('b'));
  expect((await send('POST', '/v1/organization/budgets', budget, once('b'))).headers.get('etag')).toBe('"1"');
  expect((await send('GET', '/v1/organization/budgets')).body.data).toHaveLength(1);
});

test('the same key with another body, or at another address, is refused', async () => {
  await send('POST', '/v1/organization/projects', { name: 'one' }, once('c'));
  for (const [path, body] of [
    ['/v1/organization/projects', { name: 'two' }],
    [keys, { name: 'one' }],
  ] as const) {
    const reply = await send('POST', path, body, once('c'));
    expect([reply.status, reply.body.error.code, reply.headers.get('x-should-retry')]).toEqual([422, 'idempotency_mismatch', 'false']);
  }
});

test('of many at once, one is done and the others wait or repeat it', async () => {
  const replies = await Promise.all(
    Array.from({ length: 8 }, () => send('POST', '/v1/organization/projects', { name: 'crowd' }, once('d'))),
  );
  const done = replies.filter(({ status }) => status === 200);
  expect(new Set(done.map(({ body }) => body.id)).size).toBe(1);
  for (const reply of replies.filter(({ status }) => status !== 200))
    expect([reply.status, reply.body.error.code]).toEqual([409, 'idempotency_in_progress']);
});

test('a failed request is not remembered', async () => {
  expect((await send('POST', '/v1/organization/projects', { nam: 'x' }, once('e'))).status).toBe(400);
  expect((await send('POST', '/v1/organization/projects', { name: 'later' }, once('e'))).status).toBe(200);
});

test('one key says nothing to another admin, nor to the same operator in another tenant', async () => {
  const other = await createTenant(weir);
  const operator = clientOf(weir, weir.operatorKey);
  const body = { name: 'shared' };
  const mine = await send('POST', '/v1/organization/projects', body, once('f'));
  const theirs = await clientOf(weir, other.adminKey)('POST', '/v1/organization/projects', body, once('f'));
  expect(theirs.body.id).not.toBe(mine.body.id);
  await operator('POST', '/v1/organization/projects', { name: 'x' }, { ...once('g'), 'x-weir-tenant': tenant.id });
  expect((await operator('POST', '/v1/organization/projects', { name: 'x' }, { ...once('g'), 'x-weir-tenant': other.id })).status).toBe(
    422,
  );
});

test('what ran when its process died can be tried again a minute later', async () => {
  await weir.db.query(
    `INSERT INTO idempotency_keys (scope, key, fingerprint, created_at) SELECT scope, 'h', '\\x00', now() - interval '2 minutes' FROM idempotency_keys LIMIT 1`,
  );
  expect((await send('POST', '/v1/organization/projects', { name: 'revived' }, once('h'))).status).toBe(200);
});
