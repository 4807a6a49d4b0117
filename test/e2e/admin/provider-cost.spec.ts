import { lend, operator } from '../../attacks/support/lent.js';
import { brokenInvariants } from '../../support/ledger.js';
import { answer, ScriptedUpstream } from '../../support/upstream.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';

const USAGE = { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 };
const PRICE = { model: 'gpt-4o', input: '10', output: '20' };
/** 1,000 tokens of input and 100 of output: by the price above, and as the catalog lists the model, at $2.50 and $10. */
const [CHARGED, LISTED] = ['0.012', '0.0035'];

let upstream: ScriptedUpstream;
let weir: TestWeir;
let tenant: TestTenant;

interface CallView {
  cost: string | null;
  provider_cost: string | null;
}
interface CostsView {
  data: { results: { line_item: string | null; amount: { value: number }; provider_cost: { value: number } | null }[] }[];
}

beforeAll(async () => {
  upstream = await ScriptedUpstream.start();
  weir = await startTestWeir({ WEIR_EGRESS_ALLOW: upstream.hostPort });
  tenant = await createTenant(weir);
  const { baseUrl: base_url } = upstream;
  await lend(weir, [tenant], { name: 'house', type: 'openai', base_url, key: 'secret', models: ['gpt-4o', 'gpt-4o-mini'] });
  await operator(weir, 'POST', '/v1/organization/prices', { provider: 'house', ...PRICE }, tenant);
  await operator(weir, 'POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1.00', period: 'month' }, tenant);
  // The vendor's own name: what the platform lists for it holds.
  await tenant.admin('POST', '/v1/organization/providers', { name: 'openai', type: 'openai', base_url, key: 'secret', models: ['gpt-4o'] });
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'openai', ...PRICE });
  for (const model of ['house/gpt-4o', 'openai/gpt-4o'])
    await eventually(() => tenant.openai.models.retrieve(model).then(Boolean, () => false));
});

beforeEach(() => {
  upstream.script = answer('hi', USAGE);
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

afterAll(async () => {
  await weir.stop();
  await upstream.stop();
});

async function call(model: string, usage: typeof USAGE & { cost?: number } = USAGE): Promise<string> {
  upstream.script = answer('hi', usage);
  const { response } = await tenant.openai.chat.completions
    .create({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 200 })
    .withResponse();
  return response.headers.get('x-request-id')!;
}
/** As the tenant's admin, an application and an operator see it. */
async function views(id: string): Promise<CallView[]> {
  const path = `/v1/organization/calls/${id}`;
  const own = await fetch(`${weir.publicUrl}/v1/calls/${id}`, { headers: { authorization: `Bearer ${tenant.apiKey}` } });
  const all = [await tenant.admin<CallView>('GET', path), (await own.json()) as CallView];
  all.push(await operator<CallView>(weir, 'GET', path, undefined, tenant));
  return all.map(({ cost, provider_cost }) => ({ cost, provider_cost }));
}

test('of a provider that is lent, the tenant sees what it is charged, and only operators what the provider takes', async () => {
  const id = await call('house/gpt-4o');
  const [admin, application, platform] = await views(id);
  expect(admin).toEqual({ cost: CHARGED, provider_cost: null });
  expect(application).toEqual(admin);
  expect(platform).toEqual({ cost: CHARGED, provider_cost: LISTED });
  const list = await tenant.admin<{ data: CallView[] }>('GET', '/v1/organization/calls?limit=1');
  expect(list.data).toMatchObject([admin]);
  const budgets = await tenant.admin<{ data: { current_period: { spent: string } }[] }>('GET', '/v1/organization/budgets');
  expect(budgets.data[0]!.current_period.spent).toBe(CHARGED);
});

test('of its own provider, the tenant sees both', async () => {
  expect(await views(await call('openai/gpt-4o'))).toEqual(Array(3).fill({ cost: CHARGED, provider_cost: LISTED }));
});

test('what a provider reports goes before its listed price, and is never charged', async () => {
  expect(await views(await call('openai/gpt-4o', { ...USAGE, cost: 0.004 }))).toEqual(
    Array(3).fill({ cost: CHARGED, provider_cost: '0.004' }),
  );
});

test('at the listed price both are the same', async () => {
  const [admin, , platform] = await views(await call('house/gpt-4o-mini'));
  expect(platform!.provider_cost).toBe(platform!.cost);
  expect(admin).toEqual({ cost: platform!.cost, provider_cost: null });
});

test('costs sum up both, and a tenant’s leave out what the platform pays', async () => {
  const path = `/v1/organization/costs?start_time=${Math.floor(Date.now() / 1000) - 3_600}&group_by=line_item`;
  const of = ({ data }: CostsView, item: string) => data.flatMap(({ results }) => results).find(({ line_item }) => line_item === item)!;
  const own = await tenant.admin<CostsView>('GET', path);
  const all = await operator<CostsView>(weir, 'GET', path, undefined, tenant);
  expect(of(own, 'house/gpt-4o')).toMatchObject({ amount: { value: 0.012 }, provider_cost: null });
  expect(of(all, 'house/gpt-4o')).toMatchObject({ amount: { value: 0.012 }, provider_cost: { value: 0.0035, currency: 'usd' } });
  expect(of(own, 'openai/gpt-4o')).toMatchObject({ amount: { value: 0.024 }, provider_cost: { value: 0.0075 } });
  const ungrouped = await tenant.admin<CostsView>('GET', path.replace('&group_by=line_item', ''));
  expect(ungrouped.data.flatMap(({ results }) => results)).toMatchObject([{ provider_cost: { value: 0.0075 } }]);
});
