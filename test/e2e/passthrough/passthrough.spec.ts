import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { brokenInvariants } from '../../support/ledger.js';
import { RawProvider } from '../../support/raw-provider.js';
import { booked, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { type AdminReply, clientOf, type Send } from '../admin/client.js';

const RULES = '/v1/organization/egress_rules';
const KEY = 'sk-the-providers-secret-0123456789abcdef';

let provider: RawProvider;
let weir: TestWeir;
let operator: Send;
let tenant: TestTenant;
let admin: Send;

beforeAll(async () => {
  provider = await RawProvider.start();
  weir = await startTestWeir({
    WEIR_EGRESS_ALLOW: provider.hostPort,
    WEIR_PROGRESS_TIMEOUT_MS: '2000',
    WEIR_FIRST_BYTE_TIMEOUT_MS: '2000',
  });
  operator = clientOf(weir, weir.operatorKey);
});

afterAll(async () => {
  expect(await brokenInvariants(weir.db)).toEqual([]);
  await weir.stop();
  await provider.stop();
});

beforeEach(async () => {
  provider.calls.length = 0;
  provider.script = provider.answer(200, { ok: true });
  tenant = await createTenant(weir);
  admin = clientOf(weir, tenant.adminKey);
  await done(admin('POST', '/v1/organization/providers', { name: 'up', type: 'openai', base_url: `${provider.origin}/v1`, key: KEY }));
});

afterEach(() => eventually(async () => (await weir.db.query("SELECT FROM holds WHERE state = 'open'")).rowCount === 0));

async function done(sent: Promise<AdminReply>): Promise<AdminReply['body']> {
  const { status, body } = await sent;
  expect([status, body.error]).toEqual([200, undefined]);
  return body;
}

/** A rule that the operator sets in the tenant: the provider of these tests is at no vendor's address. */
const allow = (method: string, path: string, more: object = {}) =>
  done(operator('POST', RULES, { provider: 'up', method, path, ...more }, { 'x-weir-tenant': tenant.id }));

interface Answer {
  status: number;
  headers: Headers;
  text: string;
  code: string | undefined;
  message: string | undefined;
}

async function pass(method: string, path: string, more: RequestInit & { key?: string } = {}): Promise<Answer> {
  const { key = tenant.apiKey, headers, ...init } = more;
  const response = await fetch(`${weir.publicUrl}/v1/passthrough${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(headers as Record<string, string>) },
    ...init,
  });
  const text = await response.text();
  const error =
    response.ok || !text.startsWith('{') ? undefined : (JSON.parse(text) as { error?: { code: string; message: string } }).error;
  return { status: response.status, headers: response.headers, text, code: error?.code, message: error?.message };
}

/** The path as it is, which `fetch` would make neat. */
const passRaw = (path: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const { port } = new URL(weir.publicUrl);
    const sent = httpRequest({ host: '127.0.0.1', port, path, headers: { authorization: `Bearer ${tenant.apiKey}` } }, (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    sent.on('error', reject).end();
  });

const budget = (limit: string, mode = 'deny') =>
  done(admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit, period: 'month', mode }));
const spent = async (): Promise<string> => (await done(admin('GET', '/v1/organization/budgets'))).data[0]!.current_period.spent;
const rows = () => booked(weir, tenant);

test('a request goes to the provider as it is, with the credential of the provider', async () => {
  await allow('GET', '/v1/files/{id}', { price: '0', query: ['limit', 'include[]'] });
  provider.script = provider.answer(200, '{"id": "file-1"}', {
    'set-cookie': 'a=b',
    'x-secret-of-the-provider': '1',
    'content-disposition': 'attachment',
    etag: '"7"',
  });
  const { status, text, headers } = await pass('GET', '/up/v1/files/file-1?limit=5&include[]=a%20b&include[]=%26', {
    headers: { cookie: 'session=1', 'x-weir-tags': 'a', 'user-agent': 'someone', 'x-forwarded-for': '1.2.3.4', 'openai-beta': 'x=1' },
  });
  expect([status, text]).toEqual([200, '{"id": "file-1"}']);
  const [call] = provider.calls;
  expect(call).toMatchObject({ method: 'GET', path: '/v1/files/file-1?limit=5&include%5B%5D=a+b&include%5B%5D=%26' });
  expect(Object.keys(call!.headers).sort()).toEqual(
    ['accept', 'accept-encoding', 'authorization', 'connection', 'host', 'openai-beta', 'user-agent', 'via'].sort(),
  );
  expect(call!.headers).toMatchObject({ authorization: `Bearer ${KEY}`, 'user-agent': 'weir', 'accept-encoding': 'identity' });
  expect(headers.get('content-disposition')).toBe('attachment');
  expect(headers.get('etag')).toBe('"7"');
  expect([headers.get('set-cookie'), headers.get('x-secret-of-the-provider')]).toEqual([null, null]);
  expect(headers.get('x-weir-provider')).toBe('up');
});

test('a request with a price is held before it is sent and booked after it, once', async () => {
  await budget('1.00');
  await allow('POST', '/v1/files', { price: '0.25' });
  let held: unknown;
  provider.script = async (request, response) => {
    held = (await weir.db.query("SELECT amount FROM holds WHERE state = 'open'")).rows;
    await provider.answer(200, { ok: true })(request, response);
  };
  const { status, headers } = await pass('POST', '/up/v1/files', { body: '{}', headers: { 'content-type': 'application/json' } });
  expect([status, headers.get('x-weir-cost')]).toEqual([200, '0.25']);
  expect(held).toEqual([{ amount: 250_000_000n }]);
  expect(await rows()).toMatchObject([{ status: 'completed', http_status: 200, estimated: false, amount: 250_000_000n }]);
  expect(await spent()).toBe('0.25');
  for (let n = 0; n < 3; n++) expect((await pass('POST', '/up/v1/files')).status).toBe(200);
  expect((await pass('POST', '/up/v1/files')).code).toBe('budget_exceeded');
  expect([await spent(), provider.calls.length]).toEqual(['1.00', 4]);
});

test('what the provider refuses is given on, and costs nothing', async () => {
  await budget('1.00');
  await allow('GET', '/v1/files/{id}', { price: '0.25' });
  provider.script = provider.answer(404, { error: { message: 'No such file.' } }, { 'retry-after': '3' });
  const { status, text, headers } = await pass('GET', '/up/v1/files/file-1');
  expect([status, text, headers.get('x-weir-cost')]).toEqual([404, '{"error":{"message":"No such file."}}', '0.00']);
  expect(headers.get('retry-after')).toBe('3');
  expect(await rows()).toMatchObject([{ status: 'failed', http_status: 404, error_code: 'invalid_request', amount: null }]);
  expect(await spent()).toBe('0.00');
});

test('a reply in a known format is metered where the rule has no price', async () => {
  await done(admin('POST', '/v1/organization/prices', { provider: 'up', model: 'painter', input: '10', output: '40' }));
  await budget('1.00', 'observe');
  await allow('POST', '/v1/images/generations');
  provider.script = provider.answer(200, {
    model: 'painter',
    data: [],
    usage: { input_tokens: 100, output_tokens: 1_000, total_tokens: 1_100 },
  });
  expect((await pass('POST', '/up/v1/images/generations', { body: '{}' })).status).toBe(200);
  expect(await rows()).toMatchObject([{ status: 'completed', estimated: false, input: 100, output: 1_000, amount: 41_000_000n }]);
  expect(await spent()).toBe('0.041');
  // What is read was counted when it was made.
  await allow('GET', '/v1/images/{id}');
  expect((await pass('GET', '/up/v1/images/img-1')).status).toBe(200);
  expect((await rows()).at(-1)).toMatchObject({ input: 0, output: 0, amount: null });
});

test('without a price nothing is sent under a hard budget or a cost limit', async () => {
  await allow('GET', '/v1/files/{id}');
  expect((await pass('GET', '/up/v1/files/file-1', { headers: { 'x-weir-max-cost': '1' } })).code).toBe('model_not_priced');
  await budget('1.00');
  const { status, code, message } = await pass('GET', '/up/v1/files/file-1');
  expect([status, code]).toEqual([422, 'model_not_priced']);
  expect(message).toMatch(/^The egress rule has no price/);
  expect([provider.calls, await rows()]).toEqual([[], []]);
});

test('what no rule allows is refused with the nearest name', async () => {
  await allow('GET', '/v1/files/{id}', { price: '0' });
  const refused = async (method: string, path: string) => {
    const { status, code, message } = await pass(method, path);
    return [status, code, message];
  };
  const not = (message: string) => [403, 'passthrough_not_allowed', message];
  expect(await refused('GET', '/up/v1/filez/file-1')).toEqual(
    not('No egress rule allows GET /v1/filez/file-1 of the provider "up". Did you mean /v1/files/{id}?'),
  );
  expect(await refused('DELETE', '/up/v1/files/file-1')).toEqual(
    not('No egress rule allows DELETE /v1/files/file-1 of the provider "up". This path takes GET.'),
  );
  expect(await refused('GET', '/upp/v1/files/file-1')).toEqual(not('No egress rule allows requests to "upp". Did you mean "up"?'));
  expect((await refused('GET', '/elsewhere/v1/files/file-1'))[2]).toContain('POST /v1/organization/egress_rules');
  expect((await refused('GET', '/up/v1/files/file-1?limit=1'))[2]).toBe(
    'The egress rule does not allow the query parameter "limit". It allows none.',
  );
  expect((await refused('GET', '/up'))[0]).toBe(404);
  expect(provider.calls).toEqual([]);
});

test('no other spelling of a path leads anywhere', async () => {
  await allow('GET', '/v1/files/{id}', { price: '0' });
  for (const path of [
    '/v1/passthrough/up/v1/files/..%2f..%2fkeys',
    '/v1/passthrough/up/v1/files/%2e%2e',
    '/v1/passthrough/up/v1/files/../organization/api_keys',
    '/v1/passthrough/up/v1/files/./file-1',
    '/v1/passthrough/up/v1/files//file-1',
    '/v1/passthrough/up//v1/files/file-1',
    '/v1/passthrough/up/v1/files/file-1/',
    '/v1/passthrough/up/v1/files/file%252f1',
    '/v1/passthrough/up/v1/files/file-1%00',
    '/v1/passthrough/up/v1/files/file-1;a=b',
    '/v1/passthrough/up/v1/files/file-1%3flimit=1',
    '/v1/passthrough/up/v1/%66iles/file-1',
    '/v1/passthrough/u%70/v1/files/file-1',
    '/v1/passthrough/up/v1/files/file-1#x',
    '/v1/passthrough/up/@127.0.0.1/v1/files',
    '/v1/passthrough/up/v1\\files/file-1',
    '/v1/%70assthrough/up/v1/files/file-1',
    '/v1/../v1/passthrough/up/v1/files/file-1',
  ])
    expect([path, [400, 403, 404].includes(await passRaw(path))]).toEqual([path, true]);
  expect(provider.calls).toEqual([]);
  expect(await passRaw('/v1/passthrough/up/v1/files/file-1')).toBe(200);
});

test("an operator's rule goes before a more exact one of the tenant's", async () => {
  await allow('GET', '/v1/files/{id}', { price: '0.5' });
  const cheap = await allow('GET', '/v1/files/file-1', { price: '0' });
  await done(operator('PATCH', `${RULES}/${cheap.id}`, { price: '0.1' }, { 'x-weir-tenant': tenant.id }));
  expect((await pass('GET', '/up/v1/files/file-1')).headers.get('x-weir-cost')).toBe('0.10');
  await weir.db.query("UPDATE egress_rules SET set_by = 'tenant' WHERE path = '/v1/files/file-1'");
  await eventually(async () => (await pass('GET', '/up/v1/files/file-1')).headers.get('x-weir-cost') === '0.50');
});

test('keys, money and accounts are closed, and paths that call models', async () => {
  await allow('GET', '/v1/{what}', { price: '0' });
  await allow('POST', '/v1/{what}', { price: '0' });
  for (const [method, what] of [
    ['GET', 'api_keys'],
    ['GET', 'billing'],
    ['POST', 'organization'],
    ['POST', 'responses'],
  ] as const)
    expect((await pass(method, `/up/v1/${what}`)).code).toBe('passthrough_not_allowed');
  expect((await pass('GET', '/up/v1/files')).status).toBe(200);
  expect(provider.calls).toHaveLength(1);
});

test("the platform's providers, moved ones and deleted ones are refused", async () => {
  const path = '/lent/v1/files/file-1';
  const rule = { provider: 'lent', method: 'GET', path: '/v1/files/{id}', price: '0' };
  const own = await done(
    admin('POST', '/v1/organization/providers', { name: 'lent', type: 'openai', base_url: `${provider.origin}/v1`, key: KEY }),
  );
  await done(operator('POST', RULES, rule, { 'x-weir-tenant': tenant.id }));
  expect((await pass('GET', path)).status).toBe(200);
  await done(admin('PATCH', `/v1/organization/providers/${own.id}`, { base_url: 'https://elsewhere.example.com/v1', key: KEY }));
  expect((await pass('GET', path)).message).toContain('moved to another address');
  await done(admin('DELETE', `/v1/organization/providers/${own.id}`));
  expect((await pass('GET', path)).message).toContain('There is no provider "lent" any more');
  const lent = await done(
    operator('POST', '/v1/platform/credentials', { name: 'lent', type: 'openai', base_url: `${provider.origin}/v1`, key: 'sk-platform' }),
  );
  await done(operator('POST', `/v1/platform/credentials/${lent.id}/grants`, { tenant: tenant.id }));
  expect((await pass('GET', path)).message).toContain("it is the platform's");
  expect(provider.calls).toHaveLength(1);
});

test('a key with a list of models, a key of nobody and a suspended tenant are refused', async () => {
  await allow('GET', '/v1/files/{id}', { price: '0' });
  const limited = await done(
    admin('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, { name: 'limited', models: ['up/m'] }),
  );
  expect((await pass('GET', '/up/v1/files/file-1', { key: limited.value })).code).toBe('model_not_allowed');
  expect((await pass('GET', '/up/v1/files/file-1', { key: 'weir_sk_nobody' })).status).toBe(401);
  const other = await createTenant(weir);
  expect((await pass('GET', '/up/v1/files/file-1', { key: other.apiKey })).code).toBe('passthrough_not_allowed');
  await done(operator('POST', `/v1/platform/tenants/${tenant.id}/suspend`));
  expect((await pass('GET', '/up/v1/files/file-1')).code).toBe('tenant_suspended');
  expect(provider.calls).toEqual([]);
});

test('requests count against limits', async () => {
  await allow('GET', '/v1/files/{id}', { price: '0' });
  await done(admin('POST', '/v1/organization/rate_limits', { scope: { kind: 'tenant' }, max_requests_per_1_minute: 1 }));
  expect((await pass('GET', '/up/v1/files/file-1')).headers.get('x-ratelimit-remaining-requests')).toBe('0');
  expect((await pass('GET', '/up/v1/files/file-1')).code).toBe('rate_limit_exceeded');
});

test('headers that cannot be obeyed are refused', async () => {
  await allow('GET', '/v1/files/{id}', { price: '0.5' });
  const refused = async (headers: Record<string, string>) => (await pass('GET', '/up/v1/files/file-1', { headers })).code;
  expect(await refused({ 'idempotency-key': 'a' })).toBe('invalid_request');
  expect(await refused({ 'x-weir-nonsense': 'a' })).toBe('invalid_request');
  expect(await refused({ 'x-weir-max-cost': '0.4' })).toBe('cost_limit_exceeded');
  expect(await refused({ 'x-api-key': 'another' })).toBe('key_conflict');
  expect(provider.calls).toEqual([]);
});

describe('the provider', () => {
  beforeEach(() => allow('GET', '/v1/files/{id}', { price: '0.5' }));

  test('redirects: it is not followed', async () => {
    provider.script = provider.answer(302, '', { location: `${provider.origin}/v1/elsewhere` });
    const { status, code, headers } = await pass('GET', '/up/v1/files/file-1');
    expect([status, code, headers.get('location')]).toEqual([502, 'upstream_invalid_response', null]);
    expect(provider.calls).toHaveLength(1);
    expect((await rows())[0]).toMatchObject({ status: 'failed', amount: null });
  });

  test('refuses the credential: the client is told by an error of Weir', async () => {
    provider.script = provider.answer(401, { error: { message: `Incorrect API key: ${KEY}` } });
    const { status, code, text } = await pass('GET', '/up/v1/files/file-1');
    expect([status, code]).toEqual([502, 'provider_auth_failed']);
    expect(text).not.toContain(KEY.slice(0, 20));
  });

  test.each([
    ['in one piece', [`the key is ${KEY}`]],
    ['in pieces', ['the key is ', KEY.slice(0, 10), KEY.slice(10, 25), KEY.slice(25)]],
    ['as base64', [Buffer.from(KEY).toString('base64')]],
  ])('repeats the credential %s: the client does not get it', async (_, pieces) => {
    provider.script = async (request, response) => {
      await provider.read(request);
      response.writeHead(200, { 'content-type': 'text/plain' });
      for (const piece of pieces) await new Promise((resolve) => response.write(piece, resolve));
      response.end();
    };
    const answer = await pass('GET', '/up/v1/files/file-1').catch((error: Error) => ({ text: error.message }));
    expect(answer.text).not.toContain(KEY.slice(0, 20));
    await eventually(async () => (await rows())[0]?.error_code === 'upstream_invalid_response');
    // It answered, so it is paid.
    expect(await rows()).toMatchObject([{ status: 'cut', estimated: true, amount: 500_000_000n }]);
  });

  test('breaks off: the client sees that its answer is not whole', async () => {
    provider.script = async (request, response) => {
      await provider.read(request);
      response.writeHead(200, { 'content-type': 'text/plain' });
      response.write('half', () => response.socket?.resetAndDestroy());
    };
    await expect(pass('GET', '/up/v1/files/file-1')).rejects.toThrow();
    await eventually(async () => (await rows()).length === 1);
    expect(await rows()).toMatchObject([{ status: 'cut', error_code: 'upstream_interrupted', amount: 500_000_000n }]);
  });

  test('is silent: the client waits as long as it says', async () => {
    provider.script = async (request) => void (await provider.read(request));
    const { status, code } = await pass('GET', '/up/v1/files/file-1', { headers: { 'x-weir-timeout-ms': '200' } });
    expect([status, code]).toEqual([504, 'upstream_timeout']);
    expect(await rows()).toMatchObject([{ status: 'cut', estimated: true, amount: 500_000_000n }]);
  });

  test('is left by the client: it is broken off, and paid', async () => {
    const closed = new Promise<void>((resolve) => {
      provider.script = async (request, response) => {
        response.on('close', resolve);
        await provider.read(request);
        response.writeHead(200, { 'content-type': 'text/plain' });
        response.write('half');
      };
    });
    const leaving = new AbortController();
    const response = await fetch(`${weir.publicUrl}/v1/passthrough/up/v1/files/file-1`, {
      headers: { authorization: `Bearer ${tenant.apiKey}` },
      signal: leaving.signal,
    });
    await response.body!.getReader().read();
    leaving.abort();
    await closed;
    await eventually(async () => (await rows()).length === 1);
    expect(await rows()).toMatchObject([{ status: 'cut', http_status: 499, error_code: 'client_gone', amount: 500_000_000n }]);
  });
});

test('a stream arrives as it is sent, in both directions', async () => {
  await allow('POST', '/v1/audio/speech', { price: '0' });
  let told: (text: string) => void = () => {};
  const echo = new Promise<string>((resolve) => (told = resolve));
  provider.script = (request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    request.on('data', (chunk: Buffer) => {
      told(chunk.toString());
      response.write(`data: ${chunk}\n\n`);
    });
    request.on('end', () => response.end());
  };
  const { port } = new URL(weir.publicUrl);
  const socket = connect(Number(port), '127.0.0.1');
  let got = '';
  socket.on('data', (chunk) => (got += chunk));
  const head = [
    'POST /v1/passthrough/up/v1/audio/speech HTTP/1.1',
    'host: a',
    `authorization: Bearer ${tenant.apiKey}`,
    'transfer-encoding: chunked',
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n5\r\nfirst\r\n`);
  expect(await echo).toBe('first');
  await eventually(async () => got.includes('data: first'));
  expect(got).not.toContain('\r\n0\r\n');
  socket.write('6\r\nsecond\r\n0\r\n\r\n');
  await eventually(async () => got.endsWith('\r\n0\r\n\r\n'));
  expect(got).toMatch(/^HTTP\/1\.1 200 [\s\S]*content-type: text\/event-stream[\s\S]*data: second/);
  socket.destroy();
});

