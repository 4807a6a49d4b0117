import { admin, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant, upstream } = withWeir();

async function add(name: string, type: string, fields: object = {}): Promise<string> {
  await tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' });
  const made = { name, type, base_url: upstream.baseUrl, key: 'secret', ...fields };
  const { id } = await tenant.admin<{ id: string }>('POST', '/v1/organization/providers', made);
  await eventually(() =>
    tenant.openai.models.retrieve(`${name}/m`).then(
      () => true,
      () => false,
    ),
  );
  return id;
}

/** The headers for an AI Gateway that a call brings with it. */
async function sent(provider: string, headers: Record<string, string> = {}): Promise<object> {
  const ask = { model: `${provider}/openai/gpt-4o`, messages: [{ role: 'user' as const, content: 'Hello' }] };
  await tenant.openai.chat.completions.create(ask, { headers });
  const call = upstream.calls.pop()!;
  expect(call.body.model).toBe('openai/gpt-4o');
  return Object.fromEntries(Object.entries(call.headers).filter(([name]) => name.startsWith('cf-aig-')));
}

const OPTIONS = {
  id: 'main',
  skip_cache: false,
  cache_ttl: 60,
  cache_key: 'of-the-record',
  collect_log: true,
  event_id: 'e-1',
  metadata: { team: 'a', tries: 2 },
};

test('the options of a record go along as headers', async () => {
  const id = await add('cf', 'cloudflare-ai', { gateway_options: OPTIONS });
  expect(await tenant.admin('GET', `/v1/organization/providers/${id}`)).toMatchObject({ type: 'cloudflare', gateway_options: OPTIONS });
  expect(await sent('cf')).toEqual({
    'cf-aig-gateway-id': 'main',
    'cf-aig-skip-cache': 'false',
    'cf-aig-cache-ttl': '60',
    'cf-aig-cache-key': 'of-the-record',
    'cf-aig-collect-log': 'true',
    'cf-aig-event-id': 'e-1',
    'cf-aig-metadata': '{"team":"a","tries":2}',
  });
});

test('those of a request go before them, but for which gateway it is', async () => {
  await add('cf-2', 'cloudflare', { gateway_options: { id: 'main', cache_ttl: 60 } });
  expect(await sent('cf-2', { 'cf-aig-cache-ttl': '5', 'cf-aig-event-id': 'mine', 'cf-aig-gateway-id': 'other' })).toEqual({
    'cf-aig-gateway-id': 'main',
    'cf-aig-cache-ttl': '5',
    'cf-aig-event-id': 'mine',
  });
});

test('a provider of another type gets none and takes none', async () => {
  const id = await add('other', 'openai');
  expect(await sent('other', { 'cf-aig-cache-ttl': '5' })).toEqual({});
  const change = tenant.admin('PATCH', `/v1/organization/providers/${id}`, { gateway_options: { cache_ttl: 5 } });
  await expect(change).rejects.toThrow(/gateway_options/);
});

test('a provider of the platform is shared, and so is its cache: a client’s options go nowhere', async () => {
  const id = await add('shared', 'cloudflare', { gateway_options: { cache_ttl: 60 } });
  // Only an operator's price counts for what the platform pays.
  const price = { provider: 'shared', model: '*', input: '1', output: '2' };
  await admin(weir, weir.operatorKey, 'POST', '/v1/organization/prices', price, { 'x-weir-tenant': tenant.id });
  const provider = `'${id.slice('prov_'.length)}'::uuid`;
  await weir.db.query(`INSERT INTO provider_grants (tenant_id, provider_id) SELECT tenant_id, id FROM providers WHERE id = ${provider}`);
  await weir.db.query(`DELETE FROM credentials WHERE provider_id = ${provider}`);
  await weir.db.query(`UPDATE providers SET tenant_id = NULL WHERE id = ${provider}`);
  await eventually(async () => {
    const headers = await sent('shared', { 'cf-aig-cache-key': 'of-somebody-else' }).catch(() => ({}));
    return JSON.stringify(headers) === '{"cf-aig-cache-ttl":"60"}';
  });
});
