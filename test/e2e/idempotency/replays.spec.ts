import { IdempotencyRepository } from '../../../src/idempotency/idempotency.repository.js';
import { createPool } from '../../../src/platform/postgres/index.js';
import { CALLS, type SurfaceRow, send } from '../../attacks/support/surfaces.js';
import { moveClock } from '../../support/clock.js';
import { brokenInvariants } from '../../support/ledger.js';
import { answer, chunk, delta, json, ScriptedUpstream, stream, USAGE } from '../../support/upstream.js';
import { addUpstream, admin, booked, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';

const CHAT = CALLS.find(({ path }) => path === '/v1/chat/completions')!;
const MiB = 1024 * 1024;
const EMBEDDINGS = {
  object: 'list',
  model: 'test-model',
  data: [{ object: 'embedding', index: 0, embedding: [0.1, 0.2, 0.3] }],
  usage: { prompt_tokens: 3, total_tokens: 3 },
};

let weir: TestWeir;
let upstream: ScriptedUpstream;
let tenant: TestTenant;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort });
});

beforeEach(async () => {
  tenant = await createTenant(weir);
  await addUpstream(tenant, upstream.baseUrl);
  upstream.script = answer();
  upstream.calls.length = 0;
});

afterEach(async () => {
  expect(await brokenInvariants(weir.db)).toEqual([]);
});

afterAll(async () => {
  await weir.stop();
  await upstream.stop();
});

interface Got {
  status: number;
  headers: Record<string, string>;
  bytes: Buffer;
  code: string | undefined;
}

async function call(
  key: string | null,
  {
    surface = CHAT,
    body,
    headers = {},
    apiKey = tenant.apiKey,
  }: { surface?: SurfaceRow; body?: object; headers?: Record<string, string>; apiKey?: string } = {},
): Promise<Got> {
  const asked = key === null ? headers : { 'idempotency-key': key, ...headers };
  const response = await send({ publicUrl: weir.publicUrl, apiKey }, surface, body ?? surface.body('up/test-model'), asked);
  const bytes = Buffer.from(await response.arrayBuffer());
  const code = response.ok ? undefined : JSON.parse(bytes.toString()).error.code;
  return { status: response.status, headers: Object.fromEntries(response.headers), bytes, code };
}

/** All but what is of the connection, and the moment. */
function headOf({ headers }: Got): Record<string, string> {
  const { 'x-weir-replayed': _replayed, date: _date, connection: _connection, 'keep-alive': _keepAlive, ...head } = headers;
  return head;
}

const SHAPES = CALLS.flatMap((surface) => (surface.streams ? [false, true] : [false]).map((streams) => [surface, streams] as const));

test.each(SHAPES.map(([surface, streams]) => [`${surface.path}, ${streams ? 'stream' : 'whole'}`, surface, streams] as const))(
  'a repeat gets the same bytes and costs nothing: %s',
  async (_name, surface, streams) => {
    if (surface.path === '/v1/embeddings') upstream.script = json(200, EMBEDDINGS);
    const body = surface.body('up/test-model', 'Hello', streams ? { stream: true } : {});
    const first = await call('a', { surface, body });
    const second = await call('a', { surface, body });
    expect(first.status).toBe(200);
    expect(second.status).toBe(200);
    expect(second.bytes.equals(first.bytes)).toBe(true);
    expect(headOf(second)).toEqual(headOf(first));
    expect(first.headers['x-weir-replayed']).toBeUndefined();
    expect(second.headers['x-weir-replayed']).toBe('true');
    expect(upstream.calls).toHaveLength(1);
    expect(await booked(weir, tenant)).toMatchObject([{ id: first.headers['x-request-id'], status: 'completed' }]);
  },
);

test('the kept answer is sealed, and of the key there is a digest only', async () => {
  upstream.script = answer('Nobody reads this at rest');
  await call('order-of-alice');
  const { rows } = await weir.db.query<{ text: string }>(
    `SELECT encode(i.answer, 'escape') || encode(i.id, 'escape') AS text FROM idempotent_calls i`,
  );
  expect(rows.length).toBeGreaterThan(0);
  for (const { text } of rows) expect(text).not.toMatch(/Nobody|alice|chat\.completion/);
});

