import { createTenant, eventually, type TestTenant } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';
import { addMock, clientOf, makeCall, type Send } from './client.js';

const { weir } = withWeir({ environment: { OPENAI_API_KEY: 'sk-platform-secret' }, tenant: 'none' });
let alice: TestTenant;
let bob: TestTenant;
let operator: Send;

beforeAll(async () => {
  [alice, bob] = [await createTenant(weir), await createTenant(weir)];
  operator = clientOf(weir, weir.operatorKey);
  await addMock(alice);
});

const idsOf = ({ body }: { body: unknown }) => (body as { data: { id: string }[] }).data.map(({ id }) => id);

test('the request lifecycle does not stand in the scope of the tenant who asked the admin API last', async () => {
  await clientOf(weir, bob.adminKey)('GET', '/v1/organization/projects');
  expect(await makeCall(alice)).toMatch(/^call_/);
});

test("what the gateway knows of the platform's prices outlasts a request that reads prices again in the scope of a tenant", async () => {
  const { body } = await operator('GET', '/v1/platform/credentials');
  await operator('POST', `/v1/platform/credentials/${body.data[0]!.id}/grants`, { tenant: alice.id });
  const models = async () => (await alice.openai.models.list()).data.length;
  await eventually(async () => (await models()) > 10);
  const before = await models();
  expect((await clientOf(weir, alice.adminKey)('POST', '/v1/organization/prices/rerate', { start_time: 0 })).status).toBe(200);
  expect(await models()).toBe(before);
});

test('a request of a tenant, or of an operator inside one, is answered in its scope; one of the platform sees every tenant', async () => {
  // From here on Postgres shows projects only to a session that works for one tenant.
  await weir.db.query(
    `CREATE POLICY one_tenant_only ON projects AS RESTRICTIVE FOR SELECT TO weir_app USING (current_setting('weir.tenant') <> '*')`,
  );
  const path = '/v1/organization/projects';
  expect(idsOf(await clientOf(weir, alice.adminKey)('GET', path))).toEqual([alice.projectId]);
  expect(idsOf(await operator('GET', path, undefined, { 'x-weir-tenant': bob.id }))).toEqual([bob.projectId]);
  const made = await clientOf(weir, alice.adminKey)('POST', path, { name: 'new' }, { 'idempotency-key': 'once' });
  expect(made.status).toBe(200);
  await weir.db.query('DROP POLICY one_tenant_only ON projects');

  await weir.db.query(
    `CREATE POLICY platform_only ON tenants AS RESTRICTIVE FOR SELECT TO weir_app USING (current_setting('weir.tenant') = '*')`,
  );
  expect(idsOf(await operator('GET', '/v1/platform/tenants')).sort()).toEqual([alice.id, bob.id].sort());
  await weir.db.query('DROP POLICY platform_only ON tenants');
});

test('requests of two tenants at once are each answered from in their own scope', async () => {
  const [a, b] = [clientOf(weir, alice.adminKey), clientOf(weir, bob.adminKey)];
  const projects = (tenant: TestTenant, send: Send) => send('GET', `/v1/organization/projects/${tenant.projectId}`);
  const replies = await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 ? projects(alice, a) : projects(bob, b))));
  expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
});

test('a list that takes Postgres longer than two seconds is given up, and says what to do', async () => {
  await weir.db.query('CREATE POLICY slow ON projects AS RESTRICTIVE FOR SELECT TO weir_app USING (pg_sleep(10) IS NOT NULL)');
  await weir.db.query('CREATE POLICY slow ON calls AS RESTRICTIVE FOR SELECT TO weir_app USING (pg_sleep(10) IS NOT NULL)');
  const startedAt = performance.now();
  const paths = ['/v1/organization/projects', '/v1/organization/calls'];
  const replies = await Promise.all(paths.map((path) => clientOf(weir, alice.adminKey)('GET', path)));
  expect(replies.map(({ status, body }) => [status, body.error.code])).toEqual(paths.map(() => [503, 'query_timeout']));
  expect(performance.now() - startedAt).toBeLessThan(8_000);
  for (const table of ['projects', 'calls']) await weir.db.query(`DROP POLICY slow ON ${table}`);
});
