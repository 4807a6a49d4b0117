import { createTenant, eventually } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';

const NOWHERE = 'http://127.0.0.1:1/v1';

const { weir, tenant } = withWeir({ environment: { WEIR_EGRESS_ALLOW: '127.0.0.1:1' } });

beforeAll(async () => {
  await provider({ name: 'up', models: ['m1', 'meta-llama/Big-3'], default_model: 'm1' });
  await provider({ name: 'openai', models: ['*'] });
});

interface Made {
  id: string;
  scope: { value: string };
}

const provider = (body: object) =>
  tenant.admin<Made>('POST', '/v1/organization/providers', { type: 'openai', base_url: NOWHERE, key: 'secret', ...body });

const send = async (method: string, path: string, body: object) => {
  const response = await fetch(weir.adminUrl + path, {
    method,
    headers: { authorization: `Bearer ${tenant.adminKey}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return { status: response.status, body: (await response.json()) as Made & { error: { code: string; param: string; message: string } } };
};

/** Every rule that is set on a model or a provider, by its scope. */
const RULES = {
  budget: { path: '/v1/organization/budgets', with: { limit: '1', period: 'month' }, change: { limit: '2' } },
  limit: { path: '/v1/organization/rate_limits', with: { max_requests_per_1_minute: 1 }, change: { max_requests_per_1_minute: 2 } },
};
const rules = Object.entries(RULES);

/** Names that no call has, and what the refusal has to say. */
const UNMATCHED: [kind: 'model' | 'provider', value: string, says: RegExp][] = [
  ['model', 'gpt-5', /provider\/model-id.*"openai\/gpt-5"/],
  ['model', 'm1', /"up\/m1"/],
  ['model', 'up', /"up\/m1"/],
  ['model', 'opneai/gpt-5', /"openai"/],
  ['model', 'OpenAI/gpt-5', /"openai"/],
  ['model', 'up/m2', /"up\/m1"/],
  ['model', 'up/nonexistent', /does not expose/],
  ['model', 'up/*', /patterns.*"provider","value":"up"/],
  ['model', 'up/m*', /patterns/],
  ['model', '*/m1', /no provider/],
  ['model', 'openai/*', /patterns/],
  ['model', 'openai/gpt-*', /patterns/],
  ['model', 'openai/', /no model/],
  ['model', 'openai/gpt-5/', /empty part/],
  ['model', 'openai//gpt-5', /empty part/],
  ['model', 'openai/gpt%2D5', /percent/],
  ['model', 'openai/gpt\u200b-5', /cannot be seen/],
  ['provider', 'opneai', /"openai"/],
  ['provider', 'OPENAI', /"openai"/],
  ['provider', 'up/', /"up"/],
  ['provider', 'up/m1', /"up"/],
  ['provider', 'up*', /"up"/],
  ['provider', 'nothing-like-it', /no provider/],
];

describe.each(rules)('a %s', (_, rule) => {
  test.each(UNMATCHED)('on the %s %j is refused with what to write', async (kind, value, says) => {
    const { status, body } = await send('POST', rule.path, { scope: { kind, value }, ...rule.with });
    expect([status, body.error?.code, body.error?.param]).toEqual([400, 'invalid_request', 'scope.value']);
    expect(body.error.message).toMatch(says);
  });

  test.each([
    ['model', 'up/m1', 'up/m1'],
    ['model', '*', '*'],
    ['model', 'openai/gpt-5', 'openai/gpt-5'],
    ['model', 'openai/GPT-5-2025-08-07', 'openai/gpt-5'],
    ['model', 'up/meta-llama/Big-3', 'up/meta-llama/big-3'],
    ['provider', 'up', 'up'],
    ['provider', '*', '*'],
    ['end_user', 'anybody/*', 'anybody/*'],
  ])('on the %s %j counts by %j', async (kind, value, counted) => {
    const { status, body } = await send('POST', rule.path, { scope: { kind, value }, ...rule.with });
    expect([status, body.scope?.value]).toEqual([200, counted]);
  });

  test('whose provider is gone is not changed as if it counted, and can be removed', async () => {
    const { id } = await provider({ name: 'gone', models: ['m'] });
    const made = await Promise.all(
      [
        { kind: 'provider', value: 'gone' },
        { kind: 'model', value: 'gone/m' },
      ].map((scope) => send('POST', rule.path, { scope, ...rule.with })),
    );
    await tenant.admin('DELETE', `/v1/organization/providers/${id}`);
    for (const { body } of made) {
      for (const method of ['POST', 'PATCH']) {
        const changed = await send(method, `${rule.path}/${body.id}`, rule.change);
        expect([changed.status, changed.body.error?.message]).toEqual([400, expect.stringContaining('no provider "gone"')]);
      }
      await tenant.admin('DELETE', `${rule.path}/${body.id}`);
    }
  });

  test('on another tenant’s provider is refused', async () => {
    const other = await createTenant(weir);
    const attempt = other.admin('POST', rule.path, { scope: { kind: 'provider', value: 'up' }, ...rule.with });
    await expect(attempt).rejects.toThrow(/400.*no provider/);
  });
});

test.each(UNMATCHED.filter(([kind]) => kind === 'model'))('an API key is not made for the %s %j', async (_, value) => {
  const { status, body } = await send('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
    name: 'k',
    models: ['up/m1', value],
  });
  expect([status, body.error?.param]).toEqual([400, 'models.1']);
});

test('an API key may use what there is', async () => {
  const made = await tenant.admin<{ models: string[] }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
    name: 'k',
    models: ['up/m1', 'openai/gpt-5-2025-08-07', '*'],
  });
  expect(made.models).toEqual(['up/m1', 'openai/gpt-5-2025-08-07', '*']);
});

const RATES = { input: '1', output: '2' };

test.each([
  ['up', 'm2', 400],
  ['up', 'm*', 400],
  ['openai', 'gpt-*', 400],
  ['later', 'gpt-*', 400],
  ['up', 'm1', 200],
  ['up', '*', 200],
  ['openai', 'gpt-5', 200],
  // Its price has to be there before its first call is.
  ['later', 'm', 200],
])('a price for the model of %s that is called %j: %i', async (name, model, status) => {
  expect((await send('POST', '/v1/organization/prices', { provider: name, model, ...RATES })).status).toBe(status);
});

test('a stored price that no call costs says so', async () => {
  interface Shown extends Made {
    unused: string | null;
  }
  const set = (name: string, model: string) =>
    tenant.admin<Shown>('POST', '/v1/organization/prices', { provider: name, model, ...RATES }).then(({ id, unused }) => ({ id, unused }));
  expect(await set('opneai', '*')).toMatchObject({ unused: expect.stringContaining('"openai"') });
  const used = await set('up', 'm1');
  expect(used.unused).toBeNull();
  const later = await set('arriving', 'm');
  expect(later.unused).toContain('no provider "arriving"');
  await provider({ name: 'arriving', models: ['m'] });
  const { data } = await tenant.admin<{ data: Shown[] }>('GET', '/v1/organization/prices?provider=arriving');
  expect(data).toMatchObject([{ id: later.id, unused: null }]);
  expect(await tenant.admin('GET', `/v1/organization/prices/${later.id}`)).toMatchObject({ unused: null });
});

test.each([
  ['opneai', 'm', /"openai"/],
  ['google', 'm', /"gemini"/],
  ['openai', 'gpt-*', /patterns/],
])('a price of the platform for %s, %s is refused with what to write', async (name, model, says) => {
  const response = await fetch(`${weir.adminUrl}/v1/platform/prices`, {
    method: 'POST',
    headers: { authorization: `Bearer ${weir.operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ provider: name, model, ...RATES }),
  });
  const { error } = (await response.json()) as { error?: { message: string } };
  expect([response.status, error?.message]).toEqual([400, expect.stringMatching(says)]);
});

