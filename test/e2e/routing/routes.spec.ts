import { addUpstream, eventually, startTestWeir } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';
import { type Body, clientOf, type Send } from '../admin/client.js';

const { weir, tenant, upstream } = withWeir();
let send: Send;
let operator: Send;

/** Two providers, `up` and `spare`, both at one upstream. */
beforeAll(async () => {
  for (const name of ['up', 'spare']) await addUpstream(tenant, upstream.baseUrl, name);
  send = clientOf(weir, tenant.adminKey);
  operator = clientOf(weir, weir.operatorKey);
});

afterEach(async () => {
  upstream.calls.length = 0;
  for (const { id } of (await send('GET', '/v1/organization/routes')).body.data)
    await operator('DELETE', `/v1/organization/routes/${id}`, undefined, { 'x-weir-tenant': tenant.id });
  for (const { id } of (await operator('GET', '/v1/platform/routes')).body.data) await operator('DELETE', `/v1/platform/routes/${id}`);
});

const route = (value: string, targets: (string | object)[], more: object = {}, kind = 'exact') => ({
  name: `${kind} ${value}`,
  match: { kind, value },
  targets: targets.map((model) => (typeof model === 'string' ? { model } : model)),
  ...more,
});
const save = async (...given: Parameters<typeof route>): Promise<Body> => {
  const { status, body } = await send('POST', '/v1/organization/routes', route(...given));
  expect([status, body]).toEqual([200, expect.objectContaining({ object: 'route' })]);
  return body;
};

const call = async (model: string, apiKey = tenant.apiKey, more: object = {}) => {
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20, ...more }),
  });
  const { error } = (await response.json()) as {
    error?: { code: string; param: string; message: string; skipped?: { model: string; reason: string }[] };
  };
  return { status: response.status, served: response.headers.get('x-weir-model'), error };
};
/** Resolves once calls of this name go there. */
const served = (model: string, by: string | null, apiKey?: string) => eventually(async () => (await call(model, apiKey)).served === by);

test('an alias leads to its first target, and is listed with all of them', async () => {
  await save('smart', ['up/test-model', 'spare/test-model']);
  await served('smart', 'up/test-model');
  expect(upstream.calls.at(-1)!.body.model).toBe('test-model');
  const { data } = await tenant.openai.models.list();
  expect(data.find(({ id }) => id === 'smart')).toMatchObject({
    owned_by: 'up',
    route: { targets: ['up/test-model', 'spare/test-model'] },
  });
  expect(data.find(({ id }) => id === 'up/test-model')).toMatchObject({ route: null });
  expect(await tenant.openai.models.retrieve('smart')).toMatchObject({ id: 'smart' });
  const pages = await fetch(`${weir.publicUrl}/v1/models`, { headers: { 'x-api-key': tenant.apiKey, 'anthropic-version': '2023-06-01' } });
  expect(((await pages.json()) as Body).data.map(({ id }) => id)).toContain('smart');
});

test('a route is read, listed, changed at its version only, and deleted', async () => {
  const saved = await save('smart', ['up/test-model'], {
    retries: 0,
    attempts: 3,
    deadline_ms: 5_000,
    fallback_on: ['timeout'],
    external_id: 'x',
    metadata: { a: 'b' },
  });
  expect(saved).toMatchObject({
    id: expect.stringMatching(/^route_/),
    strategy: 'ordered',
    targets: [{ model: 'up/test-model', weight: 1, credential: null }],
    retries: 0,
    attempts: 3,
    deadline_ms: 5_000,
    fallback_on: ['timeout'],
    set_by: 'tenant',
    version: 1,
    external_id: 'x',
    metadata: { a: 'b' },
  });
  const path = `/v1/organization/routes/${saved.id}`;
  expect((await send('GET', path)).body).toEqual(saved);
  expect((await send('GET', '/v1/organization/routes')).body.data).toEqual([saved]);
  await served('smart', 'up/test-model');

  const changed = await send('POST', path, { targets: [{ model: 'spare/test-model' }], retries: null }, { 'if-match': '"1"' });
  expect(changed.body).toMatchObject({ version: 2, retries: null, attempts: 3, targets: [{ model: 'spare/test-model' }] });
  expect(await send('PATCH', path, { attempts: 1 }, { 'if-match': '"1"' })).toMatchObject({
    status: 412,
    body: { error: { code: 'precondition_failed' } },
  });
  await served('smart', 'spare/test-model');

  expect((await send('DELETE', path)).body).toEqual({ id: saved.id, object: 'route', deleted: true });
  await eventually(async () => (await call('smart')).error?.code === 'model_not_found');
  expect((await send('GET', path)).status).toBe(404);
});

