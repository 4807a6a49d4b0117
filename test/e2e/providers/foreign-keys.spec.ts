import { createTenant, startTestWeir, type TestWeir } from '../../support/weir.js';

let weir: TestWeir;

beforeAll(async () => {
  weir = await startTestWeir();
});

afterAll(() => weir?.stop());

test('a key that another vendor issued is refused wherever it is entered, and is not repeated', async () => {
  const tenant = await createTenant(weir);
  const providers = '/v1/organization/providers';
  const foreign = 'sk-ant-api03-of-another-vendor';
  const refused = async (path: string, body: object) => {
    const error = await tenant.admin('POST', path, body).then(
      () => null,
      (thrown: Error) => thrown.message,
    );
    expect(error).toMatch(/answered 400: .*a key of Anthropic, and this provider is at api\.openai\.com/);
    expect(error).not.toContain(foreign);
  };
  const openai = { type: 'openai', name: 'openai', no_verify: true };
  await refused(providers, { ...openai, key: foreign });
  await refused(providers, { ...openai, keys: ['sk-proj-right', foreign] });
  const { id } = await tenant.admin<{ id: string }>('POST', providers, { ...openai, key: 'sk-proj-right' });
  await refused(`${providers}/${id}`, { key: foreign });
  await refused(`${providers}/${id}/keys`, { key: foreign });
  await tenant.admin('POST', providers, { type: 'anthropic', name: 'anthropic', no_verify: true, key: foreign });
});
