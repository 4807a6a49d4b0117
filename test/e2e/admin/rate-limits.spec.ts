import { withWeir } from '../../support/with-weir.js';
import { clientOf, type Send } from './client.js';

const { weir, tenant } = withWeir();
let send: Send;

beforeAll(async () => {
  send = clientOf(weir, tenant.adminKey);
});

const PATH = '/v1/organization/rate_limits';

test('a limit is made, read, listed, changed against its version and removed', async () => {
  const made = await send('POST', PATH, {
    scope: { kind: 'key', value: tenant.keyId },
    max_requests_per_1_minute: 60,
    external_id: 'ours',
  });
  expect(made.status).toBe(200);
  expect(made.headers.get('etag')).toBe('"1"');
  expect(made.body).toMatchObject({
    object: 'rate_limit',
    scope: { kind: 'api_key', value: tenant.keyId },
    max_requests_per_1_minute: 60,
    max_tokens_per_1_minute: null,
    max_concurrent_requests: null,
    version: 1,
    external_id: 'ours',
  });
  const path = `${PATH}/${made.body.id}`;
  expect((await send('GET', path)).body).toEqual(made.body);
  expect((await send('GET', PATH)).body.data).toEqual([made.body]);
  const changed = await send('POST', path, { max_requests_per_1_minute: null, max_concurrent_requests: 4 }, { 'if-match': '"1"' });
  expect(changed.body).toMatchObject({ max_requests_per_1_minute: null, max_concurrent_requests: 4, version: 2 });
  expect((await send('PATCH', path, { max_concurrent_requests: 5 }, { 'if-match': '"1"' })).status).toBe(412);
  expect((await send('DELETE', path, undefined, { 'if-match': '"1"' })).status).toBe(412);
  expect((await send('DELETE', path)).body).toEqual({ id: made.body.id, object: 'rate_limit', deleted: true });
  expect((await send('GET', path)).status).toBe(404);
});

test.each([
  ['nothing to limit', { scope: { kind: 'tenant' } }, 'limits nothing. Set max_requests_per_1_minute'],
  ['a limit below zero', { scope: { kind: 'tenant' }, max_concurrent_requests: -1 }, 'max_concurrent_requests'],
  ['a kind of scope that does not exist', { scope: { kind: 'planet', value: 'x' }, max_concurrent_requests: 1 }, 'scope.kind'],
  ['a scope without its value', { scope: { kind: 'end_user' }, max_concurrent_requests: 1 }, 'scope.value'],
])('%s is refused', async (_name, body, message) => {
  const reply = await send('POST', PATH, body);
  expect(reply.status).toBe(400);
  expect(reply.body.error.message).toContain(message);
});

test('a limit that would limit nothing any more is not made so', async () => {
  const made = await send('POST', PATH, { scope: { kind: 'end_user', value: '*' }, max_concurrent_requests: 1 });
  expect((await send('POST', `${PATH}/${made.body.id}`, { max_concurrent_requests: null })).status).toBe(400);
});
