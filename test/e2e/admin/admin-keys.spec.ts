import { createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { type Body, clientOf, makeCall, type Send } from './client.js';

const KEYS = '/v1/organization/admin_api_keys';
const OPERATORS = '/v1/platform/operator_keys';
const DAY_SECONDS = 86_400;

let weir: TestWeir;
let tenant: TestTenant;
let owner: Send;
let operator: Send;

beforeAll(async () => {
  weir = await startTestWeir();
  tenant = await createTenant(weir);
  owner = clientOf(weir, tenant.adminKey);
  operator = clientOf(weir, weir.operatorKey);
});

afterAll(() => weir.stop());

interface Key extends Body {
  role: string;
  project_id: string | null;
  cidrs: string[];
  expires_at: number | null;
}

/** Makes an admin key, and a client that has it. */
async function keyWith(fields: object, by = owner): Promise<{ key: Key; send: Send }> {
  const { status, body } = await by('POST', KEYS, { name: 'made', ...fields });
  if (status !== 200) throw new Error(body.error.message);
  return { key: body as Key, send: clientOf(weir, body.value) };
}

const inSeconds = (seconds: number) => Math.floor(Date.now() / 1000) + seconds;

const refusal = async (reply: ReturnType<Send>) => {
  const { status, body } = await reply;
  return [status, body.error?.code, body.error?.param];
};

test('a key that exists is an owner’s, of all projects, from everywhere; a new one is what its maker is', async () => {
  const { body } = await owner('GET', KEYS);
  expect(body.data[0]).toMatchObject({ role: 'owner', project_id: null, cidrs: ['*'], expires_at: null });
  const admin = await keyWith({
    role: 'admin',
    project_id: tenant.projectId,
    cidrs: ['2001:db8::/32'],
    expires_at: inSeconds(DAY_SECONDS),
  });
  const made = await keyWith({}, admin.send);
  for (const field of ['role', 'project_id', 'cidrs', 'expires_at'] as const) expect(made.key[field]).toEqual(admin.key[field]);
});

test('what GET answers, POST and PATCH take back', async () => {
  const { key } = await keyWith({ role: 'viewer' });
  for (const method of ['POST', 'PATCH']) {
    const { name, role, project_id, cidrs, expires_at } = (await owner('GET', `${KEYS}/${key.id}`)).body as Key & { name: string };
    const { body } = await owner(method, `${KEYS}/${key.id}`, { name, role, project_id, cidrs, expires_at });
    expect(body).toMatchObject({ name, role, project_id, cidrs, expires_at });
  }
});

test('a refusal names the roles that may, and the role of the key', async () => {
  const { send } = await keyWith({ role: 'viewer' });
  const { status, body } = await send('POST', '/v1/organization/projects', { name: 'mine' });
  expect([status, body.error.code]).toEqual([403, 'insufficient_role']);
  expect(body.error.message).toBe('This needs the role owner or admin; yours is viewer.');
});

test('nobody makes, changes, rotates or ends a key of a role above its own', async () => {
  const admin = await keyWith({ role: 'admin' });
  const above = await keyWith({ role: 'owner' });
  const below = await keyWith({ role: 'viewer' });
  expect(await refusal(admin.send('POST', KEYS, { name: 'up', role: 'owner' }))).toEqual([403, 'insufficient_role', null]);
  for (const id of [admin.key.id, below.key.id])
    expect(await refusal(admin.send('POST', `${KEYS}/${id}`, { role: 'owner' }))).toEqual([403, 'insufficient_role', null]);
  for (const [method, path, body] of [
    ['POST', '', { role: 'viewer' }],
    ['PATCH', '', { name: 'mine' }],
    ['POST', '/rotate', undefined],
    ['POST', '/revoke', undefined],
    ['DELETE', '', undefined],
  ] as const)
    expect(await refusal(admin.send(method, `${KEYS}/${above.key.id}${path}`, body))).toEqual([403, 'insufficient_role', null]);
  expect((await above.send('GET', KEYS)).status).toBe(200);
  expect((await admin.send('POST', `${KEYS}/${below.key.id}`, { role: 'admin' })).status).toBe(200);
});

test('a key of one project sees and changes that project only', async () => {
  const other = (await owner('POST', '/v1/organization/projects', { name: 'other' })).body.id;
  const { key, send } = await keyWith({ role: 'admin', project_id: other });
  const elsewhere = await keyWith({ role: 'viewer', project_id: tenant.projectId });
  await tenant.admin('POST', '/v1/organization/providers', { type: 'mock' });
  const call = await makeCall(tenant);

  expect((await send('GET', '/v1/organization/projects')).body.data.map(({ id }) => id)).toEqual([other]);
  expect((await send('POST', `/v1/organization/projects/${other}/api_keys`, { name: 'k' })).status).toBe(200);
  expect((await send('GET', KEYS)).body.data.map(({ id }) => id)).toEqual([key.id]);
  expect((await send('GET', '/v1/organization/calls')).body.data).toEqual([]);
  expect((await elsewhere.send('GET', `/v1/organization/calls/${call}`)).status).toBe(200);
  const sums = await send('GET', '/v1/organization/usage/completions?start_time=1795000000');
  expect(JSON.stringify(sums.body)).not.toContain('num_model_requests');
  for (const path of [
    `/v1/organization/projects/${tenant.projectId}`,
    `/v1/organization/projects/${tenant.projectId}/api_keys`,
    `/v1/organization/calls/${call}`,
    `/v1/organization/calls/${call}/explain`,
    `/v1/organization/calls?project_id=${tenant.projectId}`,
    `${KEYS}/${elsewhere.key.id}`,
  ])
    expect([path, (await send('GET', path)).status]).toEqual([path, 404]);
  for (const [method, path, body] of [
    ['POST', '/v1/organization/projects', { name: 'third' }],
    ['GET', '/v1/organization/budgets', undefined],
    ['POST', '/v1/organization/models', { provider: 'mock', model: 'm', tools: true }],
  ] as const)
    expect([path, ...(await refusal(send(method, path, body)))]).toEqual([path, 403, 'forbidden', null]);
  for (const project_id of [null, tenant.projectId]) {
    expect(await refusal(send('POST', KEYS, { name: 'wider', project_id }))).toEqual([403, 'forbidden', 'project_id']);
    expect(await refusal(send('POST', `${KEYS}/${key.id}`, { project_id }))).toEqual([403, 'forbidden', 'project_id']);
  }
});

test('a developer works in one project', async () => {
  expect(await refusal(owner('POST', KEYS, { name: 'dev', role: 'developer' }))).toEqual([400, 'invalid_request', 'project_id']);
  const { key } = await keyWith({ role: 'developer', project_id: tenant.projectId });
  expect(await refusal(owner('POST', `${KEYS}/${key.id}`, { project_id: null }))).toEqual([400, 'invalid_request', 'project_id']);
  const stranger = await createTenant(weir);
  expect(await refusal(owner('POST', KEYS, { name: 'dev', project_id: stranger.projectId }))).toEqual([404, 'not_found', 'project_id']);
});

test('a key works until it expires, and makes none that lasts longer', async () => {
  const { send, key } = await keyWith({ expires_at: inSeconds(DAY_SECONDS) });
  for (const expires_at of [null, inSeconds(2 * DAY_SECONDS)]) {
    expect(await refusal(send('POST', KEYS, { name: 'later', expires_at }))).toEqual([403, 'forbidden', 'expires_at']);
    expect(await refusal(send('POST', `${KEYS}/${key.id}`, { expires_at }))).toEqual([403, 'forbidden', 'expires_at']);
  }
  expect((await send('POST', `${KEYS}/${key.id}`, { expires_at: inSeconds(60) })).status).toBe(200);
  await weir.db.query(`UPDATE admin_keys SET expires_at = now() - interval '1 second' WHERE name = 'made' AND expires_at IS NOT NULL`);
  expect(await refusal(send('GET', KEYS))).toEqual([401, 'invalid_admin_key', null]);
});

test.each([
  ['an admin key', KEYS, () => owner],
  ['an operator key', OPERATORS, () => operator],
])('%s works from its networks only, and makes none for others', async (_, keys, by) => {
  const { body } = await by()('POST', keys, { name: 'office', cidrs: ['10.1.2.0/16', '2001:db8:1::/48'] });
  expect((body as Key).cidrs).toEqual(['10.1.0.0/16', '2001:db8:1::/48']);
  const send = clientOf(weir, body.value);
  const from = (address: string) => ({ 'x-forwarded-for': address });
  for (const address of ['10.1.9.9', '2001:db8:1::7', '::ffff:10.1.0.1'])
    expect((await send('GET', keys, undefined, from(address))).status).toBe(200);
  for (const address of ['10.2.0.1', '2001:db8:2::7']) {
    const refused = await send('GET', keys, undefined, from(address));
    expect([refused.status, refused.body.error.code]).toEqual([403, 'address_not_allowed']);
  }
  for (const cidrs of [['*'], ['10.0.0.0/8'], ['10.1.0.0/24', '10.2.0.0/24']])
    expect(await refusal(send('POST', keys, { name: 'wider', cidrs }, from('10.1.0.1')))).toEqual([403, 'forbidden', 'cidrs']);
  expect((await send('POST', keys, { name: 'narrower', cidrs: ['10.1.0.0/24'] }, from('10.1.0.1'))).status).toBe(200);
  expect(await refusal(by()('POST', keys, { name: 'none', cidrs: ['10.1.0.0/33'] }))).toEqual([400, 'invalid_request', 'cidrs.0']);
});

test('a key that has an end, or works from some networks only, invites nobody and sets no identity provider', async () => {
  const from = { 'x-forwarded-for': '10.1.0.1' };
  const invites = ['POST', '/v1/organization/invites', { email: 'x@example.com', role: 'admin' }, from] as const;
  for (const bounds of [{ expires_at: inSeconds(DAY_SECONDS) }, { cidrs: ['10.1.0.0/16'] }]) {
    const { send } = await keyWith(bounds);
    expect(await refusal(send(...invites))).toEqual([403, 'forbidden', null]);
    const sso = { issuer: 'https://id.example.com', client_id: 'weir', default_role: 'owner', verify: false };
    expect(await refusal(send('PUT', '/v1/organization/sso', sso, from))).toEqual([403, 'forbidden', null]);
    const { body } = await operator('POST', OPERATORS, { name: 'bounded', ...bounds });
    expect(await refusal(clientOf(weir, body.value)('POST', '/v1/platform/invites', { email: 'x@example.com' }, from))).toEqual([
      403,
      'forbidden',
      null,
    ]);
  }
  expect((await owner(...invites)).status).toBe(200);
});

test('the last operator key that works is given no end', async () => {
  const { body } = await operator('GET', OPERATORS);
  const others = body.data.slice(0, -1);
  for (const { id } of others) await operator('DELETE', `${OPERATORS}/${id}`);
  const [last] = body.data.slice(-1);
  expect(await refusal(operator('POST', `${OPERATORS}/${last!.id}`, { expires_at: inSeconds(60) }))).toEqual([
    409,
    'last_operator_key',
    null,
  ]);
});
