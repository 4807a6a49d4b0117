import { createTenant, eventually, startTestWeir } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';
import { clientOf } from '../admin/client.js';

const { weir, tenant, upstream } = withWeir({ environment: { WEIR_MODEL: 'up/test-model' }, hasProvider: true });

const ask = async (apiKey = tenant.apiKey, more: object = {}, session?: string) => {
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json', ...(session && { 'x-weir-session': session }) },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20, ...more }),
  });
  const { error } = (await response.json()) as { error?: { code: string; message: string } };
  return { served: response.headers.get('x-weir-model'), error };
};
const served = (by: string, ...given: Parameters<typeof ask>) => eventually(async () => (await ask(...given)).served === by);
const sessions = async (method: string, path = '', body?: object, key = tenant.apiKey) => {
  const response = await fetch(`${weir.publicUrl}/v1/sessions${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as { error?: object } };
};

test('a call without a model takes the default nearest to it: of its session, key, project, tenant or installation', async () => {
  const operator = clientOf(weir, weir.operatorKey);
  await tenant.admin('POST', '/v1/organization/routes', {
    name: 'smart',
    match: { kind: 'exact', value: 'smart' },
    targets: [{ model: 'up/gpt-4o' }],
  });
  await served('up/test-model');
  expect((await operator('POST', `/v1/platform/tenants/${tenant.id}`, { default_model: 'smart' })).body).toMatchObject({
    default_model: 'smart',
  });
  await served('up/gpt-4o');
  expect(await tenant.admin('POST', '/v1/organization/settings', { default_model: null })).toMatchObject({ default_model: null });
  await served('up/test-model');
  await tenant.admin('POST', '/v1/organization/settings', { default_model: 'smart' });
  await served('up/gpt-4o');
  await tenant.admin('POST', `/v1/organization/projects/${tenant.projectId}`, { default_model: 'up/other/model' });
  await served('up/other/model');
  const { value } = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
    name: 'own',
    models: ['smart', 'up/test-model'],
    default_model: 'up/test-model',
  });
  await served('up/test-model', value);
  expect(await sessions('POST', '', { id: 'chat', default_model: 'smart' }, value)).toMatchObject({
    status: 200,
    body: { object: 'session' },
  });
  expect((await ask(value, {}, 'chat')).served).toBe('up/gpt-4o');
  expect((await ask(value, { model: 'up/test-model' }, 'chat')).served).toBe('up/test-model');
  expect((await ask(value, { models: ['up/test-model'] }, 'chat')).served).toBe('up/test-model');
  await sessions('DELETE', '/chat');
  expect((await ask(value, {}, 'chat')).served).toBe('up/test-model');
});

test('defaults of a session are read, replaced and deleted, by keys of its tenant only', async () => {
  const other = await createTenant(weir);
  const id = 'a session / with 100%';
  const path = `/${encodeURIComponent(id)}`;
  const saved = await sessions('POST', '', { id, default_model: 'up/test-model', thinking_level: 'low' });
  expect(saved).toEqual({
    status: 200,
    body: { id, object: 'session', default_model: 'up/test-model', thinking_level: 'low', created_at: expect.any(Number) },
  });
  expect(await sessions('GET', path)).toEqual(saved);
  expect((await sessions('GET', path, undefined, other.apiKey)).status).toBe(404);
  expect((await sessions('DELETE', path, undefined, other.apiKey)).status).toBe(404);
  expect((await sessions('POST', '', { id, thinking_level: 'high' })).body).toMatchObject({ default_model: null, thinking_level: 'high' });
  expect((await sessions('DELETE', path)).body).toEqual({ id, object: 'session', deleted: true });
  expect((await sessions('GET', path)).status).toBe(404);
});

test('a session belongs to its project: another project of the tenant neither sees nor changes its defaults', async () => {
  const project = await tenant.admin<{ id: string }>('POST', '/v1/organization/projects', { name: 'another' });
  const { value } = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${project.id}/api_keys`, { name: 'k' });
  await served('up/gpt-4o', value);
  await sessions('POST', '', { id: 'shared', default_model: 'up/test-model' });
  expect((await sessions('GET', '/shared', undefined, value)).status).toBe(404);
  expect((await sessions('DELETE', '/shared', undefined, value)).status).toBe(404);
  expect((await sessions('POST', '', { id: 'shared', default_model: 'up/other/model' }, value)).status).toBe(200);
  expect((await ask(value, {}, 'shared')).served).toBe('up/other/model');
  expect((await ask(tenant.apiKey, {}, 'shared')).served).toBe('up/test-model');
});

