import { brokenInvariants } from '../../support/ledger.js';
import { booked, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant, upstream } = withWeir({ hasProvider: true });

const REQUEST = { model: 'up/test-model', messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 100 };
const statusOf = () =>
  tenant.openai.chat.completions.create(REQUEST).then(
    () => '200',
    (error) => `${error.status} ${error.code}`,
  );

const provider = async () => (await tenant.admin<{ data: { id: string }[] }>('GET', '/v1/organization/providers')).data[0]!;
const enterKey = async (key: string) => tenant.admin('POST', `/v1/organization/providers/${(await provider()).id}`, { key });

test('a credential that cannot be opened: calls get 503, nothing is sent or booked, and entering it again fixes it', async () => {
  expect(await statusOf()).toBe('200');
  await weir.db.query('UPDATE credentials SET sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1)');
  await eventually(async () => (await statusOf()) === '503 credential_unavailable', 10_000);
  const [sent, calls] = [upstream.calls.length, (await booked(weir, tenant)).length];
  expect(await statusOf()).toBe('503 credential_unavailable');
  expect([upstream.calls.length, (await booked(weir, tenant)).length]).toEqual([sent, calls]);

  await enterKey('sk-up-entered-again');
  await eventually(async () => (await statusOf()) === '200', 10_000);
  expect(upstream.calls.at(-1)!.headers['authorization']).toBe('Bearer sk-up-entered-again');
  expect(await brokenInvariants(weir.db)).toEqual([]);
});

test('the database has keys of another master key by now: no secret is stored, the one that is known goes on', async () => {
  await weir.db.query(`UPDATE data_keys SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1) WHERE purpose LIKE 'tenant:%'`);
  await expect(enterKey('sk-up-that-nobody-could-open')).rejects.toThrow(/answered 503.*credential_unavailable/);
  await expect(
    tenant.admin('POST', '/v1/organization/providers', {
      name: 'other',
      type: 'openai',
      base_url: upstream.baseUrl,
      key: 'sk-other-secret',
    }),
  ).rejects.toThrow(/answered 503.*credential_unavailable/);
  expect(await statusOf()).toBe('200');

  await weir.db.query(`UPDATE data_keys SET wrapped = set_byte(wrapped, 40, get_byte(wrapped, 40) # 1) WHERE purpose LIKE 'tenant:%'`);
  await enterKey('sk-up-that-can-be-opened');
  await eventually(
    async () => (await statusOf()) === '200' && upstream.calls.at(-1)!.headers['authorization'] === 'Bearer sk-up-that-can-be-opened',
  );
});
