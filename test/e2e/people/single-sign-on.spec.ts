import { admin, createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { Browser } from './browser.js';
import { type Accounts, TestIdentityProvider } from './identity-provider.js';
import { join, PASSWORD } from './rig.js';

const ACCOUNTS: Accounts = {
  ada: { email: 'ada@example.com', email_verified: true, name: 'Ada', groups: ['staff', 'weir-admins'] },
  bob: { email: 'bob@example.com', email_verified: true, groups: ['staff'] },
  eve: { email: 'eve@elsewhere.example', email_verified: true, groups: ['weir-admins'] },
  nil: { email: 'nil@example.com', email_verified: true, groups: [] },
  fay: { email: 'fay@example.com', email_verified: false, groups: ['staff'] },
  ceo: { email: 'ceo@example.com', email_verified: true, groups: ['weir-owners'] },
};

let idp: TestIdentityProvider;
let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  idp = await TestIdentityProvider.start();
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: idp.hostPort });
  idp.open(ACCOUNTS, `${weir.adminUrl}/v1/auth/oidc/callback`);
  tenant = await createTenant(weir);
});
afterAll(async () => {
  await weir.stop();
  await idp.stop();
});

const settings = (more: object = {}) => ({
  issuer: idp.issuer,
  client_id: 'weir',
  client_secret: 'the secret of weir',
  allowed_domains: ['example.com'],
  role_claim: 'groups',
  roles: { 'weir-admins': 'admin', staff: 'developer' },
  creates_people: true,
  ...more,
});
const set = (more: object = {}, headers = {}) => tenant.admin<{ version: number }>('PUT', '/v1/organization/sso', settings(more), headers);
const code = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code];

/** Follows the redirects from Weir to the provider and back, up to the callback. */
async function toCallback(browser: Browser, account: string, returnTo = '/usage'): Promise<string> {
  idp.account = account;
  const start = await browser.send('GET', `/v1/auth/oidc/start?organization=${tenant.id}&return_to=${encodeURIComponent(returnTo)}`);
  if (start.status !== 302) throw new Error(`the start was answered ${start.status}: ${JSON.stringify(start.body)}`);
  return throughProvider(start.headers.get('location')!);
}

/** Where the provider sends the browser to in the end. */
async function throughProvider(from: string): Promise<string> {
  const elsewhere = new Browser({ adminUrl: idp.issuer });
  let location = from;
  while (!location.startsWith(weir.adminUrl)) {
    const reply = await elsewhere.send('GET', location, undefined, { 'x-forwarded-for': null });
    if (reply.status < 300 || reply.status > 399) throw new Error(`the provider answered ${reply.status}: ${JSON.stringify(reply.body)}`);
    location = new URL(reply.headers.get('location')!, idp.issuer).href;
  }
  const { pathname, search } = new URL(location);
  return pathname + search;
}
const signIn = async (account: string, browser = new Browser(weir)) => ({
  browser,
  reply: await browser.send('GET', await toCallback(browser, account)),
});

test('the identity provider is set with a sealed secret, by version, and only where calls may go', async () => {
  const put = await set({ required: false });
  expect(put).toMatchObject({
    object: 'single_sign_on',
    issuer: idp.issuer,
    has_client_secret: true,
    redirect_uri: `${weir.adminUrl}/v1/auth/oidc/callback`,
    version: 1,
  });
  expect(JSON.stringify(put)).not.toContain('the secret');
  const stored = await weir.db.query(`SELECT encode(client_secret, 'escape') AS text FROM single_sign_on`);
  expect(stored.rows[0].text).not.toContain('the secret');
  await expect(set({}, { 'if-match': '"7"' })).rejects.toThrow('412');
  await set({ client_secret: undefined }, { 'if-match': '"1"' });
  for (const issuer of ['http://169.254.169.254', 'https://localhost', 'http://127.0.0.1:1', 'file:///etc/passwd'])
    await expect(set({ issuer })).rejects.toThrow(/400.*issuer/);
  await expect(set({ issuer: `${idp.issuer}/elsewhere` })).rejects.toThrow(/422.*probe_failed/);
});