test('another process obeys a change within a second', async () => {
  const other = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort, DATABASE_URL: weir.databaseUrl });
  const servedThere = async () => {
    const reply = await fetch(`${other.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'shared', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20 }),
    });
    return reply.headers.get('x-weir-model');
  };
  const saved = await save('shared', ['up/test-model']);
  await eventually(async () => (await servedThere()) === 'up/test-model', 1_000);
  await send('POST', `/v1/organization/routes/${saved.id}`, { targets: [{ model: 'spare/test-model' }] });
  await eventually(async () => (await servedThere()) === 'spare/test-model', 1_000);
  await other.stop();
});

test('an exact match goes before prefixes, of which the longest counts, and a tenant’s before the platform’s', async () => {
  await operator('POST', '/v1/platform/credentials', {
    name: 'lent',
    type: 'openai',
    base_url: upstream.baseUrl,
    key: 'sk-lent-secret',
    models: ['*'],
  });
  expect((await operator('POST', '/v1/platform/routes', route('fast-', ['lent/*'], {}, 'prefix'))).body).toMatchObject({
    set_by: 'operator',
  });
  // The platform lends it to nobody yet.
  await eventually(async () => (await call('fast-1')).error?.code === 'no_target');
  await save('fast-', ['up/other/model'], {}, 'prefix');
  await served('fast-1', 'up/other/model');
  await save('fast-1', ['up/gpt-4o'], {}, 'prefix');
  await served('fast-1', 'up/gpt-4o');
  await save('fast-1', ['spare/gpt-4o']);
  await served('fast-1', 'spare/gpt-4o');
  expect((await call('fast-12')).served).toBe('up/gpt-4o');
  expect((await call('fast-2')).served).toBe('up/other/model');
});

test('a prefix passes the name on; a provider that it begins with is cut', async () => {
  await save('gpt-', ['up/*'], {}, 'prefix');
  await served('gpt-4o', 'up/gpt-4o');
  await save('up/', ['spare/*', 'up/*'], {}, 'prefix');
  await served('up/gpt-4o', 'spare/gpt-4o');
});

test('a name under a prefix that none of its providers has is told the nearest one', async () => {
  await save('gpt-', ['up/*'], {}, 'prefix');
  await save('up/', ['spare/*', 'up/*'], {}, 'prefix');
  await served('up/gpt-4o', 'spare/gpt-4o');
  expect((await call('gpt-4p')).error).toEqual(
    expect.objectContaining({
      code: 'model_not_found',
      param: 'model',
      message: 'No provider that the route "gpt-" leads to has the model "gpt-4p". Did you mean "up/gpt-4o"?',
    }),
  );
  expect(await call('up/gpt-4p')).toMatchObject({
    status: 404,
    error: { message: expect.stringContaining('Did you mean "spare/gpt-4o"?') },
  });
});

test('what a prefix leads to may be missing for reasons that are not the client’s', async () => {
  await save('gpt-', [{ model: 'up/*' }, { model: 'spare/test-model' }], {}, 'prefix');
  await served('gpt-4o', 'up/gpt-4o');
  await weir.db.query(`UPDATE providers SET models = '{other}' WHERE name = 'spare'`);
  await eventually(async () => (await call('spare/test-model')).status === 404);
  try {
    expect(await call('gpt-5')).toMatchObject({ status: 503, error: { code: 'no_target' } });
  } finally {
    await weir.db.query(`UPDATE providers SET models = '{test-model,other/model,gpt-4o}' WHERE name = 'spare'`);
  }
});

test('a reference may have a chain of its own, which begins with itself', async () => {
  await save('up/test-model', ['up/test-model', 'spare/test-model']);
  await eventually(
    async () => ((await tenant.openai.models.retrieve('up/test-model')) as unknown as { route: object | null }).route !== null,
  );
  expect((await call('up/test-model')).served).toBe('up/test-model');
});

test('a hint is asked for by its task', async () => {
  await save('fast', ['up/test-model'], {}, 'hint');
  await served('hint:fast', 'up/test-model');
  expect((await call('hint:fats')).error).toMatchObject({
    code: 'model_not_found',
    message: expect.stringContaining('Did you mean "hint:fast"?'),
  });
  expect((await tenant.openai.models.list()).data.map(({ id }) => id)).not.toContain('hint:fast');
});

test('a key is allowed the name of a route with all its targets, or targets', async () => {
  await save('smart', ['up/test-model', 'spare/test-model']);
  await served('smart', 'up/test-model');
  const keyFor = async (models: string[]) =>
    (
      await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
        name: models.join(),
        models,
      })
    ).value;
  const [byAlias, byTarget, other] = [await keyFor(['smart']), await keyFor(['spare/test-model']), await keyFor(['up/gpt-4o'])];
  await served('smart', 'up/test-model', byAlias);
  expect(await call('up/test-model', byAlias)).toMatchObject({ status: 403, error: { code: 'model_not_allowed' } });
  await served('smart', 'spare/test-model', byTarget);
  await eventually(async () => (await call('smart', other)).status === 403);
  const { error } = await call('smart', other);
  expect(error).toMatchObject({
    code: 'model_not_allowed',
    message: expect.stringContaining('up/test-model: This API key may not use'),
    skipped: [{ model: 'up/test-model' }, { model: 'spare/test-model' }],
  });
  expect(await send('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, { name: 'k', models: ['smrt'] })).toMatchObject({
    status: 400,
  });
});

test('a target that sees no images is passed over by a call that has some', async () => {
  await tenant.admin('POST', '/v1/organization/models', { provider: 'up', model: 'test-model', vision: false });
  await save('eyes', ['up/test-model', 'spare/test-model']);
  await served('eyes', 'up/test-model');
  const messages = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }] }];
  expect((await call('eyes', tenant.apiKey, { messages })).served).toBe('spare/test-model');
  await save('blind', ['up/test-model']);
  await served('blind', 'up/test-model');
  expect(await call('blind', tenant.apiKey, { messages })).toMatchObject({
    status: 400,
    error: { code: 'invalid_request', message: expect.stringContaining('takes no images') },
  });
});

test('a provider is not deleted while a route names it, also in a condition', async () => {
  await addUpstream(tenant, upstream.baseUrl, 'leaving');
  const { data } = (await send('GET', '/v1/organization/providers')).body;
  const path = `/v1/organization/providers/${data.find((one) => (one as unknown as { name: string }).name === 'leaving')!.id}`;
  const routes = [
    await save('old', ['leaving/test-model']),
    await save('dear', ['up/test-model'], { when: { budget_used_percent: 80, use: [{ model: 'leaving/test-model' }] } }),
  ];
  expect(await send('DELETE', path)).toMatchObject({
    status: 409,
    body: { error: { code: 'conflict', message: expect.stringMatching(/"exact dear", "exact old" name the provider "leaving"/) } },
  });
  for (const { id } of routes) await send('DELETE', `/v1/organization/routes/${id}`);
  expect((await send('DELETE', path)).status).toBe(200);
});

test('a target is called with the key that its route names', async () => {
  const { data } = (await send('GET', '/v1/organization/providers')).body;
  const id = data.find((one) => (one as unknown as { name: string }).name === 'up')!.id;
  const { body } = await send('POST', `/v1/organization/providers/${id}/keys`, { key: 'sk-the-other-key-of-up' });
  const keys = body.keys.map((key) => key.id);
  await save('first', [{ model: 'up/test-model', credential: keys[0] }]);
  const { id: pinned } = await save('second', [{ model: 'up/test-model', credential: keys[1] }]);
  for (const [name, key] of [
    ['first', 'sk-up-secret-of-the-provider'],
    ['second', 'sk-the-other-key-of-up'],
  ] as const) {
    await served(name, 'up/test-model');
    for (let n = 0; n < 3; n++) await call(name);
    expect(upstream.calls.splice(0).map(({ headers }) => headers['authorization'])).toEqual(Array(4).fill(`Bearer ${key}`));
  }
  expect(await send('POST', '/v1/organization/routes', route('third', [{ model: 'spare/test-model', credential: keys[0] }]))).toMatchObject(
    {
      status: 400,
      body: { error: { param: 'targets.0.credential' } },
    },
  );
  expect((await send('DELETE', `/v1/organization/providers/${id}/keys/${keys[1]}`)).body).toEqual({
    id: keys[1],
    object: 'provider.key',
    deleted: true,
    routes: [pinned],
  });
  await eventually(async () => (await call('second')).error?.code === 'no_target');
});

test('a call is resolved without being made: its route, targets in order, those that are skipped, and its policy', async () => {
  const entry = await tenant.admin<{ id: string }>('POST', '/v1/organization/models', {
    provider: 'up',
    model: 'gpt-4o',
    context_window: 1_000,
    max_output_tokens: 500,
    vision: false,
  });
  const saved = await save('smart', ['up/gpt-4o', 'spare/test-model', 'up/test-model'], { attempts: 3, fallback_on: ['timeout'] });
  const { id } = await tenant.admin<{ id: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
    name: 'some',
    models: ['up/gpt-4o', 'up/test-model'],
    max_output_tokens: 50,
    default_model: 'up/test-model',
  });
  const resolve = async (body: object) => (await send('POST', '/v1/organization/models/resolve', body)).body;
  expect(await resolve({ model: 'smart', api_key: id })).toEqual({
    object: 'model.resolution',
    requested_model: 'smart',
    default_from: null,
    thinking_level: null,
    route: { id: saved.id, name: 'exact smart', match: { kind: 'exact', value: 'smart' }, owner: 'tenant' },
    targets: [
      {
        model: 'up/gpt-4o',
        provider: 'up',
        credential: null,
        max_output_tokens: 50,
        output_limit: { set_by: 'api_key', lowered_from: null },
        context_window: 1_000,
        price: expect.objectContaining({ input: '1.00' }),
        price_id: expect.stringMatching(/^price_/),
        worst_case: { input_tokens: expect.any(Number), output_tokens: 50, amount: expect.any(String), fits: true },
        budgets: [],
        rate_limits: [],
      },
      expect.objectContaining({ model: 'up/test-model' }),
    ],
    skipped: [{ model: 'spare/test-model', reason: expect.stringContaining('may not use') }],
    policy: { retries: 0, attempts: 3, deadline_ms: null, fallback_on: ['timeout'] },
  });
  const image = { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }] }] };
  expect(await resolve({ model: 'up/gpt-4o', models: ['smart'], ...image })).toMatchObject({
    route: null,
    targets: [{ model: 'spare/test-model' }],
    skipped: [{ model: 'up/gpt-4o' }, { model: 'up/gpt-4o' }, { model: 'up/test-model' }],
  });
  expect(await resolve({ api_key: id })).toMatchObject({
    requested_model: 'up/test-model',
    default_from: 'api_key',
    route: null,
    targets: [{ model: 'up/test-model' }],
  });
  expect(await resolve({ model: 'up/none' })).toMatchObject({ error: { code: 'model_not_found' } });
  expect(await resolve({ model: 'smart', api_key: `key_${'0'.repeat(32)}` })).toMatchObject({
    error: { code: 'not_found', param: 'api_key' },
  });
  expect(upstream.calls).toEqual([]);
  await tenant.admin('DELETE', `/v1/organization/models/${entry.id}`);
});

test('a route has other targets while a budget is nearly spent', async () => {
  const budget = await tenant.admin<{ id: string }>('POST', '/v1/organization/budgets', {
    scope: { kind: 'end_user', value: '*' },
    limit: '0.0001',
    period: 'day',
    mode: 'observe',
  });
  const use = [{ model: 'spare/gpt-4o' }];
  await save('fullest', ['up/gpt-4o'], { when: { budget_used_percent: 80, use } });
  const saved = await save('named', ['up/gpt-4o'], { when: { budget: budget.id, used_percent: 80, use } });
  expect(saved).toMatchObject({
    when: { budget: budget.id, used_percent: 80, use: [{ model: 'spare/gpt-4o', weight: 1, credential: null }] },
  });
  const user = { user: 'spender' };
  await eventually(async () => (await call('named', tenant.apiKey, { user: 'saver' })).served === 'up/gpt-4o');
  // Each call costs 0.000033 USD.
  for (let n = 0; n < 3; n++) await call('up/gpt-4o', tenant.apiKey, user);
  for (const name of ['fullest', 'named']) {
    await eventually(async () => (await call(name, tenant.apiKey, user)).served === 'spare/gpt-4o', 8_000);
    expect((await call(name, tenant.apiKey, { user: 'another saver' })).served).toBe('up/gpt-4o');
  }
  await send('POST', `/v1/organization/routes/${saved.id}`, { when: null });
  await eventually(async () => (await call('named', tenant.apiKey, user)).served === 'up/gpt-4o');
  await tenant.admin('DELETE', `/v1/organization/budgets/${budget.id}`);
});

test.each<[object, string]>([
  [{ budget_used_percent: 80, use: [{ model: 'up/none' }] }, 'when.use.0.model'],
  [{ use: [{ model: 'up/gpt-4o' }] }, 'when'],
  [{ used_percent: 80, use: [{ model: 'up/gpt-4o' }] }, 'when'],
  [{ budget_used_percent: 0, use: [{ model: 'up/gpt-4o' }] }, 'when.budget_used_percent'],
  [{ budget: 'bud_1', used_percent: 80, use: [{ model: 'up/gpt-4o' }] }, 'when.budget'],
])('a condition %j is refused', async (when, param) => {
  expect(await send('POST', '/v1/organization/routes', route('x', ['up/gpt-4o'], { when }))).toMatchObject({
    status: 400,
    body: { error: { param } },
  });
});

test('the cheapest target comes first where a route says so', async () => {
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'spare', model: 'test-model', input: '0.1', output: '0.2' });
  await save('cheap', ['up/test-model', 'spare/gpt-4o', 'spare/test-model'], { strategy: 'least_cost' });
  const { body } = await send('POST', '/v1/organization/models/resolve', { model: 'cheap' });
  expect((body as unknown as { targets: { model: string }[] }).targets.map(({ model }) => model)).toEqual([
    'spare/test-model',
    'up/test-model',
    'spare/gpt-4o',
  ]);
});

test.each<[string, object, string, RegExp]>([
  ['a provider that does not exist', route('x', ['upp/test-model']), 'targets.0.model', /Did you mean "up"\?/],
  ['a model that is not exposed', route('x', ['up/test-mode']), 'targets.0.model', /Did you mean "up\/test-model"\?/],
  ['a target that is no reference', route('x', ['test-model']), 'targets.0.model', /Write each target as provider\/model-id/],
  ['itself as a target', route('x', ['x']), 'targets.0.model', /no loops/],
  ['a target twice', route('x', ['up/test-model', 'up/test-model']), 'targets.1.model', /twice/],
  ['a passed-on name without a prefix', route('x', ['up/*']), 'targets.0.model', /only a prefix/],
  ['a prefix that no model of its target begins with', route('claude-', ['up/*'], {}, 'prefix'), 'targets.0.model', /never be called/],
  ['the name of a provider', route('up', ['spare/test-model']), 'match.value', /name of a provider/],
  ['an alias with a blank', route('a b', ['up/test-model']), 'match.value', /no spaces/],
  ['a pattern', route('a*', ['up/test-model']), 'match.value', /Use \{"kind":"prefix"\}/],
  ['a prefix that hints have', route('hint:a', ['up/test-model'], {}, 'prefix'), 'match.value', /are hints/],
  ['no target', route('x', []), 'targets', /./],
  [
    'too many targets',
    route(
      'x',
      Array.from({ length: 17 }, (_, n) => `up/m${n}`),
    ),
    'targets',
    /./,
  ],
  ['a weight of zero', route('x', [{ model: 'up/test-model', weight: 0 }]), 'targets.0.weight', /./],
  ['a deadline above the installation’s', route('x', ['up/test-model'], { deadline_ms: 86_400_000 }), 'deadline_ms', /at most/],
  ['a failure that is none', route('x', ['up/test-model'], { fallback_on: ['sunday'] }), 'fallback_on.0', /./],
])('%s is refused', async (_, body, param, message) => {
  const { status, body: answer } = await send('POST', '/v1/organization/routes', body);
  expect([status, answer.error]).toEqual([400, expect.objectContaining({ param, message: expect.stringMatching(message) })]);
});

test('a match that is there already is never reached, and refused', async () => {
  const first = await save('smart', ['up/test-model']);
  await save('smart', ['up/test-model'], {}, 'prefix');
  const twin = { ...route('smart', ['spare/test-model']), name: 'twin' };
  expect(await send('POST', '/v1/organization/routes', twin)).toMatchObject({
    status: 409,
    body: { error: { param: 'match', message: expect.stringContaining('never be reached') } },
  });
  const other = await save('other', ['up/test-model']);
  expect(await send('POST', `/v1/organization/routes/${other.id}`, { match: { kind: 'exact', value: 'smart' } })).toMatchObject({
    status: 409,
  });
  expect(await send('POST', `/v1/organization/routes/${other.id}`, { targets: [{ model: 'smart' }] })).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringContaining('loops') } },
  });
  expect((await send('POST', `/v1/organization/routes/${first.id}`, { name: 'renamed' })).body).toMatchObject({ name: 'renamed' });
});

test('what an operator sets for a tenant, the tenant sees and cannot change', async () => {
  const { body } = await operator('POST', '/v1/organization/routes', route('ruled', ['up/test-model']), { 'x-weir-tenant': tenant.id });
  const path = `/v1/organization/routes/${body.id}`;
  expect((await send('GET', path)).body).toMatchObject({ set_by: 'operator' });
  expect(await send('POST', path, { attempts: 1 })).toMatchObject({ status: 403, body: { error: { code: 'platform_rule' } } });
  expect((await send('DELETE', path)).status).toBe(403);
  await operator('POST', path, { set_by: 'tenant' }, { 'x-weir-tenant': tenant.id });
  expect((await send('DELETE', path)).status).toBe(200);
});

test('a client’s own list is tried in order after its model, each checked for the key', async () => {
  await save('smart', ['spare/test-model', 'up/test-model']);
  await served('smart', 'spare/test-model');
  expect((await call('up/gpt-4o', tenant.apiKey, { models: ['smart', 'up/gpt-4o'] })).served).toBe('up/gpt-4o');
  // Without a model the first of the list is it.
  expect((await call(undefined as never, tenant.apiKey, { models: ['smart', 'up/gpt-4o'], fallbacks: ['up/other/model'] })).served).toBe(
    'spare/test-model',
  );
  const messages = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } }] }];
  await tenant.admin('POST', '/v1/organization/models', { provider: 'up', model: 'other/model', vision: false });
  await eventually(async () => (await call('up/other/model', tenant.apiKey, { messages, models: ['up/gpt-4o'] })).served === 'up/gpt-4o');
  expect((await call('up/gpt-4o', tenant.apiKey, { models: ['up/gpt-5'] })).error).toMatchObject({
    code: 'model_not_found',
    param: 'models[0]',
    message: expect.stringContaining('Did you mean'),
  });
  const { value } = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
    name: 'narrow',
    models: ['up/gpt-4o'],
  });
  await served('up/gpt-4o', 'up/gpt-4o', value);
  expect(await call('up/gpt-4o', value, { fallbacks: ['spare/gpt-4o'] })).toMatchObject({
    status: 403,
    error: { code: 'model_not_allowed', param: 'fallbacks[0]' },
  });
});

test('a call may be given a time, up to what the installation allows', async () => {
  const timed = async (value: string) => {
    const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', 'x-weir-timeout-ms': value },
      body: JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }] }),
    });
    const { error } = (await response.json()) as { error?: { message: string } };
    return { status: response.status, message: error?.message };
  };
  const statuses = (await Promise.all(['5000', '600000', '99', '1.5', '999999999'].map(timed))).map(({ status }) => status);
  expect(statuses).toEqual([200, 200, 400, 400, 400]);
  for (const value of ['999999999', '9'.repeat(12), '9'.repeat(400)])
    expect((await timed(value)).message).toMatch(/must be at most \d+: a call takes no longer here\.$/);
});
