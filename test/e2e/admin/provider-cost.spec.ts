import { changed, modelOf, PROVIDER_FORMATS } from '../../attacks/support/formats.js';
import { lend, lendFormats, lentModelOf, operator } from '../../attacks/support/lent.js';
import { CONVERSATIONS, send } from '../../attacks/support/surfaces.js';
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

describe('a reply that passes as it is', () => {
  const REPORTED = 0.00421;
  const REPORT = `"cost":${REPORTED},"cost_details":{"upstream_inference_cost":${REPORTED}},"estimated_cost":${REPORTED},"cost_in_usd_ticks":${REPORTED * 1e10},`;
  const ROUTES: Record<string, string> = {
    'openai-chat': 'POST /v1/chat/completions',
    'openai-completions': 'POST /v1/completions',
    'openai-responses': 'POST /v1/responses',
    'anthropic-messages': 'POST /v1/messages',
  };
  const FORMATS = PROVIDER_FORMATS.filter(({ dialect }) => dialect in ROUTES);
  const WAYS = [{}, { stream: true }, { stream: true, stream_options: { include_usage: true } }];
  const cases = FORMATS.flatMap((format) => WAYS.map((way) => [`${format.dialect} ${JSON.stringify(way)}`, format, way] as const));

  beforeAll(async () => {
    await lendFormats({ weir, tenant, upstream }, true, FORMATS);
    const { hostPort } = upstream;
    for (const { dialect, type, basePath } of FORMATS) {
      const base_url = `http://${hostPort}${basePath}`;
      await tenant.admin('POST', '/v1/organization/providers', { name: dialect, type, dialect, base_url, key: 'secret', models: ['*'] });
      await tenant.admin('POST', '/v1/organization/prices', { provider: dialect, model: '*', input: '1', output: '2' });
    }
    for (const format of FORMATS) await eventually(() => tenant.openai.models.retrieve(modelOf(format)).then(Boolean, () => false));
  });

  test.each(cases)('tells what the provider takes only those who pay it: %s', async (_name, format, way) => {
    const said = format.says({ text: 'the answer', usage: { input: 1_000, cacheRead: 0, output: 100 } });
    upstream.script = changed(said, (event) => event.replaceAll('"usage":{', `"usage":{${REPORT}`));
    const surface = CONVERSATIONS.find(({ route }) => route === ROUTES[format.dialect])!;
    const call = async (model: string) => {
      const answered = await send({ publicUrl: weir.publicUrl, apiKey: tenant.apiKey }, surface, surface.body(model, 'Hello', way));
      return { text: await answered.text(), id: answered.headers.get('x-request-id')! };
    };
    const lent = await call(lentModelOf(format));
    expect(lent.text).toMatch(/the /);
    expect(lent.text).not.toMatch(/00421|421\d*|_cost|cost_/);
    const [admin, , platform] = await views(lent.id);
    expect([admin, platform]).toEqual([
      { cost: '0.0012', provider_cost: null },
      { cost: '0.0012', provider_cost: String(REPORTED) },
    ]);
    // A stream that does not ask for the usage has none.
    if (!format.dialect.startsWith('openai-c') || !('stream' in way) || 'stream_options' in way)
      expect((await call(modelOf(format))).text).toContain(`"cost_details":{"upstream_inference_cost":${REPORTED}}`);
  });
});
