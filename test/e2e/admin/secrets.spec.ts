import { withWeir } from '../../support/with-weir.js';
import { addMock, clientOf, type Send } from './client.js';

const { weir, tenant } = withWeir();
let send: Send;

beforeAll(async () => {
  send = clientOf(weir, tenant.adminKey);
  await addMock(tenant);
});

const storedKeys = async () => (await weir.db.query<{ count: bigint }>('SELECT count(*) FROM credentials')).rows[0]!.count;

test('an API key is shown when it is made, and never again', async () => {
  const keys = `/v1/organization/projects/${tenant.projectId}/api_keys`;
  const { body: made } = await send('POST', keys, { name: 'reports', models: ['mock/echo'], max_output_tokens: 100 });
  expect(made).toMatchObject({ object: 'api_key', name: 'reports', models: ['mock/echo'], max_output_tokens: 100, revoked_at: null });
  expect(made.value).toMatch(/^weir_sk_/);
  expect(made.redacted_value).toBe(`weir_sk_…${made.value.slice(-4)}`);
  expect(made.created_by).toMatch(/^akey_/);
  const secret = made.value.slice(8, -4);
  for (const [method, path] of [
    ['GET', keys],
    ['GET', `${keys}/${made.id}`],
    ['POST', `${keys}/${made.id}/revoke`],
    ['DELETE', `${keys}/${made.id}`],
  ] as const) {
    expect(JSON.stringify((await send(method, path)).body)).not.toContain(secret);
  }
});

test('revoking a key stands: the first time counts', async () => {
  const keys = `/v1/organization/projects/${tenant.projectId}/api_keys`;
  const { body: made } = await send('POST', keys, { name: 'k' });
  const { body: revoked } = await send('POST', `${keys}/${made.id}/revoke`);
  expect(revoked.revoked_at).toEqual(expect.any(Number));
  expect((await send('DELETE', `${keys}/${made.id}`)).body).toEqual({ id: made.id, object: 'api_key', deleted: true });
  expect((await send('GET', `${keys}/${made.id}`)).body.revoked_at).toBe(revoked.revoked_at);
});

test('the secret of a provider is never returned, nor stored as it is', async () => {
  const secret = 'sk-secret-of-the-provider';
  const { body: made } = await send('POST', '/v1/organization/providers', { type: 'openai', name: 'vault', key: secret });
  expect(made).toMatchObject({ object: 'provider', name: 'vault', base_url: 'https://api.openai.com/v1', models: ['*'], has_key: true });
  const replies = [
    made,
    (await send('GET', '/v1/organization/providers')).body,
    (await send('GET', `/v1/organization/providers/${made.id}`)).body,
  ];
  expect(JSON.stringify(replies)).not.toContain(secret);
  const { rows } = await weir.db.query<{ sealed: Buffer }>('SELECT sealed FROM credentials');
  for (const { sealed } of rows) expect(sealed.includes(secret)).toBe(false);
});

test('another origin drops the stored secret, another path does not', async () => {
  const { body: made } = await send('POST', '/v1/organization/providers', {
    type: 'openai',
    name: 'mover',
    base_url: 'https://a.example.com/v1/',
    key: 'sk-1',
  });
  expect(made.base_url).toBe('https://a.example.com/v1');
  const path = `/v1/organization/providers/${made.id}`;
  const stored = await storedKeys();

  expect((await send('PATCH', path, { base_url: 'https://a.example.com/v2' })).body).toMatchObject({
    base_url: 'https://a.example.com/v2',
    has_key: true,
  });
  expect((await send('PATCH', path, { models: ['m'] })).body).toMatchObject({ models: ['m'], has_key: true });
  expect((await send('PATCH', path, { base_url: 'https://b.example.com/v2' })).body).toMatchObject({
    base_url: 'https://b.example.com/v2',
    has_key: false,
  });
  expect(await storedKeys()).toBe(stored - 1n);
  expect((await send('POST', path, { base_url: 'https://c.example.com/v2', key: 'sk-2' })).body).toMatchObject({ has_key: true });
  expect((await send('POST', path, { key: null })).body).toMatchObject({ has_key: false });
});

test('an origin and a secret that are changed at once never meet wrongly', async () => {
  const { body: made } = await send('POST', '/v1/organization/providers', {
    type: 'openai',
    name: 'racer',
    base_url: 'https://a.example.com',
  });
  const path = `/v1/organization/providers/${made.id}`;
  for (let round = 0; round < 10; round++) {
    await Promise.all([send('PATCH', path, { base_url: `https://r${round}.example.com` }), send('PATCH', path, { key: `sk-${round}` })]);
    const { rows } = await weir.db.query<{ origin: string; base_url: string }>(
      'SELECT c.origin, p.base_url FROM credentials c JOIN providers p ON p.id = c.provider_id WHERE p.name = $1',
      ['racer'],
    );
    for (const row of rows) expect(row.origin).toBe(new URL(row.base_url).origin);
  }
});

test('deleting a provider destroys its secret and frees its name', async () => {
  const stored = await storedKeys();
  const { body: made } = await send('POST', '/v1/organization/providers', { type: 'openai', name: 'gone', key: 'sk-1' });
  expect((await send('DELETE', `/v1/organization/providers/${made.id}`)).body).toEqual({
    id: made.id,
    object: 'provider',
    deleted: true,
  });
  expect(await storedKeys()).toBe(stored);
  expect((await send('GET', `/v1/organization/providers/${made.id}`)).status).toBe(404);
  expect((await send('POST', '/v1/organization/providers', { type: 'openai', name: 'gone' })).status).toBe(200);
});
