import { Keyring } from '../../src/platform/crypto/index.js';
import { createPool, Prisma, sqlFunction } from '../../src/platform/postgres/index.js';
import { createLogger } from '../../src/platform/telemetry/index.js';
import { TenantDeletion, TenantsRepository } from '../../src/tenants/index.js';
import { clientOf, type Send } from '../e2e/admin/client.js';
import { ROUTES } from '../e2e/admin/routes.js';
import { brokenInvariants } from '../support/ledger.js';
import { answer, chunk, delta, USAGE } from '../support/upstream.js';
import { addUpstream, booked, createTenant, eventually, type TestTenant } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';
import { CONVERSATIONS, SURFACES, send } from './support/surfaces.js';

const MASTER_KEYS = { current: 'test master key, at least 32 characters', previous: null };
/** How long an operator's word may take to hold. */
const IN_FORCE_MS = 1_000;

const { weir, upstream } = withWeir({ tenant: 'none' });
let operator: Send;

beforeAll(async () => {
  operator = clientOf(weir, weir.operatorKey);
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

const statusOf = async ({ apiKey }: TestTenant) => (await fetch(`${weir.publicUrl}/v1/key`, { headers: { 'x-api-key': apiKey } })).status;
const CHAT = CONVERSATIONS[0]!;
const suspend = (tenant: TestTenant) => operator('POST', `/v1/platform/tenants/${tenant.id}/suspend`);
const resume = (tenant: TestTenant) => operator('POST', `/v1/platform/tenants/${tenant.id}/resume`);

describe('a suspended tenant', () => {
  test('is refused on every endpoint within a second, and its call in flight ends and is booked', async () => {
    const tenant = await createTenant(weir);
    await addUpstream(tenant, upstream.baseUrl);
    let finish = () => {};
    upstream.script = async (call, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(delta({ role: 'assistant', content: 'before' }));
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      call.billed = USAGE;
      response.end(`${delta({ content: ' after' }, 'stop')}${chunk({ choices: [], usage: USAGE })}data: [DONE]\n\n`);
    };
    const stream = await tenant.openai.chat.completions.create({
      model: 'up/test-model',
      messages: [{ role: 'user', content: 'Hello' }],
      stream: true,
    });
    const pieces = stream[Symbol.asyncIterator]();
    await pieces.next();

    expect((await suspend(tenant)).status).toBe(200);
    await eventually(async () => (await statusOf(tenant)) === 403, IN_FORCE_MS);
    for (const surface of SURFACES) {
      const response = await send({ publicUrl: weir.publicUrl, apiKey: tenant.apiKey }, surface, surface.body('up/test-model'));
      expect([surface.route, response.status, await response.text()]).toEqual([
        surface.route,
        403,
        expect.stringContaining('is suspended'),
      ]);
    }

    finish();
    let text = '';
    for (let piece = await pieces.next(); !piece.done; piece = await pieces.next()) text += piece.value.choices[0]?.delta.content ?? '';
    expect(text).toBe(' after');
    await eventually(async () => (await booked(weir, tenant)).length === 1);
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', estimated: false, output: USAGE.completion_tokens }]);
  });

  test('has admins who may read and change nothing, and works again once it is resumed', async () => {
    const tenant = await createTenant(weir);
    const admin = clientOf(weir, tenant.adminKey);
    await suspend(tenant);
    expect((await admin('GET', '/v1/organization/budgets')).status).toBe(200);
    const refused = await admin('POST', '/v1/organization/projects', { name: 'new' });
    expect([refused.status, refused.body.error.code]).toEqual([403, 'tenant_suspended']);
    expect((await operator('POST', '/v1/organization/projects', { name: 'new' }, { 'x-weir-tenant': tenant.id })).status).toBe(200);

    const { body } = await operator('GET', `/v1/platform/tenants/${tenant.id}`);
    expect(body).toMatchObject({ suspended_at: expect.any(Number) });
    expect((await suspend(tenant)).body).toEqual(body);

    expect((await resume(tenant)).body).toMatchObject({ suspended_at: null });
    expect((await resume(tenant)).status).toBe(200);
    await eventually(async () => (await statusOf(tenant)) === 200, IN_FORCE_MS);
    expect((await admin('POST', '/v1/organization/projects', { name: 'newer' })).status).toBe(200);
  });

  test('leaves a trace of who suspended and who resumed it', async () => {
    const tenant = await createTenant(weir);
    await suspend(tenant);
    await suspend(tenant);
    await resume(tenant);
    const { rows } = await weir.db.query(
      `SELECT kind, payload ->> 'actor' AS actor FROM outbox WHERE 'ten_' || replace(tenant_id::text, '-', '') = $1 AND kind LIKE 'tenant.%' ORDER BY id`,
      [tenant.id],
    );
    expect(rows).toEqual([
      { kind: 'tenant.suspended', actor: expect.stringMatching(/^akey_/) },
      { kind: 'tenant.resumed', actor: expect.stringMatching(/^akey_/) },
    ]);
  });

  test('cannot be suspended or resumed by its own admin', async () => {
    const tenant = await createTenant(weir);
    const admin = clientOf(weir, tenant.adminKey);
    await suspend(tenant);
    for (const verb of ['suspend', 'resume']) {
      expect((await admin('POST', `/v1/platform/tenants/${tenant.id}/${verb}`)).status).toBe(403);
    }
    expect((await operator('POST', `/v1/platform/tenants/ten_${'0'.repeat(32)}/suspend`)).status).toBe(404);
  });
});

describe('a deleted tenant', () => {
  /** Texts of the tenant's own that may name a person. Each must be gone afterwards, wherever it was. */
  const PERSONAL = ['Ann Example', 'ann@example.com', 'ann-session', 'ann-tag', 'ann-scope', 'ann-note'];

  /** A tenant with a row in every place that can hold one of them. */
  async function furnished(): Promise<{ tenant: TestTenant; uuid: string; ids: Record<string, string> }> {
    const made = await operator('POST', '/v1/platform/tenants', {
      name: 'Ann Example',
      external_id: `ann@example.com ${Math.random()}`,
      metadata: { owner: 'Ann Example' },
    });
    const adminKey = (made.body as unknown as { admin_key: string }).admin_key;
    const admin = clientOf(weir, adminKey);
    const create = async (path: string, body: object) => {
      const { status, body: reply } = await admin('POST', path, body);
      expect([path, status, reply]).toEqual([path, 200, expect.anything()]);
      return reply;
    };
    const labels = { external_id: 'ann@example.com', metadata: { owner: 'Ann Example' } };
    const project = await create('/v1/organization/projects', { name: 'Ann Example', ...labels });
    const key = await create(`/v1/organization/projects/${project.id}/api_keys`, { name: 'Ann Example' });
    await create(`/v1/organization/projects/${project.id}/api_keys/${key.id}/rotate`, { overlap_seconds: 600 });
    await create('/v1/organization/admin_api_keys', { name: 'Ann Example' });
    await create('/v1/organization/prices', { provider: 'up', model: '*', input: '1', output: '2', notes: 'ann-note' });
    const provider = await create('/v1/organization/providers', {
      name: 'up',
      type: 'openai',
      base_url: upstream.baseUrl,
      key: 'sk-of-ann',
      headers: { 'x-owner': 'Ann Example' },
      models: ['test-model'],
    });
    await create('/v1/organization/models', { provider: 'up', model: 'test-model', vision: false });
    for (const kind of ['end_user', 'session', 'tag', 'scope']) {
      await create('/v1/organization/budgets', {
        scope: { kind, value: '*' },
        limit: '1.00',
        period: 'lifetime',
        thresholds: [1],
        ...labels,
      });
      await create('/v1/organization/rate_limits', { scope: { kind, value: '*' }, max_concurrent_requests: 9, ...labels });
    }
    const budget = await create('/v1/organization/budgets', {
      scope: { kind: 'end_user', value: 'Ann Example' },
      limit: '1.00',
      period: 'month',
    });
    await create(`/v1/organization/budgets/${budget.id}/grants`, { amount: '1.00', reason: 'ann-note' });
    const uuid = made.body.id.replace(/^ten_(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
    const tenant = { id: made.body.id, adminKey, apiKey: key.value } as TestTenant;

    upstream.script = answer('hi', USAGE);
    const call = () =>
      fetch(`${weir.publicUrl}/v1/chat/completions`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-api-key': key.value,
          'x-weir-session': 'ann-session',
          'x-weir-tags': 'ann-tag',
          'x-weir-scope': 'ann-scope',
        },
        body: JSON.stringify({
          model: 'up/test-model',
          user: 'Ann Example',
          messages: [{ role: 'user', content: 'Hello' }],
          max_tokens: 20,
        }),
      });
    await eventually(async () => (await call()).status === 200);
    await create(`/v1/organization/budgets/${budget.id}/reset`, { reason: 'ann-note' });
    await create('/v1/organization/prices', { provider: 'up', model: '*', input: '2', output: '2', effective_at: '2020-01-01T00:00:00Z' });
    return { tenant, uuid, ids: { project: project.id, key: key.id, provider: provider.id, budget: budget.id } };
  }

  /** Tables with a row in which one of these texts is. */
  async function tablesWith(texts: string[]): Promise<string[]> {
    const { rows } = await weir.db.query<{ name: string }>(
      `SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition`,
    );
    const found: string[] = [];
    for (const { name } of rows) {
      const { rowCount } = await weir.db.query(
        `SELECT FROM ${name} t WHERE EXISTS (SELECT FROM unnest($1::text[]) AS s (text) WHERE t::text LIKE '%' || s.text || '%') LIMIT 1`,
        [texts],
      );
      if (rowCount) found.push(name);
    }
    return found.sort();
  }

  const remove = ({ id }: Pick<TestTenant, 'id'>) => operator('DELETE', `/v1/platform/tenants/${id}`);
  const count = async (text: string, values: unknown[]) => Number((await weir.db.query(text, values)).rows[0].count);

  test('was suspended first, and keeps its ledger and nothing that names a person or opens a secret', async () => {
    const { tenant, uuid, ids } = await furnished();
    const early = await remove(tenant);
    expect([early.status, early.body.error.code]).toEqual([409, 'not_suspended']);
    expect((await tablesWith(PERSONAL)).length).toBeGreaterThan(10);
    const ledger = () =>
      weir.db.query(
        'SELECT call_id, kind, amount, provider, model, units, quantities FROM ledger_entries WHERE tenant_id = $1 ORDER BY call_id, kind',
        [uuid],
      );
    const { rows: before } = await ledger();
    expect(before.length).toBeGreaterThan(1);

    await suspend(tenant);
    for (let round = 0; round < 2; round++) {
      expect((await remove(tenant)).body).toEqual({ id: tenant.id, object: 'tenant', deleted: true });
    }
    expect(await tablesWith(PERSONAL)).toEqual([]);
    expect((await ledger()).rows).toEqual(before);
    for (const table of [
      'credentials',
      'credential_health',
      'credential_model_health',
      'target_health',
      'provider_headers',
      'connections',
      'provider_grants',
      'models',
      'limit_counters',
    ]) {
      expect([table, await count(`SELECT count(*) FROM ${table} WHERE tenant_id = $1`, [uuid])]).toEqual([table, 0]);
    }
    expect(await count(`SELECT count(*) FROM data_keys WHERE purpose = 'tenant:' || $1::text`, [uuid])).toBe(0);
    expect(
      await count(
        `SELECT count(*) FROM (SELECT id FROM api_keys WHERE tenant_id = $1 AND (revoked_at IS NULL OR digest <> '') UNION ALL
      SELECT id FROM admin_keys WHERE tenant_id = $1 AND (revoked_at IS NULL OR digest <> '')) k`,
        [uuid],
      ),
    ).toBe(0);
    // No period of it is rolled, stated or told of any more.
    expect(
      await count('SELECT count(*) FROM budget_periods WHERE tenant_id = $1 AND (closed_at IS NULL OR opened_at IS NULL OR NOT stated)', [
        uuid,
      ]),
    ).toBe(0);
    expect((await weir.db.query('SELECT kind FROM outbox WHERE tenant_id = $1 ORDER BY id', [uuid])).rows.map(({ kind }) => kind)).toEqual([
      'tenant.suspended',
      'tenant.deleted',
    ]);

    // Its keys, its routes, and what names it elsewhere.
    await eventually(async () => (await statusOf(tenant)) === 401, IN_FORCE_MS);
    expect((await clientOf(weir, tenant.adminKey)('GET', '/v1/organization/budgets')).status).toBe(401);
    const inside = { 'x-weir-tenant': tenant.id };
    for (const { method, path, audience } of ROUTES.filter((route) => route.audience === 'tenant')) {
      const filled = path.replace('{project_id}', ids['project']!).replace(/\{\w+\}/g, ids['budget']!);
      const { status, body } = await operator(method, filled, method === 'GET' ? undefined : {}, inside);
      const readsLedger = /^\/v1\/organization\/(calls|costs|usage)/.test(path);
      if (readsLedger) expect([path, status]).not.toEqual([path, 410]);
      else expect([audience, method, path, status, body.error.code]).toEqual([audience, method, path, 410, 'tenant_deleted']);
    }
    expect(
      (await operator('GET', `/v1/organization/costs?start_time=${Math.floor(Date.now() / 1000) - 3_600}`, undefined, inside)).status,
    ).toBe(200);
    for (const [method, path, body] of [
      ['GET', ''],
      ['POST', '', { name: 'back' }],
      ['POST', '/suspend'],
      ['POST', '/resume'],
    ] as const) {
      expect([path, (await operator(method, `/v1/platform/tenants/${tenant.id}${path}`, body)).status]).toEqual([path, 410]);
    }
    const { body: list } = await operator('GET', '/v1/platform/tenants?limit=100');
    expect(list.data.map(({ id }) => id)).not.toContain(tenant.id);
    const { body: lent } = await operator('POST', '/v1/platform/credentials', {
      type: 'openai',
      name: 'lent',
      base_url: upstream.baseUrl,
      key: 'sk',
    });
    expect((await operator('POST', `/v1/platform/credentials/${lent.id}/grants`, { tenant: tenant.id })).status).toBe(410);
  });

  test('lets its calls in flight end first, and each is booked', async () => {
    const { tenant, uuid } = await furnished();
    let finish = () => {};
    upstream.script = async (call, response) => {
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
      await answer('late', USAGE)(call, response);
    };
    const received = upstream.calls.length;
    const call = send({ publicUrl: weir.publicUrl, apiKey: tenant.apiKey }, CHAT, CHAT.body('up/test-model'));
    await upstream.received(received + 1);
    await suspend(tenant);
    const refused = await remove(tenant);
    expect([refused.status, refused.body.error.code, refused.headers.get('retry-after')]).toEqual([409, 'calls_in_flight', '5']);
    expect((await weir.db.query('SELECT deleted_at, name FROM tenants WHERE id = $1', [uuid])).rows).toEqual([
      { deleted_at: null, name: 'Ann Example' },
    ]);
    finish();
    expect((await call).status).toBe(200);
    const calls = () => count('SELECT count(*) FROM calls WHERE tenant_id = $1', [uuid]);
    await eventually(async () => (await calls()) === 2);
    expect((await remove(tenant)).status).toBe(200);
    expect(await calls()).toBe(2);
  });

  const finishers: Record<string, (tenant: TestTenant) => Promise<unknown>> = {
    'a worker': async () => {
      const pool = createPool(weir.databaseUrl, { max: 2, statementTimeoutMs: 10_000, name: 'test' });
      const prisma = new Prisma(pool);
      const log = createLogger('silent');
      await new TenantDeletion(new TenantsRepository(prisma), await Keyring.open(pool, MASTER_KEYS, log), log).eraseAll(10_000);
      await prisma.$disconnect();
      await pool.end();
    },
    'who asks again': (tenant) => remove(tenant),
  };
  test.each(Object.keys(finishers))('whose deletion a process did not live to finish is finished by %s', async (finisher) => {
    const { tenant, uuid } = await furnished();
    await suspend(tenant);
    await weir.db.query(`UPDATE tenants SET suspended_at = now() - interval '1 hour' WHERE id = $1`, [uuid]);
    // The first thing a process does; then it ended.
    const owner = await weir.db.connect();
    await owner.query(`SELECT set_config('weir.tenant', '*', false)`);
    expect((await owner.query(`SELECT ${sqlFunction('delete_tenant')}($1, 'akey_1') AS became`, [uuid])).rows).toEqual([
      { became: 'deleted' },
    ]);
    owner.release(true);
    expect(await tablesWith(PERSONAL)).toEqual(['calls', 'holds']);
    await finishers[finisher]!(tenant);
    expect(await tablesWith(PERSONAL)).toEqual([]);
    expect(await count('SELECT count(*) FROM tenants WHERE id = $1 AND erased_at IS NOT NULL', [uuid])).toBe(1);
  });
});