test('a rule counts in the very call after its provider was made', async () => {
  const { id } = await provider({ name: 'new', models: ['m'] });
  const { status } = await send('POST', '/v1/organization/budgets', {
    scope: { kind: 'model', value: 'new/m' },
    limit: '0',
    period: 'month',
  });
  expect(status).toBe(200);
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'new', model: 'm', ...RATES });
  const code = () =>
    tenant.openai.chat.completions.create({ model: 'new/m', messages: [{ role: 'user', content: 'Hello' }] }).then(
      () => null,
      (error: { code?: string }) => error.code,
    );
  await eventually(async () => (await code()) === 'request_exceeds_budget' || (await code()) === 'budget_exceeded');
  await tenant.admin('DELETE', `/v1/organization/providers/${id}`);
});

describe.each(rules)('a stored %s that counts no call any more', (kind, rule) => {
  interface Shown extends Made {
    uncounted: string | null;
  }
  const shown = async (id: string) => {
    const list = await tenant.admin<{ data: Shown[] }>('GET', `${rule.path}?limit=100`);
    const alone = await tenant.admin<Shown>('GET', `${rule.path}/${id}`);
    expect(list.data.find((one) => one.id === id)).toMatchObject({ uncounted: alone.uncounted });
    return alone.uncounted;
  };
  const set = async (scope: object) => {
    const { status, body } = await send('POST', rule.path, { scope, ...rule.with });
    expect([status, (body as unknown as Shown).uncounted]).toEqual([200, null]);
    return body.id;
  };

  test('says so where it is read and listed', async () => {
    const fading = await provider({ name: `fading-${kind}`, models: ['a', 'b'] });
    const project = await tenant.admin<Made>('POST', '/v1/organization/projects', { name: `closed-${kind}` });
    const keys = `/v1/organization/projects/${tenant.projectId}/api_keys`;
    const key = await tenant.admin<Made>('POST', keys, { name: 'k' });
    const model = await set({ kind: 'model', value: `fading-${kind}/a` });
    const whole = await set({ kind: 'provider', value: `fading-${kind}` });
    const onProject = await set({ kind: 'project', value: project.id });
    const onKey = await set({ kind: 'key', value: key.id });
    const onAnybody = await set({ kind: 'end_user', value: `somebody-${kind}` });

    await tenant.admin('POST', `/v1/organization/providers/${fading.id}`, { models: ['b'] });
    expect(await shown(model)).toContain('does not expose');
    expect(await shown(whole)).toBeNull();
    await tenant.admin('DELETE', `/v1/organization/providers/${fading.id}`);
    await tenant.admin('POST', `/v1/organization/projects/${project.id}/archive`);
    await tenant.admin('DELETE', `${keys}/${key.id}`);
    for (const id of [model, whole]) expect(await shown(id)).toContain('no provider');
    expect(await shown(onProject)).toContain('archived');
    expect(await shown(onKey)).toContain('revoked');
    expect(await shown(onAnybody)).toBeNull();
    for (const id of [model, whole, onProject, onKey]) await tenant.admin('DELETE', `${rule.path}/${id}`);
  });

  test('or only a part of the calls that it means', async () => {
    const id = await set({ kind: 'model', value: `openai/part-${kind}` });
    // As a version before this one stored it.
    const table = kind === 'budget' ? 'budgets' : 'limits';
    await weir.db.query(`UPDATE ${table} SET scope_value = $1 WHERE scope_value = $2`, [
      `openai/Part-${kind}-2025-08-07`,
      `openai/part-${kind}`,
    ]);
    expect(await shown(id)).toContain(`"openai/part-${kind}"`);
  });
});