test('a key belongs to an API key and an endpoint', async () => {
  const { value } = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
    name: 'other',
  });
  await eventually(async () => (await call(null, { apiKey: value })).status === 200);
  upstream.calls.length = 0;
  const messages = CALLS.find(({ path }) => path === '/v1/messages')!;
  for (const one of [call('a'), call('a', { apiKey: value }), call('a', { surface: messages })]) expect((await one).status).toBe(200);
  expect(upstream.calls).toHaveLength(3);
});

test.each([
  ['another body', { body: CHAT.body('up/test-model', 'Bye') }],
  ['another spelling of the body', { body: `${JSON.stringify(CHAT.body('up/test-model'))} ` as unknown as object }],
  ['a cost limit', { headers: { 'x-weir-max-cost': '1' } }],
  ['other tags', { headers: { 'x-weir-tags': 'a' } }],
  ['a thinking level', { headers: { 'x-weir-thinking-level': 'low' } }],
  ["a beta of Anthropic's", { headers: { 'anthropic-beta': 'b' } }],
  ['an option of an AI Gateway', { headers: { 'cf-aig-skip-cache': 'true' } }],
])('the same key with %s is refused', async (_name, other) => {
  await call('a');
  const { status, code, headers } = await call('a', other);
  expect([status, code, headers['x-should-retry']]).toEqual([422, 'idempotency_mismatch', 'false']);
  expect(upstream.calls).toHaveLength(1);
});

