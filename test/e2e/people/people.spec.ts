import { createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { Browser } from './browser.js';
import { join, PASSWORD } from './rig.js';

let weir: TestWeir;
let tenant: TestTenant;
let owner: Awaited<ReturnType<typeof join>>;

beforeAll(async () => {
  weir = await startTestWeir();
  tenant = await createTenant(weir);
  owner = await join(weir, tenant, 'owner');
});
afterAll(() => weir.stop());

const code = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code];

test('a person who accepts an invite is a member with its role, signed in by a cookie that pages cannot read', async () => {
  const invite = await tenant.admin<{ token: string; id: string; status: string }>('POST', '/v1/organization/invites', {
    email: 'Ada@Example.com',
    role: 'developer',
    project_id: tenant.projectId,
  });
  expect(invite).toMatchObject({ object: 'organization.invite', email: 'ada@example.com', status: 'pending' });
  const browser = new Browser(weir);
  const accepted = await browser.send('POST', '/v1/invites/accept', { token: invite.token, name: 'Ada', password: PASSWORD });
  expect(accepted).toMatchObject({ status: 200, body: { object: 'auth.sign_in', organization: tenant.id } });
  const [session] = accepted.headers.getSetCookie();
  expect(session).toMatch(/^weir=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/);
  expect((await browser.send('GET', '/v1/auth/me')).body).toMatchObject({
    user: { id: accepted.body.user_id, email: 'ada@example.com', name: 'Ada', role: 'developer', project_id: tenant.projectId },
    organization: { id: tenant.id },
    session: { is_current: true, method: 'password', second_factor: false, user_agent: 'Browser/1.0', address: '127.0.0.1' },
  });
  expect(await tenant.admin('GET', `/v1/organization/invites/${invite.id}`)).toMatchObject({ status: 'accepted' });
  expect(JSON.stringify(await tenant.admin('GET', '/v1/organization/invites'))).not.toContain(invite.token);
  const stored = await weir.db.query(
    `SELECT (SELECT json_agg(i)::text FROM invites i) || (SELECT json_agg(s)::text FROM admin_sessions s) AS text`,
  );
  expect(stored.rows[0].text).not.toContain(invite.token);
  expect(stored.rows[0].text).not.toContain(browser.cookies.get('weir'));
});

test('who chooses a short password is told how long it must be', async () => {
  const { body } = await new Browser(weir).send('POST', '/v1/invites/accept', { token: 'x', name: 'Ada', password: 'short' });
  expect(body.error).toMatchObject({ param: 'password', message: '"password" must have at least 12 characters.' });
});