test('a person signs in by code, PKCE and nonce, and becomes a member with the highest role of its groups', async () => {
  const { browser, reply } = await signIn('ada');
  expect([reply.status, reply.headers.get('location')]).toEqual([302, '/usage']);
  expect((await browser.send('GET', '/v1/auth/me')).body).toMatchObject({
    user: { email: 'ada@example.com', name: 'Ada', role: 'admin', has_password: false },
    session: { method: 'sso' },
  });
  expect(browser.cookies.has('weir-sso')).toBe(false);
});

test('who is of another domain, in no group or has a doubtful address is refused', async () => {
  for (const account of ['eve', 'nil', 'fay']) expect(code((await signIn(account)).reply)).toEqual([403, 'sso_not_a_member']);
});

test('without just-in-time only who was a member before signs in; the provider gives the role, and the last owner stays one', async () => {
  await set({ creates_people: false });
  expect(code((await signIn('bob')).reply)).toEqual([403, 'sso_not_a_member']);
  const invite = await tenant.admin<{ token: string }>('POST', '/v1/organization/invites', { email: 'bob@example.com', role: 'owner' });
  await new Browser(weir).send('POST', '/v1/invites/accept', { token: invite.token, name: 'Bob', password: PASSWORD });
  const bob = await signIn('bob');
  expect(bob.reply.status).toBe(302);
  expect((await bob.browser.send('GET', '/v1/auth/me')).body.user.role).toBe('owner');
  await join(weir, tenant, 'owner');
  const again = await signIn('bob');
  expect((await again.browser.send('GET', '/v1/auth/me')).body.user.role).toBe('developer');
  await set();
});

/** A member by an invite, who says what its address is. */
async function accept(email: string, role = 'viewer') {
  const invite = await tenant.admin<{ token: string }>('POST', '/v1/organization/invites', { email, role });
  const browser = new Browser(weir);
  await browser.send('POST', '/v1/invites/accept', { token: invite.token, name: 'Mallory', password: PASSWORD });
  return browser;
}

test('who is known by an address only keeps no session, password or second factor when the provider says who has it', async () => {
  await set({ roles: { 'weir-owners': 'owner', staff: 'developer' } });
  const mallory = await accept('mallory@example.com');
  expect((await mallory.send('POST', '/v1/auth/me', { email: 'ceo@example.com' })).body.error).toMatchObject({
    code: 'invalid_request',
    param: 'email',
  });
  const squatter = await accept('ceo@example.com');
  await squatter.send('POST', '/v1/auth/totp');
  await weir.db.query(`UPDATE people SET totp_confirmed_at = now(), recovery_codes = '{x}' WHERE email = 'ceo@example.com'`);
  const { id } = (await squatter.send('GET', '/v1/auth/me')).body.user;
  const link = await admin<{ url: string }>(weir, weir.operatorKey, 'POST', '/v1/platform/sign_in_links', { user: id });
  const ceo = await signIn('ceo');
  const me = () => ceo.browser.send('GET', '/v1/auth/me');
  expect((await me()).body.user).toMatchObject({ role: 'owner', has_password: false, has_second_factor: false });
  expect(code(await squatter.send('GET', '/v1/auth/me'))).toEqual([401, 'session_over']);
  const byPassword = { email: 'ceo@example.com', password: PASSWORD };
  expect(code(await squatter.send('POST', '/v1/auth/sign_in', byPassword))).toEqual([401, 'invalid_sign_in']);
  const token = new URL(link.url).hash.slice('#token='.length);
  expect(code(await squatter.send('POST', '/v1/auth/links/redeem', { token }))).toEqual([401, 'invalid_sign_in_link']);
  // Only the first time: what the person sets afterwards is its own.
  await ceo.browser.send('POST', '/v1/auth/password', { new_password: PASSWORD });
  await signIn('ceo');
  expect((await me()).body.user.has_password).toBe(true);
  await set();
});

