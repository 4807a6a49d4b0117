import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Collector } from '../../support/collector.js';
import { ROOT } from '../../support/process.js';
import { addUpstream, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

interface Panel {
  type: string;
  title: string;
  datasource?: { uid: string };
  targets?: { expr: string }[];
}
const dashboard = JSON.parse(readFileSync(join(ROOT, 'deploy/grafana/weir.json'), 'utf8')) as {
  panels: Panel[];
  templating: { list: { type: string }[] };
};

const { weir, tenant, upstream } = withWeir({
  environment: async () => {
    collector = await Collector.start();
    return { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
  },
});
let collector: Collector;

beforeAll(async () => {
  await addUpstream(tenant, upstream.baseUrl, 'secretco');
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  await eventually(async () => (await tenant.openai.models.list()).data.some(({ id }) => id === 'mock/echo'));
});

afterAll(async () => {
  await collector.stop();
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
    /^weir_calls_total\{status="200",endpoint="chat.completions",stream="false"\} [1-9]/m,
    /^weir_attempts_total\{provider="openai",reason="none"\} 1$/m,
    /^weir_tokens_total\{class="output"\} [1-9]/m,
    /^weir_admission_seconds_count [1-9]/m,
    /^weir_hold_seconds_count [1-9]/m,
    /^weir_settle_seconds_count [1-9]/m,
    /^weir_ledger_batch_calls_count\{statement="hold"\} [1-9]/m,
    /^weir_ledger_batch_calls_count\{statement="settle"\} [1-9]/m,
    /^weir_holds_open 0$/m,
    /^weir_holds_waiting 0$/m,
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

test('the dashboard asks for what is there: metrics, their labels and one data source', async () => {
  const text = await metrics();
  const types = new Map([...text.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(([, name, type]) => [name!, type!]));
  const labelsOf = (name: string) =>
    new Set([...text.matchAll(new RegExp(`^${name}(?:_bucket)?\\{(.*?)\\} `, 'gm'))].flatMap(([, labels]) => namesIn(labels!)));
  const named = (expression: string) => [...new Set(expression.match(/\b(weir|nodejs|process)_\w+/g))];
  const baseOf = (name: string) => {
    const base = name.replace(/_(bucket|sum|count)$/, '');
    return types.get(base) === 'histogram' ? base : name;
  };
  const panels = dashboard.panels.filter(({ type }) => type !== 'row');
  const expressions = panels.flatMap(({ targets }) => targets!.map(({ expr }) => expr));
  expect(expressions.length).toBeGreaterThan(50);
  expect(expressions.flatMap(named).filter((name) => !types.has(baseOf(name)))).toEqual([]);
  expect(expressions.filter((expression) => named(expression).length === 0)).toEqual([]);

  const known = /^(le|instance|class)$/;
  const strays = expressions.flatMap((expression) => {
    const there = named(expression).map((name) => labelsOf(baseOf(name)));
    // What has counted nothing yet shows no labels.
    if (there.every(({ size }) => size === 0)) return [];
    const asked = [...expression.matchAll(/by \(([^)]*)\)/g)].flatMap(([, list]) => list!.split(', '));
    return asked
      .filter((label) => !known.test(label) && !there.some((labels) => labels.has(label)))
      .map((label) => `${label}: ${expression}`);
  });
  expect(strays).toEqual([]);

  expect(dashboard.templating.list.map(({ type }) => type)).toEqual(['datasource']);
  expect(new Set(panels.map(({ datasource }) => datasource!.uid))).toEqual(new Set([`$${'{datasource}'}`]));
  const titles = dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
  expect(titles).toEqual(['Traffic', 'Money', 'Latency', 'Providers and attempts', 'Ledger', 'Queues and health']);
});

const namesIn = (labels: string): string[] => [...labels.matchAll(/(\w+)="/g)].map(([, name]) => name!);
