import { codeOf, stepAt } from '../../../src/people/totp.js';
import { createTenant, type SecondGateway, startSecondGateway, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { Browser } from './browser.js';
import { join, PASSWORD, shiftClock } from './rig.js';

let weir: TestWeir;
let other: SecondGateway;
let tenant: TestTenant;
let person: Awaited<ReturnType<typeof join>>;

beforeAll(async () => {
  weir = await startTestWeir();
  other = await startSecondGateway(weir, { WEIR_ROLES: 'control', WEIR_ADMIN_URL: 'https://weir.example.com' });
  tenant = await createTenant(weir);
  person = await join(weir, tenant, 'admin');
});
afterAll(async () => {
  await other.stop();
  await weir.stop();
});

const code = ({ status, body }: { status: number; body: { error?: { code: string } } }) => [status, body.error?.code];
const signIn = (browser: Browser, body: object = {}, headers = {}) =>
  browser.send('POST', '/v1/auth/sign_in', { email: person.email, password: PASSWORD, ...body }, headers);
const me = (browser: Browser) => browser.send('GET', '/v1/auth/me');

test('who has no account, the wrong password or no password is answered the same', async () => {
  const sso = await join(weir, tenant, 'viewer');
  await weir.db.query('UPDATE people SET password = NULL WHERE email = $1', [sso.email]);
  const replies = [
    await signIn(new Browser(weir), { email: 'nobody@example.com' }),
    await signIn(new Browser(weir), { password: 'not the password' }),
    await signIn(new Browser(weir), { email: sso.email }),
    await signIn(new Browser(weir), { organization: `ten_${'0'.repeat(32)}` }),
  ];
  for (const reply of replies) {
    expect(code(reply)).toEqual([401, 'invalid_sign_in']);
    expect(reply.body).toEqual(replies[0]!.body);
    expect(reply.headers.getSetCookie()).toEqual([]);
  }
});

test('a sign-in gets a new session, whatever cookie the browser came with, and ends the one before', async () => {
  const [browser, planted] = [new Browser(weir), 'A'.repeat(43)];
  browser.cookies.set('weir', planted);
  expect(await signIn(browser)).toMatchObject({ status: 200 });
  const first = browser.cookies.get('weir')!;
  expect(first).not.toBe(planted);
  await signIn(browser);
  const old = new Browser(weir);
  old.cookies.set('weir', first);
  expect(code(await me(old))).toEqual([401, 'session_over']);
  expect((await me(browser)).status).toBe(200);
});

test.each([
  ['neither Origin nor Sec-Fetch-Site', { origin: null, 'sec-fetch-site': null }],
  ['the Origin of another site', { origin: 'https://evil.example', 'sec-fetch-site': null }],
  ['the Origin of another port of this machine', { origin: 'http://127.0.0.1:1', 'sec-fetch-site': null }],
  ['Origin null', { origin: 'null' }],
  ['Sec-Fetch-Site same-site', { 'sec-fetch-site': 'same-site' }],
  ['Sec-Fetch-Site cross-site and no Origin', { origin: null, 'sec-fetch-site': 'cross-site' }],
])('a write with a session and %s is refused, and nothing is changed', async (_, headers) => {
  const refused = await person.browser.send('POST', '/v1/auth/me', { name: 'Mallory' }, headers);
  expect(code(refused)).toEqual([403, 'cross_site_request']);
  expect((await me(person.browser)).body.user.name).toBe('Somebody');
});

test('another site cannot have a browser sign in, and programs can', async () => {
  expect(code(await signIn(new Browser(weir), {}, { origin: 'https://evil.example' }))).toEqual([403, 'cross_site_request']);
  expect((await signIn(new Browser(weir), {}, { origin: null, 'sec-fetch-site': null })).status).toBe(200);
});

test('over plain HTTP nobody signs in from another machine, nor uses a session from there', async () => {
  const far = new Browser(weir, '203.0.113.7');
  expect(code(await signIn(far))).toEqual([403, 'https_required']);
  far.cookies.set('weir', person.browser.cookies.get('weir')!);
  expect(code(await me(far))).toEqual([401, 'invalid_admin_key']);
});

test('at an https:// address the cookies are of that host only and never sent in the clear, and only its pages may write', async () => {
  const far = new Browser(other, '203.0.113.7');
  const own = { origin: 'https://weir.example.com' };
  const reply = await signIn(far, {}, own);
  expect(reply.headers.getSetCookie().map((cookie) => cookie.replace(/=[\w.-]+;/, '=…;'))).toEqual([
    '__Host-weir=…; Path=/; HttpOnly; Secure; SameSite=Lax',
    '__Host-weir-device=…; Max-Age=31536000; Path=/; HttpOnly; Secure; SameSite=Lax',
  ]);
  expect(code(await far.send('POST', '/v1/auth/me', { name: 'Mallory' }))).toEqual([403, 'cross_site_request']);
  expect(await far.send('POST', '/v1/auth/me', { name: 'Somebody' }, own)).toMatchObject({ status: 200 });
});

test('a revoked session is refused at the next request, by each process', async () => {
  const [browser, elsewhere] = [new Browser(weir), new Browser(other)];
  await signIn(browser);
  elsewhere.cookies.set('__Host-weir', browser.cookies.get('weir')!);
  expect((await me(elsewhere)).status).toBe(200);
  const { data } = (await browser.send('GET', '/v1/auth/sessions')).body;
  const current = data.find((one: { is_current: boolean }) => one.is_current);
  expect(code(await new Browser(weir).send('DELETE', `/v1/auth/sessions/${current.id}`))).toEqual([401, 'invalid_admin_key']);
  expect((await person.browser.send('DELETE', `/v1/auth/sessions/${current.id}`)).status).toBe(200);
  for (const one of [browser, elsewhere]) expect(code(await me(one))).toEqual([401, 'session_over']);
  expect(code(await person.browser.send('DELETE', `/v1/auth/sessions/${current.id}`))).toEqual([404, 'not_found']);
});

test('signing out ends the session and takes the cookie away; a new password ends the other sessions', async () => {
  const member = await join(weir, tenant, 'viewer');
  const second = new Browser(weir);
  await signIn(second, { email: member.email });
  const wrong = await second.send('POST', '/v1/auth/password', { current_password: 'not the password', new_password: 'another horse' });
  expect(code(wrong)).toEqual([403, 'invalid_password']);
  const set = await second.send('POST', '/v1/auth/password', { current_password: PASSWORD, new_password: 'another horse battery' });
  expect(set.status).toBe(200);
  expect(code(await me(member.browser))).toEqual([401, 'session_over']);
  const copy = new Browser(weir);
  copy.cookies.set('weir', second.cookies.get('weir')!);
  expect((await second.send('POST', '/v1/auth/sign_out')).body).toEqual({ object: 'auth.sign_out', signed_out: true });
  expect(second.cookies.has('weir')).toBe(false);
  expect(code(await me(copy))).toEqual([401, 'session_over']);
});

test('a second factor is asked for once it is confirmed; each code and recovery code is taken once', async () => {
  const member = await join(weir, tenant, 'viewer');
  const { body: started } = await member.browser.send('POST', '/v1/auth/totp');
  const secret = fromBase32(started.secret);
  const now = () => stepAt(Date.now());
  expect((await signIn(new Browser(weir), { email: member.email })).status).toBe(200);
  expect(code(await member.browser.send('POST', '/v1/auth/totp/confirm', { code: '000000' }))).toEqual([403, 'invalid_code']);
  const step = now();
  const { body } = await member.browser.send('POST', '/v1/auth/totp/confirm', { code: codeOf(secret, step - 1) });
  expect(body.codes).toHaveLength(10);

  const withCode = (sent?: string) => signIn(new Browser(weir), { email: member.email, ...(sent !== undefined && { code: sent }) });
  expect(code(await withCode())).toEqual([401, 'second_factor_required']);
  expect(code(await withCode(codeOf(secret, step - 1)))).toEqual([401, 'invalid_sign_in']);
  const together = await Promise.all([withCode(codeOf(secret, step)), withCode(codeOf(secret, step))]);
  expect(together.map(({ status }) => status).sort()).toEqual([200, 401]);
  expect((await withCode(body.codes[0])).status).toBe(200);
  expect(code(await withCode(body.codes[0]))).toEqual([401, 'invalid_sign_in']);
  const stored = await weir.db.query('SELECT encode(totp_secret, $1) || recovery_codes::text AS text FROM people WHERE email = $2', [
    'hex',
    member.email,
  ]);
  for (const plain of [...body.codes, secret.toString('hex')]) expect(stored.rows[0].text).not.toContain(plain);
});

test('strangers who guess are slowed down, by account and by address, and keep nobody out who signed in before', async () => {
  const member = await join(weir, tenant, 'viewer');
  const guess = (from: Browser) => signIn(from, { email: member.email, password: 'a guess of a stranger' });
  const strangers = await Promise.all(Array.from({ length: 30 }, () => guess(new Browser(weir))));
  const answers = strangers.map(({ status }) => status);
  // Ten at once; then each waits twice as long as the one before.
  expect(answers.filter((status) => status === 401).length).toBeLessThan(16);
  const slowed = strangers.find(({ status }) => status === 429)!;
  expect(slowed.body.error.code).toBe('too_many_sign_ins');
  expect(Number(slowed.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
  expect((await signIn(member.browser, { email: member.email })).status).toBe(200);
});

test('after many failures a try with the tenant tells no more of an account that is there than of one that is not', async () => {
  const member = await join(weir, tenant, 'viewer');
  const answersOf = async (email: string, place: number) => {
    const guess = (body: object) => signIn(new Browser(weir, `127.0.0.${place}`), { email, password: 'a guess', ...body });
    const unnamed = [];
    for (let tried = 0; tried < 11; tried++) unnamed.push((await guess({})).status);
    return [...unnamed, (await guess({ organization: tenant.id })).status];
  };
  const ofMember = await answersOf(member.email, 7);
  expect(ofMember.slice(-2)).toEqual([429, 401]);
  expect(await answersOf('nobody-at-all@example.com', 8)).toEqual(ofMember);
});

test('who has the session of a person, and its password, does not find out its code by trying', async () => {
  const member = await join(weir, tenant, 'viewer');
  const { body: started } = await member.browser.send('POST', '/v1/auth/totp');
  const secret = fromBase32(started.secret);
  const step = stepAt(Date.now());
  await member.browser.send('POST', '/v1/auth/totp/confirm', { code: codeOf(secret, step - 1) });
  const remove = (sent: string) => member.browser.send('POST', '/v1/auth/totp/remove', { code: sent });
  for (let tried = 0; tried < 4; tried++) expect(code(await remove('000000'))).toEqual([403, 'invalid_code']);
  // A password that is right takes back no failure at a code.
  const passwords = { current_password: PASSWORD, new_password: PASSWORD };
  expect((await member.browser.send('POST', '/v1/auth/password', passwords)).status).toBe(200);
  expect(code(await remove('000000'))).toEqual([403, 'invalid_code']);
  expect(code(await remove(codeOf(secret, step)))).toEqual([429, 'too_many_sign_ins']);
});

test('a sign-in link signs a person in once, within ten minutes, and only an operator makes one', async () => {
  const operator = async (body: object) =>
    fetch(`${weir.adminUrl}/v1/platform/sign_in_links`, {
      method: 'POST',
      headers: { authorization: `Bearer ${weir.operatorKey}`, 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
  const { url } = (await (await operator({ user: person.id })).json()) as { url: string };
  const token = new URL(url).hash.replace('#token=', '');
  const replies = await Promise.all(Array.from({ length: 32 }, () => new Browser(weir).send('POST', '/v1/auth/links/redeem', { token })));
  expect(replies.map(({ status }) => status).sort()).toEqual([200, ...Array(31).fill(401)]);

  const late = (await (await operator({ user: person.id })).json()) as { url: string };
  await weir.db.query(`UPDATE sign_in_links SET expires_at = expires_at - interval '10 minutes'`);
  const reply = await new Browser(weir).send('POST', '/v1/auth/links/redeem', { token: new URL(late.url).hash.replace('#token=', '') });
  expect(code(reply)).toEqual([401, 'invalid_sign_in_link']);
  expect(code(await person.browser.send('POST', '/v1/platform/sign_in_links', { user: person.id }))).toEqual([403, 'forbidden']);
});

test('what strangers send is bounded', async () => {
  const reply = await new Browser(weir).send('POST', '/v1/auth/sign_in', { email: 'a@example.com', password: 'x'.repeat(9_000) });
  expect(code(reply)).toEqual([413, 'request_too_large']);
});

test('a session ends when it was not used for an hour, and 12 hours after the sign-in', async () => {
  const [idle, busy] = [new Browser(weir), new Browser(weir)];
  await signIn(idle);
  await signIn(busy);
  for (const hours of ['59 minutes', '1 hour 58 minutes', '2 hours 57 minutes']) {
    await shiftClock(weir, hours);
    expect((await me(busy)).status).toBe(200);
  }
  expect(code(await me(idle))).toEqual([401, 'session_over']);
  await weir.db.query(`UPDATE admin_sessions SET last_seen_at = weir_now()`);
  await weir.db.query(`UPDATE admin_sessions SET expires_at = expires_at - interval '9 hours 3 minutes'`);
  expect(code(await me(busy))).toEqual([401, 'session_over']);
});

function fromBase32(text: string): Buffer {
  const bits = [...text].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  return Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)));
}
