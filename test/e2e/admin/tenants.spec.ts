import { withWeir } from '../../support/with-weir.js';
import { clientOf, type Send } from './client.js';

const { weir } = withWeir({ tenant: 'none' });
let send: Send;

beforeAll(async () => {
  send = clientOf(weir, weir.operatorKey);
});

test.each(['POST', 'PATCH'])('%s updates a tenant', async (method) => {
  const { body: tenant } = await send('POST', '/v1/platform/tenants', { name: 'Acme' });
  const changes = { name: 'Acme Inc.', external_id: `updated by ${method}`, metadata: { plan: 'large' }, unpriced_call_cost: '0.01' };
  const reply = await send(method, `/v1/platform/tenants/${tenant.id}`, changes);
  expect([reply.status, reply.body]).toMatchObject([200, changes]);
  expect((await send('GET', `/v1/platform/tenants/${tenant.id}`)).body).toMatchObject(changes);
});

test.each(['akey_00000000000000000000000000000000', 'nonsense'])(
  'the operator key %s, which is not there, is missed by its own name',
  async (id) => {
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/revoke'],
      ['POST', '/rotate'],
    ] as const) {
      const { body } = await send(method, `/v1/platform/operator_keys/${id}${path}`);
      expect(body.error).toMatchObject({ code: 'not_found', message: 'There is no such operator key.' });
    }
  },
);
