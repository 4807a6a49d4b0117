import { brokenInvariants } from '../../support/ledger.js';
import { json } from '../../support/upstream.js';
import { booked, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant, upstream } = withWeir({ tenant: 'each' });

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

const PROVIDERS = '/v1/organization/providers';
const DATED = 'api-version=2024-10-21';

interface Provider {
  id: string;
  base_url: string;
  default_model: string | null;
}

/** A provider named `azure` below this path of the scripted upstream. */
async function add(path: string, fields: object = {}): Promise<Provider> {
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'azure', model: '*', input: '1', output: '2' });
  const made = { type: 'azure', base_url: `http://${upstream.hostPort}${path}`, key: 'secret', ...fields };
  const provider = await tenant.admin<Provider>('POST', PROVIDERS, made);
  await eventually(() =>
    tenant.openai.models.retrieve('azure/m').then(
      () => true,
      () => false,
    ),
  );
  return provider;
}

const chat = (model: string, fields: object = {}) =>
  tenant.openai.chat.completions.create({ model, messages: [{ role: 'developer', content: 'Hi' }], ...fields });

test('a deployment is called below an address with a date, by that date', async () => {
  const { base_url, default_model } = await add(`/openai?${DATED}`);
  expect([base_url, default_model]).toEqual([`http://${upstream.hostPort}/openai?${DATED}`, null]);
  await chat('azure/our-gpt-4o');
  expect(upstream.calls[0]).toMatchObject({
    path: `/openai/deployments/our-gpt-4o/chat/completions?${DATED}`,
    headers: { 'api-key': 'secret' },
    body: { model: 'our-gpt-4o', messages: [{ role: 'system' }] },
  });
  expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', input: 9, output: 12 }]);
});

test('a stream and embeddings as well', async () => {
  await add(`/openai?${DATED}`);
  for await (const _chunk of (await chat('azure/gpt-4o', { stream: true, max_tokens: 50 })) as unknown as AsyncIterable<object>);
  expect(upstream.calls[0]).toMatchObject({
    path: `/openai/deployments/gpt-4o/chat/completions?${DATED}`,
    body: { max_tokens: 50, stream_options: { include_usage: true } },
  });
  upstream.script = json(200, { data: [{ index: 0, embedding: [0.5] }], usage: { prompt_tokens: 3, total_tokens: 3 } });
  await tenant.openai.embeddings.create({ model: 'azure/vectors', input: 'Hello', encoding_format: 'float' });
  expect(upstream.calls[1]!.path).toBe(`/openai/deployments/vectors/embeddings?${DATED}`);
  expect((await booked(weir, tenant)).map(({ status }) => status)).toEqual(['completed', 'completed']);
});

test('the output limit goes by the name that the model came with', async () => {
  await add(`/openai?${DATED}`);
  for (const model of ['gpt-4o', 'o3-mini']) await chat(`azure/${model}`);
  expect(upstream.calls.map(({ body }) => Object.keys(body).filter((name) => /^max_/.test(name)))).toEqual([
    ['max_tokens'],
    ['max_completion_tokens'],
  ]);
});

test('an address as Azure shows it names the deployment, which the bare name then stands for', async () => {
  const { id, base_url, default_model } = await add(`/openai/deployments/our-o3/chat/completions?${DATED}-preview`);
  expect([base_url, default_model]).toEqual([`http://${upstream.hostPort}/openai?${DATED}-preview`, 'our-o3']);
  await chat('azure');
  expect(upstream.calls[0]!.path).toBe(`/openai/deployments/our-o3/chat/completions?${DATED}-preview`);
  const moved = { base_url: `http://${upstream.hostPort}/openai/deployments/other?${DATED}` };
  expect(await tenant.admin('PATCH', `${PROVIDERS}/${id}`, moved)).toMatchObject({ default_model: 'other' });
  expect(await tenant.admin('PATCH', `${PROVIDERS}/${id}`, { ...moved, default_model: null })).toMatchObject({ default_model: null });
});

test('Responses are asked for as chat, unless the record says that this date has them', async () => {
  const { id } = await add(`/openai?${DATED}`);
  const ask = () => tenant.openai.responses.create({ model: 'azure/gpt-5', input: 'Hi' }).catch(() => {});
  await ask();
  expect(upstream.calls[0]!.path).toBe(`/openai/deployments/gpt-5/chat/completions?${DATED}`);
  await tenant.admin('PATCH', `${PROVIDERS}/${id}`, { dialect: 'openai-responses' });
  await eventually(async () => {
    await ask();
    return upstream.calls.at(-1)!.path === `/openai/responses?${DATED}`;
  });
  expect(upstream.calls.at(-1)!.body.model).toBe('gpt-5');
});

test('an address without a date is called as it is', async () => {
  await add('/openai/v1');
  await chat('azure/gpt-4o');
  expect(upstream.calls[0]).toMatchObject({ path: '/openai/v1/chat/completions', body: { messages: [{ role: 'developer' }] } });
});

test.each([
  ['azure', 'api-version=yesterday'],
  ['azure', `${DATED}&x=1`],
  ['azure', `${DATED}#x`],
  ['openai', DATED],
])('400: a provider of type %s at an address with ?%s', async (type, query) => {
  const made = tenant.admin('POST', PROVIDERS, { type, base_url: `http://${upstream.hostPort}/openai?${query}` });
  await expect(made).rejects.toThrow(/must not carry a query/);
});

test('a date does not hide an address that calls may not go to', async () => {
  const made = tenant.admin('POST', PROVIDERS, { type: 'azure', base_url: `https://user:pw@169.254.169.254/openai?${DATED}` });
  await expect(made).rejects.toThrow(/answered 400.*base_url/);
});