test.each([false, true])(
  'a client that leaves gets the answer that its provider was read on for when it asks again; stream: %s',
  async (isStream) => {
    let release = () => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    upstream.script = async (seen, response) => {
      if (isStream) {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.write(delta({ role: 'assistant', content: 'first ' }));
      }
      await released;
      if (!isStream) return answer('first and last')(seen, response);
      response.write(delta({ content: 'and last' }));
      response.write(delta({}, 'stop'));
      response.end(`${chunk({ choices: [], usage: USAGE })}data: [DONE]\n\n`);
    };
    const body = CHAT.body('up/test-model', 'Hello', { stream: isStream });
    const leaving = new AbortController();
    const gone = fetch(`${weir.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      signal: leaving.signal,
      headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', 'idempotency-key': 'left' },
      body: JSON.stringify(body),
    })
      .then((response) => response.text())
      .catch(() => 'left');
    await upstream.received(1);
    leaving.abort();
    expect(await gone).toBe('left');
    expect((await call('left', { body })).code).toBe('idempotency_in_progress');
    release();
    await eventually(async () => (await booked(weir, tenant)).length === 1);
    await eventually(async () => (await call('left', { body })).status === 200);
    const again = await call('left', { body });
    expect(again.headers['x-weir-replayed']).toBe('true');
    expect(again.bytes.toString()).toContain('and last');
    expect(upstream.calls).toHaveLength(1);
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed' }]);
  },
);

test('headers that change nothing of the call may differ', async () => {
  const first = await call('a', { headers: { 'X-Weir-Tags': 'a', 'user-agent': 'one' } });
  const second = await call('a', { headers: { 'x-weir-tags': 'a', 'user-agent': 'two', via: '1.1 proxy' } });
  expect(second.bytes.equals(first.bytes)).toBe(true);
});

test('while the call runs a repeat is told to wait, and of many at once one runs', async () => {
  let end: () => void = () => {};
  const ended = new Promise<void>((resolve) => (end = resolve));
  upstream.script = async (seen, response) => {
    await ended;
    await answer()(seen, response);
  };
  const late: Got[] = [];
  const many = Array.from({ length: 20 }, async () => {
    const got = await call('a');
    late.push(got);
    return got;
  });
  await eventually(async () => late.length === 19);
  const [one] = late;
  expect([one!.status, one!.code, one!.headers['retry-after'], one!.headers['x-should-retry']]).toEqual([
    409,
    'idempotency_in_progress',
    '1',
    'true',
  ]);
  await upstream.received(1);
  end();
  const all = await Promise.all(many);
  expect(all.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(all.filter(({ code }) => code === 'idempotency_in_progress')).toHaveLength(19);
  expect((await call('a')).headers['x-weir-replayed']).toBe('true');
  expect(upstream.calls).toHaveLength(1);
});

test.each([
  ['a refusal', json(400, { error: { message: 'no' } }), false],
  ['a failure', json(500, { error: { message: 'no' } }), false],
  ['a stream that is cut', stream([delta({ content: 'half' })], 'reset'), true],
])('%s frees the key', async (_name, script, streams) => {
  const body = CHAT.body('up/test-model', 'Hello', streams ? { stream: true } : {});
  upstream.script = script;
  await call('a', { body }).catch(() => {});
  upstream.script = answer();
  await eventually(async () => {
    const { status, headers } = await call('a', { body });
    return status === 200 && headers['x-weir-replayed'] === undefined;
  });
  expect(upstream.calls).toHaveLength(2);
});

test('a call that is refused before it is sent frees the key, for another body as well', async () => {
  const refused = await call('a', { headers: { 'x-weir-max-cost': '0.000000001' } });
  expect(refused.code).toBe('cost_limit_exceeded');
  await eventually(async () => (await call('a')).status === 200);
});

test.each([false, true])('an answer of more than 4 MiB is given once, and its key is spent (stream: %s)', async (streams) => {
  upstream.script = answer('x'.repeat(4 * MiB));
  const body = { ...CHAT.body('up/test-model', 'Hello'), max_tokens: 4_000_000, ...(streams && { stream: true }) };
  const first = await call('a', { body });
  expect([first.status, first.bytes.length > 4 * MiB]).toEqual([200, true]);
  const { status, code, headers } = await call('a', { body });
  expect([status, code, headers['x-should-retry']]).toEqual([409, 'idempotency_spent', 'false']);
  expect(upstream.calls).toHaveLength(1);
});

/** As the worker does. */
async function purge(): Promise<void> {
  const pool = createPool(weir.databaseUrl, { max: 1, statementTimeoutMs: 10_000, name: 'test' });
  await new IdempotencyRepository(pool, { timeouts: { ledgerMs: 5_000 } as never }).purge(10_000);
  await pool.end();
}

const operator = (method: string, path: string, body?: object) =>
  admin(weir, weir.operatorKey, method, `/v1/platform/tenants/${tenant.id}${path}`, body);

/** Bytes of the tenant's answers, as they are counted and as they are. */
const bytesOf = async (): Promise<bigint[]> => {
  const { rows } = await weir.db.query<{ total: bigint; sum: bigint }>(
    `SELECT t.bytes AS total, (SELECT coalesce(sum(octet_length(i.answer)), 0) FROM idempotent_calls i WHERE i.tenant_id = t.tenant_id)::bigint AS sum
     FROM kept_answer_totals t WHERE 'ten_' || replace(t.tenant_id::text, '-', '') = $1`,
    [tenant.id],
  );
  return [rows[0]!.total, rows[0]!.sum];
};

test('answers of more than 256 MiB in all are not kept; what is kept is counted exactly, also of many at once', async () => {
  await Promise.all(Array.from({ length: 20 }, (_, n) => call(`k${n}`)));
  const [total, sum] = await bytesOf();
  expect(total).toBe(sum);
  const one = total! / 20n;
  await weir.db.query(`UPDATE kept_answer_totals SET bytes = $1 WHERE 'ten_' || replace(tenant_id::text, '-', '') = $2`, [
    BigInt(256 * MiB) - 2n * one - one / 2n,
    tenant.id,
  ]);
  await Promise.all(Array.from({ length: 10 }, (_, n) => call(`more${n}`)));
  const again = await Promise.all(Array.from({ length: 10 }, (_, n) => call(`more${n}`)));
  expect(again.filter(({ headers }) => headers['x-weir-replayed'])).toHaveLength(2);
  expect(again.filter(({ code }) => code === 'idempotency_spent')).toHaveLength(8);
});

test('a tenant that keeps no answers is charged once all the same', async () => {
  expect((await call('before')).status).toBe(200);
  const settings = await tenant.admin('POST', '/v1/organization/settings', { keep_answers: false });
  expect(settings).toEqual({ object: 'settings', keep_answers: false, default_model: null });
  expect(await tenant.admin('GET', '/v1/organization/settings')).toEqual(settings);
  await eventually(async () => (await call('before')).code === 'idempotency_spent');
  expect((await call('a')).status).toBe(200);
  expect((await call('a')).code).toBe('idempotency_spent');
  await purge();
  expect(await bytesOf()).toEqual([0n, 0n]);
  expect((await call('before')).code).toBe('idempotency_spent');
  expect(upstream.calls).toHaveLength(2);
});

test('a replay needs a key that is alive and may use the model', async () => {
  await call('a');
  const allow = (models: string[]) =>
    weir.db.query(`UPDATE api_keys SET models = $1 WHERE 'key_' || replace(id::text, '-', '') = $2`, [models, tenant.keyId]);
  await allow(['up/other/model']);
  await eventually(async () => (await call('a')).code === 'model_not_allowed');
  await allow(['*']);
  await eventually(async () => (await call('a')).headers['x-weir-replayed'] === 'true');
  await tenant.admin('DELETE', `/v1/organization/projects/${tenant.projectId}/api_keys/${tenant.keyId}`);
  await eventually(async () => (await call('a')).code === 'invalid_api_key');
});

test.each([
  ['nothing', ''],
  ['256 characters', 'k'.repeat(256)],
  ['what is not ASCII', 'clé'],
])('a key of %s is refused with a sentence that says what it must be', async (_name, key) => {
  const { status, bytes } = await call(key);
  expect(status).toBe(400);
  expect(bytes.toString()).toContain('The header \\"Idempotency-Key\\" must be 1 to 255 printable ASCII characters.');
});

test('a key of 255 characters with blanks is taken', async () => {
  const key = `a ${'~'.repeat(253)}`;
  await call(key);
  expect((await call(key)).headers['x-weir-replayed']).toBe('true');
});

test('the header changes nothing where no call is made', async () => {
  const list = await send({ publicUrl: weir.publicUrl, apiKey: tenant.apiKey }, { method: 'GET', path: '/v1/models' }, undefined, {
    'idempotency-key': 'a',
  });
  expect(list.status).toBe(200);
  const count = { method: 'POST' as const, path: '/v1/messages/count_tokens' };
  for (let n = 0; n < 2; n++) {
    const counted = await send({ publicUrl: weir.publicUrl, apiKey: tenant.apiKey }, count, CHAT.body('up/test-model'), {
      'idempotency-key': 'a',
    });
    expect([counted.status, counted.headers.get('x-weir-replayed')]).toEqual([200, null]);
  }
});

test('a key is forgotten after 24 hours, and its bytes with it', async () => {
  await call('a');
  await moveClock(weir.db, '23 hours 59 minutes');
  await purge();
  expect((await call('a')).headers['x-weir-replayed']).toBe('true');
  await moveClock(weir.db, '24 hours 1 minute');
  expect((await call('a')).headers['x-weir-replayed']).toBeUndefined();
  expect(await bytesOf().then(([total, sum]) => total === sum)).toBe(true);
  await moveClock(weir.db, '49 hours');
  await purge();
  expect(await bytesOf()).toEqual([0n, 0n]);
  await moveClock(weir.db, '0 hours');
});

test('the keys and answers of a tenant that is deleted are gone', async () => {
  await call('a');
  await operator('POST', `/suspend`);
  await operator('DELETE', '');
  const { rows } = await weir.db.query(
    `SELECT 1 FROM idempotent_calls WHERE 'ten_' || replace(tenant_id::text, '-', '') = $1
    UNION ALL SELECT 1 FROM kept_answer_totals WHERE 'ten_' || replace(tenant_id::text, '-', '') = $1`,
    [tenant.id],
  );
  expect(rows).toEqual([]);
}, 20_000);

test('a call without the header asks Postgres for nothing more', async () => {
  await call(null);
  const { rows } = await weir.db.query(`SELECT 1 FROM idempotent_calls WHERE 'ten_' || replace(tenant_id::text, '-', '') = $1`, [
    tenant.id,
  ]);
  expect(rows).toEqual([]);
});
