import Anthropic from '@anthropic-ai/sdk';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant } = withWeir();
let anthropic: Anthropic;

const MODELS = ['a', 'b', 'c', 'd', 'e'].map((model) => `up/${model}`);

beforeAll(async () => {
  await tenant.admin('POST', '/v1/organization/providers', {
    name: 'up',
    type: 'openai',
    base_url: 'https://api.openai.com/v1',
    key: 'secret',
    models: MODELS.map((model) => model.slice('up/'.length)),
  });
  const url = `/v1/organization/projects/${tenant.projectId}/api_keys`;
  const { value } = await tenant.admin<{ value: string }>('POST', url, { name: 'k', models: MODELS });
  anthropic = new Anthropic({ apiKey: value, baseURL: weir.publicUrl, maxRetries: 0 });
});
const page = async (query: Anthropic.ModelListParams) => {
  const { data, has_more, first_id, last_id } = await anthropic.models.list(query);
  return { ids: data.map(({ id }) => id), has_more, first_id, last_id };
};

test.each<[Anthropic.ModelListParams, number[], boolean]>([
  [{}, [0, 1, 2, 3, 4], false],
  [{ limit: 5 }, [0, 1, 2, 3, 4], false],
  [{ limit: 2 }, [0, 1], true],
  [{ limit: 2, after_id: 'up/b' }, [2, 3], true],
  [{ limit: 2, after_id: 'up/c' }, [3, 4], false],
  [{ limit: 2, before_id: 'up/e' }, [2, 3], true],
  [{ limit: 2, before_id: 'up/c' }, [0, 1], false],
  [{ after_id: 'up/e' }, [], false],
  [{ before_id: 'up/a' }, [], false],
  // A model that is gone leaves its place.
  [{ after_id: 'up/bb' }, [2, 3, 4], false],
])('%j has the models that it asks for, and tells whether there are more', async (query, places, hasMore) => {
  const ids = places.map((at) => MODELS[at]!);
  expect(await page(query)).toEqual({ ids, has_more: hasMore, first_id: ids[0] ?? null, last_id: ids.at(-1) ?? null });
});

test('the SDK goes through all pages', async () => {
  const ids: string[] = [];
  for await (const { id } of anthropic.models.list({ limit: 2 })) ids.push(id);
  expect(ids).toEqual(MODELS);
});

test.each(['0', '1001', 'x', '1.5', ''])('a limit of "%s" is refused', async (limit) => {
  const headers = { 'x-api-key': anthropic.apiKey!, 'anthropic-version': '2023-06-01' };
  const response = await fetch(`${weir.publicUrl}/v1/models?limit=${limit}`, { headers });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ type: 'error', error: { type: 'invalid_request_error', param: 'limit' } });
});

test('a client of OpenAI gets all models, whatever it asks for', async () => {
  const headers = { authorization: `Bearer ${anthropic.apiKey}` };
  const response = await fetch(`${weir.publicUrl}/v1/models?limit=2`, { headers });
  expect(((await response.json()) as { data: object[] }).data).toHaveLength(5);
});
