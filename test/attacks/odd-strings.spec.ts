import { clientOf, type Send } from '../e2e/admin/client.js';
import { ROUTES } from '../e2e/admin/routes.js';
import { withWeir } from '../support/with-weir.js';

const { weir, tenant } = withWeir();
let admin: Send;
let operator: Send;

beforeAll(async () => {
  admin = clientOf(weir, tenant.adminKey);
  operator = clientOf(weir, weir.operatorKey);
});
const HALVES = ['\ud800', 'a\udfffb', '\udc00\ud800'];
const odd = [...HALVES, 'a\0b', '\0'];
const writes = ROUTES.filter(({ method }) => method === 'POST' || method === 'PATCH');

test.each(writes.map(({ method, path }) => [`${method} ${path}`, method, path] as const))(
  '%s refuses text that cannot be stored, in values and in names',
  async (_, method, path) => {
    const url = path.replace(/\{\w+\}/g, 'x');
    for (const text of odd)
      for (const body of [{ name: text }, { metadata: { key: text } }, { metadata: { [text]: 'x' } }, { [text]: 1 }, [[text]], text]) {
        const reply = await (path.startsWith('/v1/platform') ? operator : admin)(method, url, body);
        expect([reply.status >= 400 && reply.status < 500, reply.body.error.message.isWellFormed()]).toEqual([true, true]);
      }
  },
);

test('a text that cannot be stored is named by its field', async () => {
  const reply = await admin('POST', '/v1/organization/projects', { name: 'x', metadata: { a: '\ud800' } });
  expect([reply.status, reply.body.error.param, reply.body.error.message]).toEqual([
    400,
    'metadata.a',
    '"metadata.a" must not contain half of a surrogate pair.',
  ]);
});

test.each([
  [10_000, 400],
  [100_000, 413],
])('a body that is nested %d deep is refused with %d', async (depth, status) => {
  const response = await fetch(`${weir.adminUrl}/v1/organization/projects`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.adminKey}`, 'content-type': 'application/json' },
    body: `{"name":${'['.repeat(depth)}${']'.repeat(depth)}}`,
  });
  expect(response.status).toBe(status);
});

test.each(['%00', '%ED%A0%80', '%', 'a%2Fb', '%F0%9F%98%80'])('the path and the query with %s never fail inside', async (text) => {
  for (const { path, method } of ROUTES) {
    const url = `${path.replace(/\{\w+\}/g, text)}?after=${text}&limit=${text}&start_time=${text}&group_by=${text}`;
    const reply = await fetch(weir.adminUrl + url, { method, headers: { authorization: `Bearer ${tenant.adminKey}` } });
    expect([`${method} ${url}`, reply.status < 500]).toEqual([`${method} ${url}`, true]);
  }
});

const SERVICE_ACCOUNT = { type: 'service_account', project_id: 'p', client_email: 'a@b.c' };
const PLACES = ['a:b', 'a.b', '-a', 'a-', 'a/b', 'a@evil.example', 'a#', 'A', '', 'a'.repeat(64), 'ä'];

test.each(PLACES)('the location %j of Vertex and the region of AWS are refused: they are part of a host name', async (place) => {
  for (const credential of [
    { ...SERVICE_ACCOUNT, private_key: 'x', location: place },
    { type: 'authorized_user', client_id: 'c', client_secret: 's', refresh_token: 'r', quota_project_id: 'p', location: place },
    { type: 'aws', access_key_id: 'AKIAIOSFODNN7EXAMPLE', secret_access_key: 's', region: place },
  ]) {
    const type = credential.type === 'aws' ? 'bedrock' : 'vertex';
    const reply = await admin('POST', '/v1/organization/providers', { type, name: 'x', credential });
    expect([reply.status, reply.body.error.code]).toEqual([400, 'invalid_request']);
    expect(reply.body.error.param).toMatch(/^credential\.(location|region|private_key)$/);
  }
});

test('replies are not to be stored, whoever asks', async () => {
  const stored = async (url: string, key: string) =>
    (await fetch(url, { headers: { authorization: `Bearer ${key}` } })).headers.get('cache-control');
  expect(await stored(`${weir.adminUrl}/v1/organization/projects`, tenant.adminKey)).toBe('no-store');
  expect(await stored(`${weir.adminUrl}/v1/organization/projects`, 'nobody')).toBe('no-store');
  expect(await stored(`${weir.publicUrl}/v1/key`, tenant.apiKey)).toBe('no-store');
  expect(await stored(`${weir.publicUrl}/v1/key`, 'nobody')).toBe('no-store');
  const made = await fetch(`${weir.adminUrl}/v1/organization/projects/${tenant.projectId}/api_keys`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.adminKey}`, 'content-type': 'application/json' },
    body: '{"name":"k"}',
  });
  expect([made.status, made.headers.get('cache-control')]).toEqual([200, 'no-store']);
});
