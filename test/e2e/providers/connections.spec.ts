import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readConfig } from '../../../src/platform/config/index.js';
import { startWeir, type Weir } from '../../../src/roles/weir.js';
import { brokenInvariants } from '../../support/ledger.js';
import { LoginServer } from '../../support/login-server.js';
import { answer, json, type Script, ScriptedUpstream } from '../../support/upstream.js';
import { booked, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { clientOf } from '../admin/client.js';
import { CHATGPT, COPILOT, QWEN, SEAT_VENDORS, type SeatVendor } from './subscriptions.js';

let login: LoginServer;
let upstream: ScriptedUpstream;
let weir: TestWeir;
let tenant: TestTenant;
let environment: Record<string, string>;

beforeAll(async () => {
  login = await LoginServer.start();
  upstream = await ScriptedUpstream.start();
  const entry = { client_id: 'client-of-the-operator', login_url: `http://${login.hostPort}` };
  environment = {
    WEIR_EGRESS_ALLOW: `${login.hostPort},${upstream.hostPort}`,
    WEIR_CONNECTIONS: JSON.stringify(Object.fromEntries(SEAT_VENDORS.map(({ type }) => [type, entry]))),
  };
  weir = await startTestWeir(environment);
});

beforeEach(async () => {
  tenant = await createTenant(weir);
  login.asked.length = 0;
  login.script = {};
  upstream.calls.length = 0;
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

afterAll(async () => {
  await weir.stop();
  await upstream.stop();
  await login.stop();
});

interface ConnectionBody {
  id: string;
  state: string;
  last_error: string | null;
  interval: number;
  poll_after: number | null;
  expires_at: number;
  user_code: string;
  verification_uri: string;
  terms_url: string;
}

/** A provider of this type at the upstream, which the gateway knows. Answers the path of its connection. */
async function addSeat({ type, reply }: SeatVendor, of = tenant, baseUrl: string | undefined = upstream.baseUrl): Promise<string> {
  const { id } = await of.admin<{ id: string }>('POST', '/v1/organization/providers', {
    type,
    name: 'subscription',
    models: ['some-model'],
    ...(baseUrl && { base_url: baseUrl }),
  });
  upstream.script = reply;
  await eventually(async () => (await of.openai.models.list()).data.some((model) => model.id === 'subscription/some-model'));
  return `/v1/organization/providers/${id}/connection`;
}

const start = (path: string) => tenant.admin<ConnectionBody>('POST', path);
const read = (path: string) => tenant.admin<ConnectionBody>('GET', path);
/** Asks for the outcome as if the interval were over. */
async function poll(path: string): Promise<ConnectionBody> {
  await weir.db.query(`UPDATE connections SET poll_after = now() - interval '1 second'`);
  return tenant.admin<ConnectionBody>('POST', `${path}/poll`);
}

/** A provider that is connected, and whose calls carry its first token. */
async function connect(vendor: SeatVendor, options: { lifeSeconds?: number; baseUrl?: string } = {}): Promise<string> {
  const path = await addSeat(vendor, tenant, options.baseUrl);
  vendor.wait(login);
  await start(path);
  vendor.admit(login, options);
  expect(await poll(path)).toMatchObject({ state: 'connected', last_error: null });
  return path;
}

async function call(publicUrl = weir.publicUrl, stream = false): Promise<{ status: number; code: string | null; text: string }> {
  const response = await fetch(`${publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'subscription/some-model', messages: [{ role: 'user', content: 'Hi' }], max_tokens: 50, stream }),
  });
  const text = await response.text();
  return { status: response.status, code: response.ok ? null : JSON.parse(text).error.code, text };
}

/** The gateway reads of a change within moments; until then it says that nothing is connected. */
const served = () => eventually(async () => (await call()).status === 200);
const authorizations = () => upstream.calls.map(({ headers }) => headers['authorization']);

/** Takes the first tokens of whatever refuses. */
const refusing =
  (refused: readonly string[], otherwise: Script): Script =>
  (sent, response) =>
    refused.some((token) => sent.headers['authorization'] === `Bearer ${token}`)
      ? json(401, { error: { message: 'token expired', code: 'unauthorized' } })(sent, response)
      : otherwise(sent, response);

describe.each(SEAT_VENDORS.map((vendor) => [vendor.type, vendor] as const))('%s', (_, vendor) => {
  test('a person enters the code, and calls carry the token of the connection', async () => {
    const path = await addSeat(vendor);
    vendor.wait(login);
    const started = await start(path);
    expect(started).toMatchObject({
      state: 'pending',
      user_code: expect.stringMatching(/./),
      verification_uri: expect.stringMatching(/^https:/),
    });
    expect(started.terms_url).toMatch(/^https:/);
    expect(JSON.stringify(login.of(vendor.start)[0]!.fields)).toContain('client-of-the-operator');
    expect(await poll(path)).toMatchObject({ state: 'pending' });

    vendor.admit(login);
    const connected = await poll(path);
    expect(connected).toMatchObject({ state: 'connected', last_error: null, poll_after: null });
    await served();
    expect(upstream.calls.at(-1)!.headers).toMatchObject({ authorization: `Bearer ${vendor.token(1)}`, ...vendor.headers });
    expect(await call(weir.publicUrl, true)).toMatchObject({ status: 200, text: expect.stringContaining('[DONE]') });
    expect(login.of(vendor.renew).length).toBeLessThanOrEqual(2);
  });

  test('a token that ends soon is replaced before the call, and the next time by the refresh token that came with it', async () => {
    await connect(vendor, { lifeSeconds: 20 });
    await served();
    expect(authorizations()).toEqual([`Bearer ${vendor.token(2)}`]);
    upstream.script = refusing([vendor.token(2)], vendor.reply);
    expect(await call()).toMatchObject({ status: 200 });
    expect(authorizations().slice(1)).toEqual([`Bearer ${vendor.token(2)}`, `Bearer ${vendor.token(3)}`]);
  });

  test('no secret is in any answer, nor readable in the database', async () => {
    const path = await addSeat(vendor);
    vendor.wait(login);
    const answers: unknown[] = [await start(path), await poll(path)];
    const { rows: waiting } = await weir.db.query('SELECT * FROM connections');
    vendor.admit(login);
    answers.push(await poll(path), await read(path), await tenant.admin('GET', '/v1/organization/providers'));
    await served();
    const { rows: connected } = await weir.db.query('SELECT * FROM connections');
    const stored = [...waiting, ...connected].map((row) =>
      Object.values(row).map((value) => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value))),
    );
    expect(JSON.stringify([answers, stored])).not.toMatch(/secret|eyJ/);
  });
});

test('without a client id of the operator nothing is connected: 403, naming the variable and the terms', async () => {
  const off = await startTestWeir({ WEIR_EGRESS_ALLOW: environment['WEIR_EGRESS_ALLOW']! });
  try {
    const other = await createTenant(off);
    const { id } = await other.admin<{ id: string }>('POST', '/v1/organization/providers', { type: 'copilot' });
    const reply = await clientOf(off, other.adminKey)('POST', `/v1/organization/providers/${id}/connection`);
    expect([reply.status, reply.body.error.code]).toEqual([403, 'connection_not_enabled']);
    expect(reply.body.error.message).toMatch(/WEIR_CONNECTIONS.*https:\/\/docs\.github\.com/);
    expect(login.asked).toEqual([]);
  } finally {
    await off.stop();
  }
});

test('only providers of a subscription are connected, and they take no key', async () => {
  const { id } = await tenant.admin<{ id: string }>('POST', '/v1/organization/providers', { type: 'groq' });
  await expect(start(`/v1/organization/providers/${id}/connection`)).rejects.toThrow(/400.*takes a key/);
  await expect(tenant.admin('POST', '/v1/organization/providers', { type: 'copilot', key: 'sk-some' })).rejects.toThrow(
    /400.*takes no key/,
  );
});

test('a call to a provider that is not connected is refused, sends nothing and holds nothing', async () => {
  const path = await addSeat(COPILOT);
  expect(await call()).toMatchObject({ status: 503, code: 'connection_required' });
  COPILOT.wait(login);
  await start(path);
  expect(await call()).toMatchObject({ status: 503, code: 'connection_required' });
  expect(upstream.calls).toEqual([]);
  expect(await booked(weir, tenant)).toEqual([]);
  await expect(read('/v1/organization/providers/prov_00000000000000000000000000000000/connection')).rejects.toThrow(/404/);
});

test('a poll before its time asks nobody; slow_down makes the interval five seconds longer', async () => {
  const path = await addSeat(COPILOT);
  COPILOT.wait(login);
  await start(path);
  expect(await tenant.admin('POST', `${path}/poll`)).toMatchObject({ state: 'pending', interval: 5 });
  expect(login.of(COPILOT.poll)).toEqual([]);

  login.script[COPILOT.poll] = () => [200, { error: 'slow_down' }];
  const slowed = await poll(path);
  expect(slowed).toMatchObject({ state: 'pending', interval: 10 });
  expect(slowed.poll_after! - Date.now() / 1000).toBeGreaterThan(7);
  await Promise.all([tenant.admin('POST', `${path}/poll`), tenant.admin('POST', `${path}/poll`)]);
  expect(login.of(COPILOT.poll)).toHaveLength(1);
});

test('polls at the same moment ask once', async () => {
  const path = await addSeat(COPILOT);
  COPILOT.wait(login);
  await start(path);
  await weir.db.query(`UPDATE connections SET poll_after = now() - interval '1 second'`);
  await Promise.all(Array.from({ length: 8 }, () => tenant.admin('POST', `${path}/poll`)));
  expect(login.of(COPILOT.poll)).toHaveLength(1);
});

test.each([
  ['access_denied', 'denied'],
  ['expired_token', 'expired'],
])('%s: the login is %s, calls are refused, and it can be begun anew', async (error, state) => {
  const path = await addSeat(COPILOT);
  COPILOT.wait(login);
  await start(path);
  login.script[COPILOT.poll] = () => [200, { error }];
  expect(await poll(path)).toMatchObject({ state, last_error: error });
  expect(await poll(path)).toMatchObject({ state });
  expect(login.of(COPILOT.poll)).toHaveLength(1);
  expect(await call()).toMatchObject({ status: 503, code: 'connection_required' });

  COPILOT.wait(login);
  await start(path);
  COPILOT.admit(login);
  expect(await poll(path)).toMatchObject({ state: 'connected' });
  await served();
});

test('a code that nobody entered in time expires without asking', async () => {
  const path = await addSeat(COPILOT);
  COPILOT.wait(login);
  await start(path);
  await weir.db.query('UPDATE connections SET device_expires_at = now()');
  expect(await poll(path)).toMatchObject({ state: 'expired', last_error: 'expired_token' });
  expect(login.of(COPILOT.poll)).toEqual([]);
});

test('a person without a subscription: the login is over, with the reason', async () => {
  const path = await addSeat(COPILOT);
  COPILOT.wait(login);
  await start(path);
  COPILOT.admit(login);
  login.script[COPILOT.renew] = () => [403, { message: 'no access to this feature', error_details: {} }];
  expect(await poll(path)).toMatchObject({ state: 'failed', last_error: 'http_403' });
});

test('a login that cannot be reached or understood fails clearly, and changes nothing', async () => {
  const path = await addSeat(COPILOT);
  login.script[COPILOT.start] = () => [302, {}];
  await expect(start(path)).rejects.toThrow(/502.*upstream_error/);
  await expect(read(path)).rejects.toThrow(/404/);
  COPILOT.wait(login);
  await start(path);
  login.script[COPILOT.poll] = () => [503, 'busy'];
  await expect(poll(path)).rejects.toThrow(/502.*upstream_error/);
  expect(await read(path)).toMatchObject({ state: 'pending' });
  login.script[COPILOT.poll] = () => [200, { access_token: 'x'.repeat(70_000) }];
  await expect(poll(path)).rejects.toThrow(/502.*interrupted/);
});

test('another tenant neither sees, polls, begins nor removes a connection, and its calls do not use it', async () => {
  const path = await connect(COPILOT);
  const other = await createTenant(weir);
  const asked = login.asked.length;
  for (const [method, of] of [
    ['POST', path],
    ['POST', `${path}/poll`],
    ['GET', path],
    ['DELETE', path],
  ] as const) {
    const reply = await clientOf(weir, other.adminKey)(method, of);
    expect([reply.status, reply.body.error.code]).toEqual([404, 'not_found']);
  }
  expect(login.asked).toHaveLength(asked);
  await addSeat(COPILOT, other);
  await expect(
    other.openai.chat.completions.create({ model: 'subscription/some-model', messages: [{ role: 'user', content: 'Hi' }] }),
  ).rejects.toMatchObject({ status: 503, code: 'connection_required' });
  expect(await read(path)).toMatchObject({ state: 'connected' });
});

test('a connection that is removed, or whose provider moves to another origin, is destroyed', async () => {
  const path = await connect(COPILOT);
  await served();
  await tenant.admin('POST', path.replace('/connection', ''), { base_url: `${upstream.baseUrl}/other` });
  expect(await read(path)).toMatchObject({ state: 'connected' });
  await tenant.admin('POST', path.replace('/connection', ''), { base_url: `http://${login.hostPort}` });
  await expect(read(path)).rejects.toThrow(/404/);
  await tenant.admin('POST', path.replace('/connection', ''), { base_url: upstream.baseUrl });
  COPILOT.wait(login);
  await start(path);
  expect(await tenant.admin('DELETE', path)).toMatchObject({ object: 'provider.connection', deleted: true });
  await eventually(async () => (await call()).code === 'connection_required');
  expect(
    (
      await weir.db.query(
        `SELECT FROM connections c JOIN providers p ON p.id = c.provider_id WHERE p.name = 'subscription' AND 'ten_' || replace(c.tenant_id::text, '-', '') = $1`,
        [tenant.id],
      )
    ).rowCount,
  ).toBe(0);
});

test('the vendor says where calls go, if the provider is the vendor itself', async () => {
  const path = await addSeat(COPILOT, tenant, '');
  COPILOT.wait(login);
  await start(path);
  COPILOT.admit(login);
  const exchange = login.script[COPILOT.renew]!;
  login.script[COPILOT.renew] = async (request) => {
    const [status, body] = await exchange(request);
    return [status, { ...(body as object), endpoints: { api: `http://${upstream.hostPort}/subscriptions` } }];
  };
  await poll(path);
  await served();
  expect(upstream.calls.at(-1)!.path).toBe('/subscriptions/chat/completions');
});

test('ChatGPT’s backend is asked for streams and to keep nothing, whatever the client asks', async () => {
  await connect(CHATGPT);
  await served();
  const request = { model: 'subscription/some-model', input: 'Hi', max_output_tokens: 100, store: true };
  const whole = await tenant.openai.responses.create(request);
  expect([whole.output_text, whole.usage?.output_tokens]).toEqual(['Hello', 12]);
  const types: string[] = [];
  for await (const { type } of await tenant.openai.responses.create({ ...request, stream: true })) types.push(type);
  expect(types.at(-1)).toBe('response.completed');
  expect((await booked(weir, tenant)).map(({ status }) => status)).toEqual(['completed', 'completed', 'completed']);
});

test('a provider at an address of its own is not led elsewhere by the vendor', async () => {
  await connect(QWEN);
  await served();
  expect(upstream.calls.at(-1)!.path).toBe('/v1/chat/completions');
});

describe('renewing', () => {
  let second: Weir;
  let home: string;

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'weir-second-'));
    second = await startWeir(
      readConfig(
        {
          DATABASE_URL: weir.databaseUrl,
          WEIR_HOME: home,
          WEIR_ROLES: 'gateway',
          WEIR_PUBLIC_PORT: '0',
          WEIR_ADMIN_PORT: '0',
          WEIR_MASTER_KEY: 'test master key, at least 32 characters',
          WEIR_LOG_LEVEL: 'silent',
          WEIR_LEDGER_TIMEOUT_MS: '5000',
          ...environment,
        },
        home,
      ),
    );
  });

  afterAll(async () => {
    await second.stop(1_000);
    rmSync(home, { recursive: true, force: true });
  });

  /** The vendor answers a renewal only once another process waits for the same. */
  function answerWhenAwaited(): void {
    const answerNow = login.script[QWEN.renew]!;
    login.script[QWEN.renew] = async (request) => {
      await eventually(async () => {
        const { rows } = await weir.db.query(
          `SELECT FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'weir-connections' AND wait_event_type = 'Lock'`,
        );
        return rows.length > 0;
      });
      return answerNow(request);
    };
  }

  test('32 calls at once over two gateways renew a token once, and all are served with it', async () => {
    await connect(QWEN, { lifeSeconds: 20 });
    answerWhenAwaited();
    const asked = login.of(QWEN.renew).length;
    const settled = async (publicUrl: string) => {
      for (;;) {
        const result = await call(publicUrl);
        if (result.code !== 'connection_required' && result.code !== 'model_not_found') return result;
      }
    };
    const urls = Array.from({ length: 32 }, (_, n) => (n % 2 === 0 ? weir.publicUrl : second.publicUrl!));
    const results = await Promise.all(urls.map(settled));
    expect(results.map(({ status }) => status)).toEqual(urls.map(() => 200));
    expect(login.of(QWEN.renew).slice(asked)).toHaveLength(1);
    expect(new Set(authorizations())).toEqual(new Set([`Bearer ${QWEN.token(2)}`]));
  });

  test('a token the provider refuses is replaced once for all, and the calls are served', async () => {
    await connect(QWEN);
    await served();
    await eventually(async () => (await call(second.publicUrl!)).status === 200);
    const [asked, sent] = [login.of(QWEN.renew).length, upstream.calls.length];
    answerWhenAwaited();
    upstream.script = refusing([QWEN.token(1)], answer());
    const urls = Array.from({ length: 16 }, (_, n) => (n % 2 === 0 ? weir.publicUrl : second.publicUrl!));
    const results = await Promise.all(urls.map((url) => call(url)));
    expect(results.map(({ status }) => status)).toEqual(urls.map(() => 200));
    expect(login.of(QWEN.renew).slice(asked)).toHaveLength(1);
    expect(upstream.calls.length - sent).toBeLessThanOrEqual(32);
    expect((await booked(weir, tenant)).every(({ status }) => status === 'completed')).toBe(true);
  });

  test('refused with the new token as well: the connection has expired, and later calls send nothing and hold nothing', async () => {
    const path = await connect(QWEN);
    await served();
    const sent = upstream.calls.length;
    upstream.script = refusing([QWEN.token(1), QWEN.token(2)], answer());
    expect(await call()).toMatchObject({ status: 503, code: 'connection_required', text: expect.stringContaining('expired') });
    expect(upstream.calls.length - sent).toBe(2);
    expect(await read(path)).toMatchObject({ state: 'expired', last_error: 'refused_by_provider' });
    const calls = (await booked(weir, tenant)).length;
    expect(await call()).toMatchObject({ status: 503, code: 'connection_required' });
    expect([upstream.calls.length - sent, (await booked(weir, tenant)).length]).toEqual([2, calls]);
  });

  test('invalid_grant: the connection has expired; nothing is sent', async () => {
    const path = await connect(QWEN, { lifeSeconds: 20 });
    login.script[QWEN.renew] = () => [400, { error: 'invalid_grant', error_description: 'refresh-secret-0' }];
    await eventually(async () => (await call()).text.includes('expired'));
    expect(await read(path)).toMatchObject({ state: 'expired', last_error: 'invalid_grant' });
    expect(upstream.calls).toEqual([]);
    expect(login.of(QWEN.renew).filter(({ fields }) => fields['grant_type'] === 'refresh_token')).toHaveLength(1);
  });

  test('a vendor that gives no refresh token: the connection ends with its token', async () => {
    const path = await addSeat(QWEN);
    QWEN.wait(login);
    await start(path);
    login.script[QWEN.poll] = () => [200, { access_token: QWEN.token(1), expires_in: 20 }];
    expect(await poll(path)).toMatchObject({ state: 'connected' });
    await eventually(async () => (await call()).text.includes('expired'));
    expect(await read(path)).toMatchObject({ state: 'expired', last_error: 'no_refresh_token' });
    expect(upstream.calls).toEqual([]);
  });

  test('a vendor that fails for a while: calls are served with the token there is, then refused to be tried again, and go on after', async () => {
    const path = await connect(QWEN, { lifeSeconds: 20 });
    const healthy = login.script[QWEN.renew]!;
    login.script[QWEN.renew] = () => [500, 'down'];
    await served();
    expect(authorizations()).toEqual([`Bearer ${QWEN.token(1)}`]);
    upstream.script = refusing([QWEN.token(1)], answer());
    expect(await call()).toMatchObject({ status: 502, code: 'upstream_error' });
    expect(await read(path)).toMatchObject({ state: 'connected' });
    login.script[QWEN.renew] = healthy;
    expect(await call()).toMatchObject({ status: 200 });
  });

  test("tokens put into another tenant's connection cannot be opened there: 503, and nothing is sent", async () => {
    const theirs = await connect(QWEN);
    tenant = await createTenant(weir);
    const path = await connect(QWEN);
    await served();
    const idOf = (connection: ConnectionBody) => connection.id.slice('conn_'.length);
    const [to, from] = [idOf(await read(path)), await weir.db.query('SELECT id FROM connections ORDER BY id DESC OFFSET 1 LIMIT 1')];
    expect(theirs).not.toBe(path);
    await weir.db.query(
      'UPDATE connections c SET access_token = o.access_token, refresh_token = o.refresh_token FROM connections o WHERE c.id = $1::uuid AND o.id = $2',
      [to, from.rows[0].id],
    );
    await eventually(async () => (await call()).code === 'credential_unavailable');
    const sent = upstream.calls.length;
    expect(await call()).toMatchObject({ status: 503, code: 'credential_unavailable' });
    expect(upstream.calls).toHaveLength(sent);
  });

  test('a connection whose tokens cannot be opened: 503, and nothing is sent', async () => {
    await connect(QWEN);
    await served();
    const sent = upstream.calls.length;
    await weir.db.query(
      'UPDATE connections SET access_token = set_byte(access_token, 40, get_byte(access_token, 40) # 1), refresh_token = set_byte(refresh_token, 40, get_byte(refresh_token, 40) # 1) WHERE access_token IS NOT NULL',
    );
    await eventually(async () => (await call()).code === 'credential_unavailable');
    expect((await call()).status).toBe(503);
    expect(upstream.calls.length).toBeGreaterThanOrEqual(sent);
  });
});
