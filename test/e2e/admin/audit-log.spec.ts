import { RESOURCES } from '../../../src/audit-log/index.js';
import { parsePublicId } from '../../../src/kernel/ids.js';
import { sqlFunction } from '../../../src/platform/postgres/index.js';
import { createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { type Body, clientOf, type Send } from './client.js';

const LOG = '/v1/organization/audit_logs';
const PLATFORM_LOG = '/v1/platform/audit_logs';

/** Tables whose rows nobody changes by a request: what calls count and keep, and what processes note for each other. */
const UNAUDITED = [
  '_prisma_migrations',
  'admin_sessions',
  'audit_log',
  'budget_periods',
  'budget_slices',
  'budget_statements',
  'calls',
  'config_changes',
  'credential_health',
  'credential_model_health',
  'data_keys',
  'function_versions',
  'held_apart',
  'holds',
  'idempotency_keys',
  'idempotent_calls',
  'kept_answer_totals',
  'limit_counters',
  'outbox',
  'sessions',
  'target_health',
  'usage_rolled',
  'usage_rollups',
  'webhook_deliveries',
];

let weir: TestWeir;
let tenant: TestTenant;
let owner: Send;
let operator: Send;

beforeAll(async () => {
  weir = await startTestWeir();
  tenant = await createTenant(weir);
  owner = clientOf(weir, tenant.adminKey);
  operator = clientOf(weir, weir.operatorKey);
});

afterAll(() => weir.stop());

interface Line extends Body {
  type: string;
  effective_at: number;
  actor: { type: string; id: string };
  resource: { type: string; id: string };
  project: { id: string; name: string } | null;
  request_id: string;
  ip_address: string | null;
  before: Record<string, unknown> | null;
  after: Record<string, unknown> | null;
}

const lines = async (query = '', by = owner, path = LOG) => (await by('GET', path + query)).body.data as Line[];
const linesOf = (id: string, by = owner) => lines(`?resource_ids=${id}`, by);
const idOf = (kind: 'tenant' | 'project', id: string) => parsePublicId(kind, id);
const count = async () => (await weir.db.query<{ count: bigint }>('SELECT count(*) AS count FROM audit_log')).rows[0]!.count;

test('a change has a line: who, when, by which request from where, and what was before and after', async () => {
  const { body: key } = await owner('GET', '/v1/organization/admin_api_keys');
  const made = await owner('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '12345678.123456789', period: 'month' });
  const changed = await owner('POST', `/v1/organization/budgets/${made.body.id}`, { limit: '2.00' }, { 'x-forwarded-for': '2001:db8::7' });
  const [update, creation] = await linesOf(made.body.id);
  expect(update).toMatchObject({
    object: 'organization.audit_log',
    type: 'budget.updated',
    tenant_id: tenant.id,
    actor: { type: 'admin_key', id: key.data[0]!.id },
    resource: { type: 'budget', id: made.body.id },
    request_id: changed.headers.get('x-request-id'),
    ip_address: '2001:db8::7',
    before: { limit: '12345678.123456789' },
    after: { limit: '2.00' },
  });
  expect(Object.keys(update!.after!)).toEqual(['limit']);
  expect(Math.abs(update!.effective_at - Date.now() / 1000)).toBeLessThan(30);
  expect(creation).toMatchObject({ type: 'budget.created', before: null, after: { id: made.body.id, limit: '12345678.123456789' } });
});

test('no secret is in the log, and that one changed is', async () => {
  const keys = `/v1/organization/projects/${tenant.projectId}/api_keys`;
  const made = (await owner('POST', keys, { name: 'k' })).body;
  const rotated = (await owner('POST', `${keys}/${made.id}/rotate`)).body;
  await owner('POST', `${keys}/${made.id}`, { disabled: true });
  await owner('DELETE', `${keys}/${made.id}`);
  const provider = await owner('POST', '/v1/organization/providers', {
    type: 'openai',
    name: 'secretive',
    base_url: 'https://provider.invalid/v1',
    key: 'sk-canary-of-the-log',
    headers: { 'x-team': 'header-canary-of-the-log' },
  });
  expect(provider.status).toBe(200);
  expect((await linesOf(made.id)).map(({ type }) => type)).toEqual([
    'api_key.revoked',
    'api_key.updated',
    'api_key.rotated',
    'api_key.created',
  ]);
  expect((await linesOf(made.id))[2]!.after).toMatchObject({ digest: 'secret' });
  const { rows } = await weir.db.query<{ text: string }>(`SELECT string_agg(l::text, '') AS text FROM audit_log l`);
  for (const secret of [made.value, rotated.value, made.value.slice(-40, -9), 'canary-of-the-log', '\\\\x'])
    expect(rows[0]!.text).not.toContain(secret);
});

test('what is not changed leaves no line', async () => {
  const before = await count();
  const project = { name: 'twice' };
  await owner('POST', '/v1/organization/projects', project);
  const refused = [
    await owner('POST', '/v1/organization/projects', project),
    await owner('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: 'much', period: 'month' }),
    await owner('POST', '/v1/organization/projects', { name: 'x', default_model: 'nowhere/m' }),
    await owner('GET', '/v1/organization/projects'),
  ];
  expect(refused.map(({ status }) => status >= 400)).toEqual([true, true, true, false]);
  expect(await count()).toBe(before + 1n);
});

test('a tenant reads what an operator did in it, not from where; the operator reads both', async () => {
  const inTenant = { 'x-weir-tenant': tenant.id };
  const { body } = await operator('POST', '/v1/organization/projects', { name: 'by the operator' }, inTenant);
  expect((await linesOf(body.id))[0]).toMatchObject({ actor: { type: 'operator' }, ip_address: null });
  expect((await lines(`?resource_ids=${body.id}`, operator, PLATFORM_LOG))[0]!.ip_address).toMatch(/^2001:db8:/);
  const jobs = await weir.db.query(`SELECT FROM audit_log WHERE actor_kind = 'job'`);
  expect(jobs.rowCount).toBeGreaterThan(0);
});

test('lines are filtered by type, actor, resource and time, and paged', async () => {
  const made: string[] = [];
  for (const name of ['p1', 'p2', 'p3']) made.push((await owner('POST', '/v1/organization/projects', { name })).body.id);
  const query = `?resource_ids=${made.join(',')}&event_types=project.created&order=asc&limit=2`;
  const first = (await owner('GET', LOG + query)).body;
  const rest = (await owner('GET', `${LOG}${query}&after=${first.last_id}`)).body;
  expect([first.has_more, rest.has_more]).toEqual([true, false]);
  expect(([...first.data, ...rest.data] as Line[]).map(({ resource }) => resource.id)).toEqual(made);
  const actor = (first.data[0] as Line).actor.id;
  expect(await lines(`?actor_ids=${actor}&resource_ids=${made[0]}`)).toHaveLength(1);
  expect(await lines(`?actor_ids=akey_${'0'.repeat(32)}`)).toEqual([]);
  const now = Math.floor(Date.now() / 1000);
  expect(await lines(`?effective_at[gte]=${now + 60}`)).toEqual([]);
  expect(await lines(`?effective_at[lt]=${now - 3_600}`)).toEqual([]);
  expect((await owner('GET', `${LOG}?event_type=x`)).body.error.message).toContain('"event_types"');
});

test('a line says of which project it is, also where that did not change, and lines are filtered by it', async () => {
  const project = (await owner('POST', '/v1/organization/projects', { name: 'of lines' })).body;
  const keys = `/v1/organization/projects/${project.id}/api_keys`;
  const key = (await owner('POST', keys, { name: 'k' })).body;
  await owner('POST', `${keys}/${key.id}`, { name: 'other' });
  const found = await lines(
    `?project_ids[]=${project.id}&project_ids[]=${tenant.projectId}&order=asc&limit=100&resource_ids=${project.id},${key.id}`,
  );
  const expected = { id: project.id, name: 'of lines' };
  expect(found.map(({ type, project }) => [type, project])).toEqual([
    ['project.created', expected],
    ['api_key.created', expected],
    ['api_key.updated', expected],
  ]);
  const budget = await owner('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1', period: 'month' });
  expect((await linesOf(budget.body.id))[0]!.project).toBeNull();
});

test('an export has all lines that the filters leave, and no other, as NDJSON and as CSV', async () => {
  const stranger = await createTenant(weir);
  const admin = clientOf(weir, stranger.adminKey);
  const { body: project } = await admin('POST', '/v1/organization/projects', { name: 'says "hello", and\nmore' });
  await Promise.all(
    Array.from({ length: 250 }, (_, n) =>
      weir.db.query('INSERT INTO sign_in_links VALUES ($1, $2, NULL, now())', [
        Buffer.from(`${n}`.padStart(32)),
        idOf('tenant', stranger.id),
      ]),
    ),
  );
  const exported = await admin('GET', `${LOG}/export`);
  expect(exported.headers.get('content-type')).toBe('application/x-ndjson');
  expect(exported.headers.get('content-disposition')).toBe('attachment; filename="audit-log.ndjson"');
  const all = exported.body.text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
  const listed: Line[] = [];
  for (let after = ''; ; after = `&after=${listed.at(-1)!.id}`) {
    const page = (await admin('GET', `${LOG}?order=asc&limit=100${after}`)).body;
    listed.push(...(page.data as Line[]));
    if (!page.has_more) break;
  }
  expect(all.length).toBeGreaterThan(250);
  expect(all).toEqual(listed);

  const rest = await admin('GET', `${LOG}/export?after=${all.at(-2)!.id}`);
  expect(rest.body.text).toBe(`${JSON.stringify(all.at(-1))}\n`);
  const csv = (await operator('GET', `${PLATFORM_LOG}/export?format=csv&resource_ids=${project.id}`)).body.text;
  const [names, row, end] = csv.split('\r\n');
  expect(names).toBe(
    'id,type,effective_at,tenant_id,project_id,actor_type,actor_id,resource_type,resource_id,request_id,ip_address,before,after',
  );
  expect(row).toContain(`,project.created,`);
  expect(row).toContain(`"{""`);
  expect(row).toContain(String.raw`""says \""hello\"", and\nmore""`);
  expect(end).toBe('');
});

test('a line is kept for 13 months at least, whatever is asked for, and removed afterwards', async () => {
  const made: string[] = [];
  for (const name of ['old', 'young']) made.push((await owner('POST', '/v1/organization/projects', { name })).body.id);
  const aged = async (id: string, age: string) =>
    weir.db.query(`UPDATE audit_log SET at = now() - $2::interval WHERE resource_id = $1`, [idOf('project', id), age]);
  await aged(made[0]!, '13 months 1 day');
  await aged(made[1]!, '12 months 27 days');
  // The oldest are looked at first: as if nothing else had been written before.
  await weir.db.query(`UPDATE audit_log SET id = overlay(id::text placing '00000000' from 1 for 8)::uuid WHERE resource_id = $1`, [
    idOf('project', made[0]!),
  ]);
  const removed = await weir.db.query<{ removed: number }>(`SELECT ${sqlFunction('purge_audit_log')}(1, 100) AS removed`);
  expect(removed.rows[0]!.removed).toBe(1);
  expect([(await linesOf(made[0]!)).length, (await linesOf(made[1]!)).length]).toEqual([0, 1]);
});

test('a tenant sees no line of another or of the platform', async () => {
  const stranger = await createTenant(weir);
  await operator('POST', '/v1/platform/credentials', { type: 'groq', name: 'house' });
  const seen = await lines('?limit=100', clientOf(weir, stranger.adminKey));
  expect(new Set(seen.map((line) => (line as unknown as { tenant_id: string }).tenant_id))).toEqual(new Set([stranger.id]));
  expect((await lines('?event_types=provider.created', operator, PLATFORM_LOG))[0]).toMatchObject({ tenant_id: null });
});

test('the run-time role adds lines and reads them, and cannot change or remove one', async () => {
  const { rows } = await weir.db.query<{ rights: string[] }>(
    `SELECT ARRAY(SELECT right_ FROM unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'TRIGGER']) AS right_
       WHERE has_table_privilege(weir_runtime_role(), 'audit_log', right_)) AS rights`,
  );
  expect(rows[0]!.rights).toEqual(['SELECT', 'INSERT']);
});

test('every table is audited, or known to hold nothing that a request changes; every resource has a name', async () => {
  const { rows } = await weir.db.query<{ name: string; resources: string[] }>(
    `SELECT c.relname AS name, ARRAY(SELECT split_part(encode(t.tgargs, 'escape'), '\\000', 1) FROM pg_trigger t
       WHERE t.tgrelid = c.oid AND t.tgfoid = 'note_audit()'::regprocedure) AS resources
     FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1`,
  );
  expect(rows.filter(({ resources }) => resources.length === 0).map(({ name }) => name)).toEqual(UNAUDITED);
  expect(rows.flatMap(({ resources }) => resources).sort()).toEqual(Object.keys(RESOURCES).sort());
});

test('of a deleted tenant the log keeps who did what, and nothing that may name a person', async () => {
  const gone = await createTenant(weir);
  await clientOf(weir, gone.adminKey)('POST', '/v1/organization/projects', { name: 'Ann Example' });
  await operator('POST', `/v1/platform/tenants/${gone.id}/suspend`);
  await weir.db.query(`UPDATE tenants SET suspended_at = now() - interval '1 minute' WHERE suspended_at IS NOT NULL`);
  expect((await operator('DELETE', `/v1/platform/tenants/${gone.id}`)).status).toBe(200);
  const kept = (await lines('?limit=100', operator, PLATFORM_LOG)).filter(
    (line) => (line as unknown as { tenant_id: string }).tenant_id === gone.id,
  );
  expect(kept.map(({ type }) => type)).toEqual(
    expect.arrayContaining(['tenant.created', 'tenant.suspended', 'tenant.deleted', 'project.created']),
  );
  for (const { before, after, ip_address } of kept) expect([before, after, ip_address]).toEqual([null, null, null]);
});
