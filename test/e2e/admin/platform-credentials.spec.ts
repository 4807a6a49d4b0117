import { createTenant } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';
import { clientOf, type Send } from './client.js';

const KEY = 'sk-of-the-environment-4321';

const { weir } = withWeir({ environment: { OPENAI_API_KEY: KEY }, tenant: 'none' });
let operator: Send;

beforeAll(async () => {
  operator = clientOf(weir, weir.operatorKey);
});

test('a key of the environment is a credential of the platform, shown by its last four, which tenants use only once they are granted it', async () => {
  const { body } = await operator('GET', '/v1/platform/credentials');
  expect(body.data).toMatchObject([{ provider: 'openai', has_key: true, keys: [{ last4: '4321', health: 'healthy', ready_at: null }] }]);
  expect(JSON.stringify(body)).not.toContain(KEY.slice(0, -4));
  const path = `/v1/platform/credentials/${body.data[0]!.id}`;
  expect((await operator('GET', path)).body).toEqual(body.data[0]);

  const [granted, other] = [await createTenant(weir), await createTenant(weir)];
  expect((await operator('GET', `${path}/grants`)).body.data).toEqual([]);
  const { body: grant } = await operator('POST', `${path}/grants`, { tenant: granted.id });
  expect((await operator('GET', `${path}/grants`)).body.data).toEqual([grant]);
  expect(JSON.stringify(grant)).not.toContain(other.id);
  await operator('DELETE', `${path}/grants/${granted.id}`);
  expect((await operator('GET', `${path}/grants`)).body.data).toEqual([]);
});
