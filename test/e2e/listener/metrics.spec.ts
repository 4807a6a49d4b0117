import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../../support/process.js';
import { answer, ScriptedUpstream } from '../../support/upstream.js';
import { addUpstream, createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';

let weir: TestWeir;
let tenant: TestTenant;
let upstream: ScriptedUpstream;

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  upstream.script = answer();
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort });
  tenant = await createTenant(weir);
  await addUpstream(tenant, upstream.baseUrl, 'secretco');
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  await eventually(async () => (await tenant.openai.models.list()).data.some(({ id }) => id === 'mock/echo'));
});

afterAll(async () => {
  await weir.stop();
  await upstream.stop();
});

const metrics = async () => (await fetch(`${weir.adminUrl}/metrics`)).text();
const say = (model: string) =>
  tenant.openai.chat.completions.create({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 50 });

test('calls are counted by the type of their provider and the models of the platform’s price list; no name of a tenant is a label', async () => {
  await say('mock/echo');
  await say('secretco/test-model');
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.000001', period: 'day' });
  await eventually(() =>
    say('mock/echo').then(
      () => false,
      ({ status }) => status === 402,
    ),
  );
  await eventually(async () => (await metrics()).includes('weir_provider_calls_total{provider="openai"'));
  const text = await metrics();
  for (const line of [
    /^weir_provider_calls_total\{provider="mock",model="(echo|other)",outcome="completed"\} \d+$/m,
    /^weir_provider_calls_total\{provider="openai",model="other",outcome="completed"\} 1$/m,
    /^weir_provider_tokens_total\{provider="openai",model="other",kind="input"\} 9$/m,
    /^weir_provider_tokens_total\{provider="openai",model="other",kind="output"\} 12$/m,
    /^weir_provider_usd_total\{provider="openai",model="other"\} 0\.000033$/m,
    /^weir_provider_first_byte_seconds_count\{provider="openai"\} 1$/m,
    /^weir_call_errors_total\{code="(budget_exceeded|request_exceeds_budget)"\} [1-9]/m,
    /^weir_postgres_connections\{pool="gateway",state="idle"\} \d+$/m,
    /^weir_postgres_connections\{pool="config",state="waiting"\} 0$/m,
    /^weir_calls_in_flight 0$/m,
  ])
    expect(text).toMatch(line);
  expect(text).not.toMatch(new RegExp(`secretco|test-model|${tenant.id}|${tenant.projectId}|${tenant.keyId}`));
});

test('the state of the queues and the last success of each job are there', async () => {
  await eventually(async () => /^weir_job_last_success_timestamp_seconds\{queue="open-periods"\} 1/m.test(await metrics()), 20_000);
  expect(await metrics()).toMatch(/^weir_queues_working 1$/m);
});

test('docs/operations/metrics.md names every metric of Weir, and no other', async () => {
  const shown = [...(await metrics()).matchAll(/^# TYPE (weir_\w+) /gm)].map(([, name]) => name!);
  const told = [...readFileSync(join(ROOT, 'docs/operations/metrics.md'), 'utf8').matchAll(/^\| `(weir_\w+)` \|/gm)].map(
    ([, name]) => name!,
  );
  expect(told.sort()).toEqual(shown.sort());
});
