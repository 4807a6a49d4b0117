import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { selfSigned } from '../../support/certificate.js';
import { createTenant, startTestWeir, type TestWeir } from '../../support/weir.js';

describe('the two listeners', () => {
  let weir: TestWeir;
  beforeAll(async () => {
    weir = await startTestWeir();
  });
  afterAll(() => weir.stop());

  const status = async (url: string, key = '') => (await fetch(url, { headers: { authorization: `Bearer ${key}` } })).status;

  test('no admin endpoint answers on the tenants’ listener, and no inference endpoint on the admin one', async () => {
    const tenant = await createTenant(weir);
    for (const path of ['/v1/platform/tenants', '/v1/organization/projects', '/metrics']) {
      expect(await status(weir.publicUrl + path, weir.operatorKey)).toBe(404);
    }
    for (const path of ['/v1/models', '/v1/key']) expect(await status(weir.adminUrl + path, tenant.apiKey)).toBeGreaterThanOrEqual(401);
  });

  test.each([
    ['with a part of 101 letters', `/v1/calls/${'a'.repeat(101)}`],
    ['with a part of 9,000 letters', `/v1/calls/${'a'.repeat(9_000)}`],
    ['that cannot be decoded', '/v1/models/%zz'],
    ['that is no UTF-8', '/v1/calls/%ff'],
  ])('an address %s is not there, and no failure of Weir', async (_what, path) => {
    const { apiKey } = await createTenant(weir);
    for (const key of ['', apiKey]) expect(await status(weir.publicUrl + path, key)).toBe(404);
  });

  test.each([
    ['POST', '/v1/v1/messages', 'Take the "/v1" off the base URL'],
    ['POST', '/chat/completions', 'Add "/v1" to the base URL'],
    ['GET', '/models', 'Add "/v1" to the base URL'],
  ])('%s %s tells what is wrong with the base URL', async (method, path, hint) => {
    const reply = await fetch(weir.publicUrl + path, { method });
    expect([reply.status, await reply.text()]).toEqual([404, expect.stringContaining(JSON.stringify(hint).slice(1, -1))]);
  });

  test.each([
    ['POST', '/v1/chat/completion', 'Did you mean /v1/chat/completions?'],
    ['POST', '/v1/chat/completions/', 'Did you mean /v1/chat/completions?'],
    ['GET', '/v1/call/call_1', 'Did you mean /v1/calls/{id}?'],
    ['GET', '/v1/messages', 'This path takes POST.'],
    ['GET', '/v1/organization/projects', 'see WEIR_ADMIN_HOST and WEIR_ADMIN_PORT'],
    ['GET', '/v1/platform/nothing', 'see WEIR_ADMIN_HOST and WEIR_ADMIN_PORT'],
    ['GET', '/metrics', 'see WEIR_ADMIN_HOST and WEIR_ADMIN_PORT'],
  ])('%s %s on the tenants’ listener tells which path is meant, or where it is', async (method, path, hint) => {
    const reply = await fetch(weir.publicUrl + path, { method });
    expect([reply.status, await reply.text()]).toEqual([404, expect.stringContaining(hint)]);
  });

  test.each([
    ['GET', '/v1/organization/budget', 'Did you mean /v1/organization/budgets?'],
    ['POST', '/v1/organization/budgets/bud_1/resets', 'Did you mean /v1/organization/budgets/{budget_id}/reset?'],
    ['GET', '/v1/organization/rate-limit', 'Did you mean /v1/organization/rate_limits?'],
    ['GET', '/v1/budgets', 'Did you mean /v1/organization/budgets?'],
    ['GET', '/budgets', 'Did you mean /v1/organization/budgets?'],
    ['PUT', '/v1/organization/budgets/bud_1', 'This path takes GET, POST, DELETE, PATCH.'],
    ['POST', '/v1/chat/completions', 'see WEIR_PUBLIC_HOST and WEIR_PUBLIC_PORT'],
    ['GET', '/v1/models/mock/echo', 'see WEIR_PUBLIC_HOST and WEIR_PUBLIC_PORT'],
  ])('%s %s on the admin listener tells which path is meant, or where it is', async (method, path, hint) => {
    const reply = await fetch(weir.adminUrl + path, { method });
    expect([reply.status, await reply.text()]).toEqual([404, expect.stringContaining(hint)]);
  });

  test('readiness, liveness and metrics need no key and name no tenant', async () => {
    const tenant = await createTenant(weir);
    expect(await (await fetch(`${weir.adminUrl}/readyz`)).json()).toEqual({ status: 'ready' });
    expect(await (await fetch(`${weir.adminUrl}/livez`)).json()).toEqual({ status: 'live' });
    const metrics = await (await fetch(`${weir.adminUrl}/metrics`)).text();
    expect(metrics).toContain('weir_calls_total');
    expect(metrics).not.toContain(tenant.id);
  });

  test('health is one word on the tenants’ listener, without a key and with whatever is sent as one; nothing else of the process is told', async () => {
    const said = { '/livez': 'live', '/readyz': 'ready' };
    for (const [path, word] of Object.entries(said))
      for (const authorization of [undefined, 'Bearer nonsense', `Bearer ${weir.operatorKey}`])
        for (const method of ['GET', 'HEAD']) {
          const reply = await fetch(weir.publicUrl + path, { method, headers: authorization ? { authorization } : {} });
          expect([reply.status, await reply.text()]).toEqual([200, method === 'GET' ? word : '']);
          const { date: _d, connection: _c, 'keep-alive': _k, ...headers } = Object.fromEntries(reply.headers);
          expect(headers).toEqual({
            'cache-control': 'no-store',
            'content-type': 'text/plain; charset=utf-8',
            'content-length': String(word.length),
          });
        }
    for (const method of ['POST', 'PUT', 'DELETE']) expect((await fetch(`${weir.publicUrl}/readyz`, { method })).status).toBe(404);
  });

  test('bad keys and readiness do not mix: however often health is asked for, nobody is throttled for it', async () => {
    const asked = await Promise.all(Array.from({ length: 200 }, () => status(`${weir.publicUrl}/readyz`, 'weir_sk_none')));
    expect(new Set(asked)).toEqual(new Set([200]));
  });

  /** What the server answers to bytes that no HTTP client would send. */
  const rawRequest = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(weir.publicUrl);
      let reply = '';
      const socket = connect(Number(port), hostname, () => socket.end(text));
      socket.on('data', (chunk) => (reply += chunk));
      socket.on('close', () => resolve(reply));
      socket.on('error', reject);
    });

  test.each([
    ['two lengths', 'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}', '400'],
    [
      'a length and chunks',
      'POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      '400',
    ],
    ['a space before the colon', 'GET /v1/models HTTP/1.1\r\nHost : x\r\n\r\n', '400'],
    ['a folded header', 'GET /v1/models HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n', '400'],
    [
      'two keys that differ',
      'GET /v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n',
      '400',
    ],
    ['headers beyond 16 KiB', `GET /v1/models HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(17_000)}\r\n\r\n`, '431'],
    ['a path with dots', 'GET /v1/../v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', '404'],
    ['an encoded slash', 'GET /v1%2fmodels HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n', '404'],
  ])('%s is refused', async (_name, text, expected) => {
    const reply = await rawRequest(text);
    expect(reply).toMatch(new RegExp(`^HTTP/1.1 ${expected} `));
    expect(JSON.parse(reply.split('\r\n\r\n')[1]!)).toMatchObject({ error: { type: 'invalid_request_error', code: expect.any(String) } });
  });
});

test('connections stay open for as long as is set, on both listeners', async () => {
  const weir = await startTestWeir({ WEIR_KEEP_ALIVE_TIMEOUT_MS: '610000' });
  try {
    for (const url of [`${weir.publicUrl}/v1/models`, `${weir.adminUrl}/livez`])
      expect((await fetch(url)).headers.get('keep-alive')).toBe('timeout=610');
  } finally {
    await weir.stop();
  }
});

test('with a certificate the tenants’ listener speaks HTTPS', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-tls-'));
  const { cert, key } = selfSigned(directory, 'localhost', 'IP:127.0.0.1');
  const weir = await startTestWeir({ WEIR_TLS_CERT: cert, WEIR_TLS_KEY: key });
  try {
    expect(weir.publicUrl).toMatch(/^https:/);
    const status = await new Promise((resolve, reject) =>
      request(`${weir.publicUrl}/v1/models`, { ca: readFileSync(cert) }, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end(),
    );
    expect(status).toBe(401);
  } finally {
    await weir.stop();
    rmSync(directory, { recursive: true, force: true });
  }
});
