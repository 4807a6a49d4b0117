import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import type { Pool } from 'pg';
import { createDatabase, openPool, type TestDatabase } from '../support/database.js';
import { brokenInvariants } from '../support/ledger.js';
import { WeirProcess } from '../support/process.js';
import { answer, delta, hang, ScriptedUpstream, stream } from '../support/upstream.js';
import { addUpstream, booked, createTenant, eventually, type TestTenant, type TestWeir } from '../support/weir.js';

const REQUEST = { model: 'up/test-model', messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 100 };

let upstream: ScriptedUpstream;
let database: TestDatabase;
let db: Pool;
let home: string;
let environment: Record<string, string>;
let gateway: WeirProcess;
let weir: TestWeir;
let tenant: TestTenant;

beforeEach(async () => {
  upstream = await ScriptedUpstream.start();
  database = await createDatabase();
  db = openPool(database.url);
  home = mkdtempSync(join(tmpdir(), 'weir-kill-'));
  environment = {
    DATABASE_URL: database.url,
    WEIR_HOME: home,
    WEIR_EGRESS_ALLOW: upstream.hostPort,
    WEIR_MASTER_KEY: 'test master key, at least 32 characters',
  };
  gateway = WeirProcess.spawn(environment);
  const ready = await gateway.ready();
  weir = {
    publicUrl: ready.public,
    adminUrl: ready.admin,
    operatorKey: ready.operator_key!,
    db,
    databaseUrl: database.url,
    stop: async () => {},
  };
  tenant = await createTenant(weir);
  await addUpstream(tenant, upstream.baseUrl);
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1.00', period: 'month' });
});

afterEach(async () => {
  await WeirProcess.endAll();
  const broken = await brokenInvariants(db);
  await db.end();
  await database.drop();
  await upstream.stop();
  rmSync(home, { recursive: true, force: true });
  expect(broken).toEqual([]);
});

const held = async () => (await db.query<{ held: bigint }>('SELECT sum(held)::bigint AS held FROM budget_periods')).rows[0]!.held;

test('kill -9 in mid-stream: after the restart the hold is resolved and the call is booked once, as an estimate', async () => {
  upstream.script = stream([delta({ content: 'half an ' }), delta({ content: 'answer' })], 'hang');
  const reply = await tenant.openai.chat.completions.create({ ...REQUEST, stream: true });
  const reading = (async () => {
    for await (const part of reply) if (part.choices[0]?.delta.content === 'answer') await gateway.kill('SIGKILL');
  })();
  await expect(reading).rejects.toThrow();
  expect(await held()).toBeGreaterThan(0n);
  expect(await booked(weir, tenant)).toEqual([]);

  gateway = WeirProcess.spawn(environment);
  await gateway.ready();
  expect(await held()).toBe(0n);
  expect(await booked(weir, tenant)).toMatchObject([{ status: 'cut', error_code: 'gateway_lost', kind: 'usage', estimated: true }]);

  await gateway.kill('SIGKILL');
  gateway = WeirProcess.spawn(environment);
  await gateway.ready();
  expect(await booked(weir, tenant)).toHaveLength(1);
});

/** A gateway dies that has sent one call, and has held 500 for another. */
async function dieWithOneSentAndOneHeld(): Promise<void> {
  upstream.script = hang;
  void tenant.openai.chat.completions.create(REQUEST).catch(() => {});
  await upstream.received(1);
  await gateway.kill('SIGKILL');
  await db.query(
    `INSERT INTO holds (id, tenant_id, gateway_id, amount, period_ids, context, created_at, lease_until)
     SELECT gen_random_uuid(), tenant_id, gateway_id, 500, period_ids, context, now(), lease_until FROM holds`,
  );
  await db.query('UPDATE budget_periods SET held = held + 500');
}

test('kill -9 while the provider thinks: what was held is booked; a call that was only held is given back', async () => {
  await dieWithOneSentAndOneHeld();
  gateway = WeirProcess.spawn(environment);
  await gateway.ready();
  expect(await held()).toBe(0n);
  const calls = await booked(weir, tenant);
  expect(
    calls.map(({ status, kind, estimated }) => ({ status, kind, estimated })).sort((a, b) => a.status.localeCompare(b.status)),
  ).toEqual([
    { status: 'cut', kind: 'usage', estimated: true },
    { status: 'failed', kind: null, estimated: false },
  ]);
});

test('after a recovery to a moment before the last calls, what they left on disk does not say that older ones were not sent', async () => {
  await dieWithOneSentAndOneHeld();
  await db.query(
    `WITH lost AS (DELETE FROM holds WHERE amount > 500 RETURNING amount, period_ids)
     UPDATE budget_periods p SET held = p.held - l.amount FROM lost l WHERE p.id = ANY (l.period_ids)`,
  );
  gateway = WeirProcess.spawn(environment);
  await gateway.ready();
  expect(await held()).toBe(0n);
  expect(await booked(weir, tenant)).toMatchObject([{ status: 'cut', kind: 'usage', amount: 500n, estimated: true }]);
});

test('SIGTERM: calls in flight end whole and are booked, new ones are turned away, and the process ends with 0', async () => {
  let finish = () => {};
  upstream.script = async (call, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(delta({ content: 'first ' }));
    await new Promise<void>((resolve) => (finish = resolve));
    response.end(`${delta({ content: 'last' })}${delta({}, 'stop')}data: [DONE]\n\n`);
    call.billed = null;
  };
  const reply = await tenant.openai.chat.completions.create({ ...REQUEST, stream: true });
  let text = '';
  for await (const part of reply) {
    const content = part.choices[0]?.delta.content ?? '';
    if (text === '' && content !== '') {
      gateway.child.kill('SIGTERM');
      await eventually(async () =>
        fetch(`${weir.publicUrl}/v1/models`).then(
          () => false,
          () => true,
        ),
      );
      finish();
    }
    text += content;
  }
  expect(text).toBe('first last');
  expect(await gateway.exited()).toBe(0);
  expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', kind: 'usage' }]);
  expect(await held()).toBe(0n);
});

test('two gateways on one database share its budgets: 64 calls at once against one that fits 10 are 10', async () => {
  const second = WeirProcess.spawn({ ...environment, WEIR_HOME: `${home}-2` });
  try {
    const { public: url } = await second.ready();
    const other = new OpenAI({ apiKey: tenant.apiKey, baseURL: `${url}/v1`, maxRetries: 0 });
    await tenant.admin('POST', '/v1/organization/prices', { provider: 'up', model: 'test-model', input: '0', output: '2' });
    upstream.script = answer();
    for (const client of [tenant.openai, other]) {
      await eventually(
        async () =>
          (await client.chat.completions.create({ ...REQUEST, max_tokens: 12 }).withResponse()).response.headers.get('x-weir-cost') ===
          '0.000024',
      );
    }
    await tenant.admin('POST', '/v1/organization/budgets', {
      scope: { kind: 'api_key', value: tenant.keyId },
      limit: '0.00024',
      period: 'lifetime',
    });
    const before = upstream.calls.length;
    const results = await Promise.allSettled(
      Array.from({ length: 64 }, (_, i) => (i % 2 ? other : tenant.openai).chat.completions.create({ ...REQUEST, max_tokens: 12 })),
    );
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(10);
    expect(upstream.calls.length - before).toBe(10);
  } finally {
    await second.kill('SIGTERM');
    rmSync(`${home}-2`, { recursive: true, force: true });
  }
});
