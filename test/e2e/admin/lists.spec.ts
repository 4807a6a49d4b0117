import { withWeir } from '../../support/with-weir.js';
import { addMock, type Body, clientOf, makeCall, type Send } from './client.js';

const COUNT = 7;

const { weir, tenant } = withWeir();
let send: Send;
/** Oldest first. */
const ids: Record<'keys' | 'calls', string[]> = { keys: [], calls: [] };
let paths: Record<'keys' | 'calls', string>;

beforeAll(async () => {
  send = clientOf(weir, tenant.adminKey);
  await addMock(tenant);
  const project = (await send('POST', '/v1/organization/projects', { name: 'paged' })).body.id;
  paths = { keys: `/v1/organization/projects/${project}/api_keys`, calls: '/v1/organization/calls' };
  for (let n = 0; n < COUNT; n++) {
    ids.keys.push((await send('POST', paths.keys, { name: `k${n}` })).body.id);
    ids.calls.push(await makeCall(tenant));
  }
});

const idsOf = (body: Body): string[] => body.data.map(({ id }) => id);

describe.each(['keys', 'calls'] as const)('a list of %s', (name) => {
  test.each(['desc', 'asc'] as const)('is walked page by page in order %s, each entry once', async (order) => {
    const seen: string[] = [];
    for (let after = ''; ; ) {
      const { body } = await send('GET', `${paths[name]}?limit=3&order=${order}${after && `&after=${after}`}`);
      expect(body).toMatchObject({ object: 'list', first_id: idsOf(body)[0], last_id: idsOf(body).at(-1) });
      seen.push(...idsOf(body));
      if (!body.has_more) break;
      after = body.last_id;
    }
    expect(seen).toEqual(order === 'asc' ? ids[name] : ids[name].toReversed());
  });

  test('goes back with before, to the page that ends there', async () => {
    const newestFirst = ids[name].toReversed();
    const { body } = await send('GET', `${paths[name]}?limit=3&before=${newestFirst[5]}`);
    expect(idsOf(body)).toEqual(newestFirst.slice(2, 5));
    expect(body.has_more).toBe(true);
    const { body: first } = await send('GET', `${paths[name]}?limit=3&before=${newestFirst[2]}`);
    expect([idsOf(first), first.has_more]).toEqual([newestFirst.slice(0, 2), false]);
  });

  test('may be cut on both sides', async () => {
    const { body } = await send('GET', `${paths[name]}?order=asc&after=${ids[name][1]}&before=${ids[name][5]}`);
    expect(idsOf(body)).toEqual(ids[name].slice(2, 5));
  });

  test('has the newest first and at most twenty entries unless asked otherwise', async () => {
    expect(idsOf((await send('GET', paths[name])).body)).toEqual(ids[name].toReversed());
  });
});

test('an empty list has no first and no last', async () => {
  expect((await send('GET', '/v1/organization/budgets')).body).toEqual({
    object: 'list',
    data: [],
    first_id: null,
    last_id: null,
    has_more: false,
  });
});

test('platform prices are found by provider and model', async () => {
  const operator = clientOf(weir, weir.operatorKey);
  const { body } = await operator('GET', '/v1/platform/prices?provider=mock&model=echo');
  expect(body.data).toEqual([
    expect.objectContaining({ provider: 'mock', model: 'echo', input: '1.00', output: '2.00', unit: 'million_tokens' }),
  ]);
  expect((await operator('GET', '/v1/platform/prices?provider=openai&limit=1')).body.has_more).toBe(true);
});

test('calls are filtered by key, project, model and status', async () => {
  const length = async (query: string) => (await send('GET', `/v1/organization/calls?${query}`)).body.data.length;
  expect(await length(`api_key_id=${tenant.keyId}&project_id=${tenant.projectId}&model=mock/echo&status=completed`)).toBe(COUNT);
  expect(await length(`api_key_id=${ids.keys[0]}`)).toBe(0);
  expect(await length('model=mock/other')).toBe(0);
  expect(await length('status=failed')).toBe(0);
});
