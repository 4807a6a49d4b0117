import OpenAI from 'openai';
import type { UsageCompletionsResponse, UsageCostsResponse } from 'openai/resources/admin/organization/usage';
import { createTenant } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';
import { addMock, type Body, clientOf, makeCall, type Send } from './client.js';

type CompletionsResult = UsageCompletionsResponse.Data.OrganizationUsageCompletionsResult;
type CostsResult = UsageCostsResponse.Data.OrganizationCostsResult;

const { weir, tenant } = withWeir();
let send: Send;
let calls: Body[];
const startTime = Math.floor(Date.now() / 1000) - 60;

beforeAll(async () => {
  send = clientOf(weir, tenant.adminKey);
  await addMock(tenant);
  for (const text of ['one', 'two words', 'and three words']) await makeCall(tenant, text);
  calls = (await send('GET', '/v1/organization/calls')).body.data;
});

const total = (field: (call: Body) => number): number => calls.reduce((sum, call) => sum + field(call), 0);
const nano = (amount: string | number): number => Math.round(Number(amount) * 1e9);

/** OpenAI's own client, asking for the organization's figures. */
const official = () =>
  new OpenAI({ adminAPIKey: tenant.adminKey, baseURL: `${weir.adminUrl}/v1`, maxRetries: 0 } as ConstructorParameters<typeof OpenAI>[0])
    .admin.organization.usage;

test('a call tells its tokens, its cost and its attempts', async () => {
  const [newest] = calls;
  expect((await send('GET', `/v1/organization/calls/${newest!.id}`)).body).toEqual(newest);
  expect(newest).toMatchObject({
    object: 'call',
    status: 'completed',
    http_status: 200,
    error_code: null,
    stream: false,
    requested_model: 'mock/echo',
    provider: 'mock',
    project_id: tenant.projectId,
    api_key_id: tenant.keyId,
    currency: 'usd',
    estimated: false,
    attempts: [{ provider: 'mock', credential_id: null, status: 200, reason: null }],
  });
  const { usage, cost } = newest!;
  expect(nano(cost)).toBe(usage.input_tokens * 1_000 + usage.output_tokens * 2_000);
});

test('usage adds up to the calls, in the official client’s terms', async () => {
  const page = await official().completions({
    start_time: startTime,
    bucket_width: '1m',
    group_by: ['project_id', 'api_key_id', 'model'],
    project_ids: [tenant.projectId],
    models: ['mock/echo'],
  });
  const results = page.data.flatMap((bucket) => bucket.results) as CompletionsResult[];
  const sum = (field: 'num_model_requests' | 'input_tokens' | 'output_tokens') => results.reduce((all, result) => all + result[field], 0);
  expect(sum('num_model_requests')).toBe(3);
  expect(sum('input_tokens')).toBe(total((call) => call.usage.input_tokens));
  expect(sum('output_tokens')).toBe(total((call) => call.usage.output_tokens));
  for (const result of results)
    expect(result).toMatchObject({
      object: 'organization.usage.completions.result',
      project_id: tenant.projectId,
      api_key_id: tenant.keyId,
      model: 'mock/echo',
    });
});

test('costs add up to the calls, in the official client’s terms', async () => {
  const page = await official().costs({ start_time: startTime, group_by: ['line_item'] });
  const results = page.data.flatMap((bucket) => bucket.results) as CostsResult[];
  expect(results.reduce((sum, result) => sum + nano(result.amount!.value!), 0)).toBe(total((call) => nano(call.cost)));
  for (const result of results)
    expect(result).toMatchObject({
      object: 'organization.costs.result',
      line_item: 'mock/echo',
      project_id: null,
      amount: { currency: 'usd' },
    });
});

test('ungrouped, a bucket has one result, and an empty bucket none', async () => {
  const { body } = await send('GET', `/v1/organization/costs?start_time=${startTime - 2 * 86_400}`);
  const filled = body.data.filter((bucket: { results: unknown[] }) => bucket.results.length > 0);
  expect(filled.length).toBeGreaterThan(0);
  expect(body.data.length).toBeGreaterThan(filled.length);
  for (const bucket of filled)
    expect(bucket.results).toEqual([expect.objectContaining({ line_item: null, project_id: null, api_key_id: null })]);
});

test('pages of buckets follow one another without a gap', async () => {
  const start = 1_795_000_000;
  const end = start + 10 * 3_600;
  const spans: { start_time: number; end_time: number }[] = [];
  for (let page = ''; ; ) {
    const { body } = await send(
      'GET',
      `/v1/organization/usage/completions?start_time=${start}&end_time=${end}&bucket_width=1h&limit=4${page && `&page=${page}`}`,
    );
    spans.push(...body.data);
    if (!body.has_more) break;
    page = body.next_page;
  }
  expect([spans[0]!.start_time, spans.at(-1)!.end_time]).toEqual([start, end]);
  for (const [index, span] of spans.entries()) if (index > 0) expect(span.start_time).toBe(spans[index - 1]!.end_time);
});

test('another tenant sees none of it', async () => {
  const other = await createTenant(weir);
  const { body } = await clientOf(weir, other.adminKey)(
    'GET',
    `/v1/organization/usage/completions?start_time=${startTime}&project_ids[]=${tenant.projectId}`,
  );
  expect(body.data.flatMap((bucket: { results: unknown[] }) => bucket.results)).toEqual([]);
});

test('a call’s cost is the sum of its bookings, and unknown while it has no price', async () => {
  const read = async () => (await send('GET', `/v1/organization/calls/${calls[0]!.id}`)).body.cost;
  const before = nano(await read());
  await weir.db.query(
    `INSERT INTO ledger_entries (tenant_id, call_id, attempt, kind, admitted_at, booked_at, provider, model, amount, period_ids)
     SELECT tenant_id, call_id, attempt, 'adjustment', admitted_at, now(), provider, model, -500, '{}' FROM ledger_entries WHERE call_id = $1 AND kind = 'usage'`,
    [calls[0]!.id.slice('call_'.length)],
  );
  expect(nano(await read())).toBe(before - 500);
  const { data } = await official().costs({ start_time: startTime });
  const costs = data.flatMap((bucket) => bucket.results) as CostsResult[];
  expect(costs.reduce((sum, result) => sum + nano(result.amount!.value!), 0)).toBe(total((call) => nano(call.cost)) - 500);

  await weir.db.query('UPDATE ledger_entries SET amount = NULL WHERE call_id = $1', [calls[0]!.id.slice('call_'.length)]);
  expect(await read()).toBeNull();
});