test('a call of a project whose sessions never had defaults asks Postgres nothing for them', async () => {
  const other = await createTenant(weir);
  await other.admin('POST', '/v1/organization/providers', {
    name: 'up',
    type: 'openai',
    base_url: upstream.baseUrl,
    key: 'sk-secret',
    no_verify: true,
  });
  await served('up/test-model', other.apiKey);
  const client = await weir.db.connect();
  await client.query('BEGIN; LOCK TABLE sessions');
  expect((await ask(other.apiKey, {}, 'any')).served).toBe('up/test-model');
  await client.query('ROLLBACK');
  client.release();
});

test('the thinking level of a session stands between those of a call and of its key', async () => {
  await tenant.admin('POST', '/v1/organization/providers', {
    name: 'openai',
    type: 'openai',
    dialect: 'openai-chat',
    base_url: upstream.baseUrl,
    key: 'sk-secret',
  });
  const { value } = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
    name: 'k',
    thinking_level: 'low',
  });
  const effort = async (session?: string, more: object = {}) => {
    upstream.calls.length = 0;
    await ask(value, { model: 'openai/gpt-5', max_tokens: 5_000, ...more }, session);
    return upstream.calls.at(-1)?.body['reasoning_effort'];
  };
  await eventually(async () => (await effort()) === 'low');
  await sessions('POST', '', { id: 'thinker', thinking_level: 'high' });
  expect(await effort('thinker')).toBe('high');
  expect(await effort('thinker', { reasoning_effort: 'minimal' })).toBe('minimal');
  expect(await effort('another')).toBe('low');
});

test.each<[object, string | null]>([
  [{}, 'id'],
  [{ id: '' }, 'id'],
  [{ id: 's', default_model: 'up/none' }, 'default_model'],
  [{ id: 's', thinking_level: 'deep' }, 'thinking_level'],
  [{ id: 's', model: 'up/test-model' }, null],
])('a session %j is refused', async (body, param) => {
  const reply = await sessions('POST', '', body);
  expect(reply.status).toBeGreaterThanOrEqual(400);
  expect(reply.body.error).toMatchObject({ param });
});

test('a default that is no model here, or that its key may not use, is refused', async () => {
  const keys = `/v1/organization/projects/${tenant.projectId}/api_keys`;
  const send = clientOf(weir, tenant.adminKey);
  for (const [path, body] of [
    [keys, { name: 'k', default_model: 'up/none' }],
    [keys, { name: 'k', default_model: 'up/gpt-4o', models: ['up/test-model'] }],
    [`/v1/organization/projects/${tenant.projectId}`, { default_model: 'none' }],
  ] as const)
    expect(await send('POST', path, body)).toMatchObject({ status: 400, body: { error: { param: 'default_model' } } });
});

test('without any default a call is told where one can be set', async () => {
  const bare = await startTestWeir();
  const { apiKey } = await createTenant(bare);
  const reply = await fetch(`${bare.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: 'Hello' }] }),
  });
  const { error } = (await reply.json()) as { error: { code: string; message: string } };
  expect(error.code).toBe('model_required');
  for (const place of ['"model"', '/v1/sessions', 'API key', 'project', 'tenant', 'WEIR_MODEL']) expect(error.message).toContain(place);
  await bare.stop();
});