test('an address that the provider calls unverified leads to no member', async () => {
  await set({ allowed_domains: [] });
  const fay = await accept('fay@example.com');
  expect(code((await signIn('fay')).reply)).toEqual([403, 'sso_not_a_member']);
  expect((await fay.send('GET', '/v1/auth/me')).status).toBe(200);
  await set();
});

test('an answer of the provider is taken from the browser that began, once, and from no other provider', async () => {
  const browser = new Browser(weir);
  const callback = await toCallback(browser, 'ada');
  expect(code(await new Browser(weir).send('GET', callback))).toEqual([401, 'sso_failed']);
  const other = new Browser(weir);
  await toCallback(other, 'bob');
  expect(code(await other.send('GET', callback))).toEqual([401, 'sso_failed']);
  expect(code(await browser.send('GET', callback.replace(/iss=[^&]*/, 'iss=https%3A%2F%2Fevil.example')))).toEqual([401, 'sso_failed']);
  const copy = new Browser(weir);
  copy.cookies.set('weir-sso', browser.cookies.get('weir-sso')!);
  expect((await browser.send('GET', callback)).status).toBe(302);
  expect(code(await copy.send('GET', callback))).toEqual([401, 'sso_failed']);
});

test('a sign-in that was begun ends once, also with two answers of the provider', async () => {
  idp.account = 'ada';
  const browser = new Browser(weir);
  const start = await browser.send('GET', `/v1/auth/oidc/start?organization=${tenant.id}`);
  const copy = new Browser(weir);
  copy.cookies.set('weir-sso', browser.cookies.get('weir-sso')!);
  const [first, second] = [await throughProvider(start.headers.get('location')!), await throughProvider(start.headers.get('location')!)];
  expect(first).not.toBe(second);
  const replies = [await browser.send('GET', first), await copy.send('GET', second)];
  expect(replies.map(code)).toEqual([
    [302, undefined],
    [401, 'sso_failed'],
  ]);
});

test.each(['//evil.example', 'https://evil.example', '/\\evil.example', 'usage'])('the browser is not sent on to %s', async (returnTo) => {
  const reply = await new Browser(weir).send(
    'GET',
    `/v1/auth/oidc/start?organization=${tenant.id}&return_to=${encodeURIComponent(returnTo)}`,
  );
  expect(code(reply)).toEqual([400, 'invalid_request']);
});

test('where single sign-on is required, a password neither signs in nor keeps signed in nor accepts an invite', async () => {
  const member = await join(weir, tenant, 'owner');
  const invite = await tenant.admin<{ token: string }>('POST', '/v1/organization/invites', { email: 'new@example.com', role: 'viewer' });
  const ada = await signIn('ada');
  await set({ required: true });
  expect(code(await member.browser.send('GET', '/v1/auth/me'))).toEqual([401, 'session_over']);
  const password = (secret: string) => new Browser(weir).send('POST', '/v1/auth/sign_in', { email: member.email, password: secret });
  expect(code(await password(PASSWORD))).toEqual([403, 'sso_required']);
  expect(code(await password('not the password'))).toEqual([401, 'invalid_sign_in']);
  const accepted = await new Browser(weir).send('POST', '/v1/invites/accept', { token: invite.token, name: 'New', password: PASSWORD });
  expect(code(accepted)).toEqual([403, 'sso_required']);
  expect((await ada.browser.send('GET', '/v1/auth/me')).status).toBe(200);
  // Whose provider is away gets in by a link of an operator.
  const { url } = await admin<{ url: string }>(weir, weir.operatorKey, 'POST', '/v1/platform/sign_in_links', { user: member.id });
  const redeemed = await member.browser.send('POST', '/v1/auth/links/redeem', { token: new URL(url).hash.slice('#token='.length) });
  expect(redeemed.status).toBe(200);
  expect((await member.browser.send('DELETE', '/v1/organization/sso')).body).toEqual({ object: 'single_sign_on', deleted: true });
  expect((await password(PASSWORD)).status).toBe(200);
});