test('a form with a file arrives byte for byte, and a large answer comes back so', async () => {
  await allow('POST', '/v1/files', { price: '0.01' });
  const file = Buffer.alloc(3 * 1024 * 1024, 'some bytes \u0000 of a file');
  provider.script = async (request, response) => {
    const { body } = await provider.read(request);
    response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': String(body.length) });
    response.end(body);
  };
  const form = new FormData();
  form.set('purpose', 'batch');
  form.set('file', new Blob([file]), 'a.jsonl');
  const { publicUrl } = weir;
  const response = await fetch(`${publicUrl}/v1/passthrough/up/v1/files`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}` },
    body: form,
  });
  const bytes = Buffer.from(await response.arrayBuffer());
  const [call] = provider.calls;
  expect(call!.headers['content-type']).toMatch(/^multipart\/form-data; boundary=/);
  expect(call!.body.includes(file)).toBe(true);
  expect(bytes.equals(call!.body)).toBe(true);
});

test('a client that does not read holds its provider back', async () => {
  await allow('GET', '/v1/files/{id}', { price: '0' });
  let written = 0;
  const stalled = new Promise<void>((resolve) => {
    provider.script = async (request, response) => {
      await provider.read(request);
      response.writeHead(200, { 'content-type': 'application/octet-stream' });
      const piece = Buffer.alloc(256 * 1024);
      const more = (): void => {
        while (written < 200 * 1024 * 1024) {
          written += piece.length;
          if (!response.write(piece)) {
            response.once('drain', more);
            clearTimeout(idle);
            idle = setTimeout(resolve, 300);
            return;
          }
        }
      };
      let idle: NodeJS.Timeout | undefined;
      more();
    };
  });
  const { port } = new URL(weir.publicUrl);
  const socket = connect(Number(port), '127.0.0.1');
  socket.pause();
  socket.write(`GET /v1/passthrough/up/v1/files/file-1 HTTP/1.1\r\nhost: a\r\nauthorization: Bearer ${tenant.apiKey}\r\n\r\n`);
  await stalled;
  expect(written).toBeLessThan(50 * 1024 * 1024);
  socket.destroy();
  await eventually(async () => (await rows()).length === 1);
});

test('a call that was passed through can be read and explained', async () => {
  await allow('GET', '/v1/files/{id}', { price: '0.5' });
  const { headers } = await pass('GET', '/up/v1/files/file-1', { headers: { 'x-weir-tags': 'a' } });
  const id = headers.get('x-request-id')!;
  const read = async (path: string) =>
    (await (await fetch(`${weir.publicUrl}${path}`, { headers: { authorization: `Bearer ${tenant.apiKey}` } })).json()) as object;
  expect(await read(`/v1/calls/${id}`)).toMatchObject({ surface: 'passthrough', cost: '0.50' });
  expect(JSON.stringify(await read(`/v1/calls/${id}/explain`))).toContain('up/GET /v1/files/{id}');
});
