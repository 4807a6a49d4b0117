import { createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { join } from './rig.js';

let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  weir = await startTestWeir();
  tenant = await createTenant(weir);
});
afterAll(() => weir.stop());

const SCHEMA = 'urn:ietf:params:scim:schemas:core:2.0:User';
const PATCH = 'urn:ietf:params:scim:api:messages:2.0:PatchOp';

/** As a directory sends it. */
async function scim(method: string, path: string, body?: object, key = tenant.adminKey) {
  const response = await fetch(`${weir.adminUrl}/scim/v2/${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, accept: 'application/scim+json', ...(body && { 'content-type': 'application/scim+json' }) },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  // biome-ignore lint/suspicious/noExplicitAny: replies of every kind
  return { status: response.status, headers: response.headers, body: (text && JSON.parse(text)) as any };
}
const byName = (name: string) => scim('GET', `Users?filter=${encodeURIComponent(`userName eq "${name}"`)}&startIndex=1&count=100`);

test('Okta looks for a user, makes it, reads it, changes it, and takes it out of service and back', async () => {
  expect((await byName('ada@example.com')).body).toEqual({
    schemas: ['urn:ietf:params:scim:api:messages:2.0:ListResponse'],
    totalResults: 0,
    startIndex: 1,
    itemsPerPage: 0,
    Resources: [],
  });
  const user = {
    schemas: [SCHEMA],
    userName: 'Ada@example.com',
    name: { givenName: 'Ada', familyName: 'Lovelace' },
    emails: [{ primary: true, value: 'ada@example.com', type: 'work' }],
    displayName: 'Ada Lovelace',
    locale: 'en-US',
    externalId: '00ujl29u0le5T6Aj10h7',
    groups: [],
    password: '1mz050nq',
    active: true,
  };
  const made = await scim('POST', 'Users', user);
  expect([made.status, made.headers.get('content-type')]).toEqual([201, 'application/scim+json; charset=utf-8']);
  expect(made.body).toMatchObject({ schemas: [SCHEMA], userName: 'ada@example.com', externalId: user.externalId, active: true });
  expect(made.headers.get('location')).toBe(made.body.meta.location);
  expect((await scim('GET', `Users/${made.body.id}`)).body).toEqual(made.body);
  const again = await scim('POST', 'Users', user);
  expect([again.status, again.body]).toEqual([
    409,
    expect.objectContaining({ status: '409', scimType: 'uniqueness', detail: expect.any(String) }),
  ]);

  const put = await scim('PUT', `Users/${made.body.id}`, { ...made.body, displayName: 'Ada King' });
  expect(put.body).toMatchObject({ displayName: 'Ada King', externalId: user.externalId });
  for (const active of [false, true]) {
    const patched = await scim('PATCH', `Users/${made.body.id}`, { schemas: [PATCH], Operations: [{ op: 'replace', value: { active } }] });
    expect([patched.status, patched.body.active]).toEqual([200, active]);
  }
  expect((await byName('ADA@example.com')).body.Resources).toEqual([expect.objectContaining({ id: made.body.id })]);
  // It has no password: a stranger's is not taken.
  const { rows } = await weir.db.query('SELECT password, role FROM people WHERE email = $1', ['ada@example.com']);
  expect(rows).toEqual([{ password: null, role: 'viewer' }]);
});

test('Entra ID looks by externalId, sends "False" and paths that are not kept here, and removes', async () => {
  const { body: made } = await scim('POST', 'Users', {
    schemas: [SCHEMA, 'urn:ietf:params:scim:schemas:extension:enterprise:2.0:User'],
    externalId: '0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef',
    userName: 'bob@example.com',
    active: true,
    emails: [{ primary: true, type: 'work', value: 'bob@example.com' }],
    meta: { resourceType: 'User' },
    name: { formatted: 'Bob Example', familyName: 'Example', givenName: 'Bob' },
    roles: [],
  });
  const filter = encodeURIComponent('externalId eq "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"');
  expect((await scim('GET', `Users?filter=${filter}`)).body.Resources).toEqual([
    expect.objectContaining({ id: made.id, displayName: 'Bob Example' }),
  ]);
  const patched = await scim('PATCH', `Users/${made.id}`, {
    schemas: [PATCH],
    Operations: [
      { op: 'Replace', path: 'active', value: 'False' },
      { op: 'Add', path: 'title', value: 'Manager' },
      { op: 'Replace', path: 'emails[type eq "work"].value', value: 'bob@example.com' },
      { op: 'Replace', path: 'displayName', value: 'Robert' },
      { op: 'Remove', path: 'externalId' },
    ],
  });
  expect(patched.body).toMatchObject({ active: false, displayName: 'Robert' });
  expect(patched.body).not.toHaveProperty('externalId');
  const gone = await scim('DELETE', `Users/${made.id}`);
  expect([gone.status, gone.body, gone.headers.get('content-type')]).toEqual([204, '', null]);
  const missing = await scim('GET', `Users/${made.id}`);
  expect([missing.status, missing.body]).toEqual([
    404,
    expect.objectContaining({ schemas: ['urn:ietf:params:scim:api:messages:2.0:Error'], status: '404' }),
  ]);
});

test('who is not active any more has no session any more; the last owner stays one', async () => {
  const owner = await join(weir, tenant, 'owner');
  const member = await join(weir, tenant, 'developer');
  const off = { schemas: [PATCH], Operations: [{ op: 'replace', path: 'active', value: false }] };
  expect((await member.browser.send('GET', '/v1/auth/me')).status).toBe(200);
  expect((await scim('PATCH', `Users/${member.id}`, off)).body.active).toBe(false);
  expect((await member.browser.send('GET', '/v1/auth/me')).status).toBe(401);
  for (const refused of [await scim('PATCH', `Users/${owner.id}`, off), await scim('DELETE', `Users/${owner.id}`)])
    expect([refused.status, refused.body.status, refused.body.error.code]).toEqual([409, '409', 'last_owner']);
});

test('lists are paged by startIndex and count, and what cannot be is refused in the words of SCIM', async () => {
  const all = (await scim('GET', 'Users')).body;
  const second = (await scim('GET', 'Users?startIndex=2&count=1')).body;
  expect(second).toMatchObject({ totalResults: all.totalResults, startIndex: 2, itemsPerPage: 1, Resources: [all.Resources[1]] });
  expect((await scim('GET', 'Users?startIndex=0&count=0')).body).toMatchObject({
    startIndex: 1,
    itemsPerPage: 0,
    totalResults: all.totalResults,
  });
  for (const [filter, type] of [
    ['userName sw "a"', 'invalidFilter'],
    ['userName eq ada', 'invalidFilter'],
    [`${'('.repeat(900)}`, 'invalidFilter'],
  ]) {
    const { status, body } = await scim('GET', `Users?filter=${encodeURIComponent(filter!)}`);
    expect([status, body.status, body.scimType]).toEqual([400, '400', type]);
  }
  const noAddress = await scim('POST', 'Users', { schemas: [SCHEMA], userName: 'ada' });
  expect([noAddress.status, noAddress.body.scimType]).toEqual([400, 'invalidValue']);
  const badValue = await scim('PATCH', `Users/${all.Resources[0].id}`, { Operations: [{ op: 'replace', path: 'active', value: 3 }] });
  expect([badValue.status, badValue.body.scimType]).toEqual([400, 'invalidValue']);
  for (const path of ['ServiceProviderConfig', 'ResourceTypes', 'Schemas']) expect((await scim('GET', path)).status).toBe(200);
  const stranger = await createTenant(weir);
  expect((await scim('GET', 'Users', undefined, stranger.adminKey)).body.totalResults).toBe(0);
  expect((await scim('GET', `Users/${all.Resources[0].id}`, undefined, stranger.adminKey)).status).toBe(404);
  const unknown = await scim('GET', 'Users', undefined, tenant.apiKey);
  expect([unknown.status, unknown.body.status]).toEqual([401, '401']);
});