test('of 32 who accept one invite at once, one becomes a member', async () => {
  const { token } = await tenant.admin<{ token: string }>('POST', '/v1/organization/invites', {
    email: 'many@example.com',
    role: 'viewer',
  });
  const replies = await Promise.all(
    Array.from({ length: 32 }, () => new Browser(weir).send('POST', '/v1/invites/accept', { token, name: 'Many', password: PASSWORD })),
  );
  expect(replies.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(new Set(replies.filter(({ status }) => status !== 200).map((reply) => code(reply).join()))).toEqual(
    new Set(['404,invalid_invite']),
  );
  const { rows } = await weir.db.query(`SELECT count(*)::int AS people FROM people WHERE email = 'many@example.com'`);
  expect(rows).toEqual([{ people: 1 }]);
});

test.each([
  ['revoked', (id: string) => tenant.admin('DELETE', `/v1/organization/invites/${id}`)],
  [
    'replaced by another to the same address',
    () => tenant.admin('POST', '/v1/organization/invites', { email: 'late@example.com', role: 'viewer' }),
  ],
  [
    'older than 7 days',
    (id: string) => weir.db.query(`UPDATE invites SET expires_at = now() WHERE 'invite_' || replace(id::text, '-', '') = $1`, [id]),
  ],
])('an invite that was %s is not accepted', async (_, end) => {
  const { id, token } = await tenant.admin<{ id: string; token: string }>('POST', '/v1/organization/invites', {
    email: 'late@example.com',
    role: 'viewer',
  });
  await end(id);
  const reply = await new Browser(weir).send('POST', '/v1/invites/accept', { token, name: 'Late', password: PASSWORD });
  expect(code(reply)).toEqual([404, 'invalid_invite']);
});

test('nobody gives more than its own role, or changes who has more', async () => {
  const admin = await join(weir, tenant, 'admin');
  const viewer = await join(weir, tenant, 'viewer');
  const refused = await Promise.all([
    admin.browser.send('POST', '/v1/organization/invites', { email: 'x@example.com', role: 'owner' }),
    admin.browser.send('POST', `/v1/organization/users/${admin.id}`, { role: 'owner' }),
    admin.browser.send('POST', `/v1/organization/users/${owner.id}`, { disabled: true }),
    admin.browser.send('DELETE', `/v1/organization/users/${owner.id}`),
    admin.browser.send('PUT', '/v1/organization/sso', { issuer: 'https://login.example.com', client_id: 'x', verify: false }),
    viewer.browser.send('POST', '/v1/organization/invites', { email: 'x@example.com', role: 'viewer' }),
    viewer.browser.send('GET', '/v1/organization/users'),
  ]);
  for (const reply of refused) expect(code(reply)).toEqual([403, 'insufficient_role']);
  expect(await admin.browser.send('POST', `/v1/organization/users/${viewer.id}`, { role: 'billing' })).toMatchObject({ status: 200 });
  const audited = await weir.db.query(
    `SELECT actor_kind, actor_id FROM audit_log WHERE event = 'person.updated' AND after ->> 'role' = 'billing'`,
  );
  expect(audited.rows).toEqual([{ actor_kind: 'person', actor_id: admin.id }]);
  expect((await weir.db.query(`SELECT json_agg(a)::text AS text FROM audit_log a`)).rows[0].text).not.toContain('argon2id');
  // Another role ends the sessions of the one before.
  expect(code(await viewer.browser.send('GET', '/v1/auth/me'))).toEqual([401, 'session_over']);
});

test('the last owner is neither removed, demoted nor disabled, also by two at once', async () => {
  const small = await createTenant(weir);
  const first = await join(weir, small, 'owner');
  for (const [method, body] of [
    ['POST', { role: 'admin' }],
    ['POST', { disabled: true }],
    ['DELETE', undefined],
  ] as const)
    expect(code(await first.browser.send(method, `/v1/organization/users/${first.id}`, body))).toEqual([409, 'last_owner']);

  const second = await join(weir, small, 'owner');
  const replies = await Promise.all([
    first.browser.send('DELETE', `/v1/organization/users/${second.id}`),
    second.browser.send('POST', `/v1/organization/users/${first.id}`, { role: 'viewer' }),
    small.admin('GET', '/v1/organization/users'),
  ]);
  expect(
    replies
      .slice(0, 2)
      .map((reply) => (reply as { status: number }).status)
      .sort(),
  ).not.toEqual([200, 200]);
  const { data } = await small.admin<{ data: { role: string; disabled_at: null }[] }>('GET', '/v1/organization/users');
  expect(data.filter(({ role }) => role === 'owner')).toHaveLength(1);
});

test('a removed or disabled person is refused at the next request, and a person of another tenant is not found', async () => {
  const [gone, off] = [await join(weir, tenant, 'admin'), await join(weir, tenant, 'admin')];
  await tenant.admin('DELETE', `/v1/organization/users/${gone.id}`);
  await tenant.admin('POST', `/v1/organization/users/${off.id}`, { disabled: true });
  for (const { browser } of [gone, off]) expect(code(await browser.send('GET', '/v1/auth/me'))).toEqual([401, 'session_over']);
  const signIn = await new Browser(weir, '198.51.100.9').send('POST', '/v1/auth/sign_in', { email: off.email, password: PASSWORD });
  expect(signIn.status).toBe(403);
  expect(code(await new Browser(weir).send('POST', '/v1/auth/sign_in', { email: off.email, password: PASSWORD }))).toEqual([
    401,
    'invalid_sign_in',
  ]);

  const other = await createTenant(weir);
  const foreign = await other.admin('GET', `/v1/organization/users/${owner.id}`).catch((error: Error) => error.message);
  expect(foreign).toContain('404');
});

test('operators are people, too: they act in each tenant that they name', async () => {
  const invite = await fetch(`${weir.adminUrl}/v1/platform/invites`, {
    method: 'POST',
    headers: { authorization: `Bearer ${weir.operatorKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ email: 'op@example.com' }),
  });
  const { token } = (await invite.json()) as { token: string };
  const browser = new Browser(weir);
  const { body } = await browser.send('POST', '/v1/invites/accept', { token, name: 'Op', password: PASSWORD });
  expect(await browser.send('GET', '/v1/platform/tenants')).toMatchObject({ status: 200 });
  expect(await browser.send('GET', '/v1/organization/users', undefined, { 'x-weir-tenant': tenant.id })).toMatchObject({ status: 200 });
  expect((await browser.send('POST', '/v1/platform/operator_keys', { name: 'by a person' })).status).toBe(200);
  expect(code(await owner.browser.send('GET', '/v1/platform/users'))).toEqual([403, 'forbidden']);
  const { rows } = await weir.db.query(
    `SELECT payload ->> 'actor' AS actor FROM outbox WHERE kind = 'person.added' AND payload ->> 'person' = $1`,
    [body.user_id],
  );
  expect(rows[0].actor).toMatch(/^akey_/);
});
