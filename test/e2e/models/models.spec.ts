import { booked, createTenant, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant, upstream } = withWeir();

/** One provider by the vendor's own name, for which the catalog counts, and one whose models nobody knows. */
beforeAll(async () => {
  for (const name of ['openai', 'own']) {
    const provider = { name, type: 'openai', dialect: 'openai-chat', base_url: upstream.baseUrl, key: 'secret' };
    await tenant.admin('POST', '/v1/organization/providers', { ...provider, models: ['gpt-4', 'gpt-4o', 'o1-mini', 'custom'] });
    await tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' });
  }
  await eventually(async () => (await tenant.openai.models.list()).data.length === 8);
});

beforeEach(() => {
  upstream.calls.length = 0;
});

const user = { role: 'user' as const, content: 'Hello' };
const image = { role: 'user' as const, content: [{ type: 'image_url' as const, image_url: { url: 'data:image/png;base64,AAAA' } }] };
const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object', properties: {} } } }];
const ask = (model: string, changes: object = {}) =>
  tenant.openai.chat.completions.create({ model, messages: [user], ...changes }).withResponse();
const about = (model: string) => tenant.openai.models.retrieve(model) as unknown as Promise<Record<string, unknown>>;

/** Says something of a model and waits until the gateway knows. */
async function say(facts: { provider: string; model: string; [fact: string]: unknown }): Promise<string> {
  const { id } = await tenant.admin<{ id: string }>('POST', '/v1/organization/models', facts);
  const { provider, model, context_window, max_output_tokens, ...capabilities } = facts;
  await eventually(async () => {
    const known = await about(`${provider}/${model}`);
    const sizes = Object.entries({ context_window, max_output_tokens }).every(
      ([name, value]) => value === undefined || known[name] === value,
    );
    return (
      sizes && Object.entries(capabilities).every(([name, value]) => (known['capabilities'] as Record<string, unknown>)[name] === value)
    );
  });
  return id;
}

test('GET /v1/models and /v1/models/{id} say what is known of a model and what it costs', async () => {
  const known = {
    id: 'openai/gpt-4o',
    object: 'model',
    owned_by: 'openai',
    context_window: 128_000,
    max_output_tokens: 16_384,
    capabilities: { tools: true, vision: true, reasoning: false },
    price: expect.objectContaining({ currency: 'usd', unit: 'million_tokens' }),
  };
  expect(await about('openai/gpt-4o')).toMatchObject(known);
  const { data } = await tenant.openai.models.list();
  expect(data.find(({ id }) => id === 'openai/gpt-4o')).toEqual(await about('openai/gpt-4o'));
});

test('what is unknown is null, and a server of one’s own is not taken for the vendor', async () => {
  for (const model of ['openai/custom', 'own/gpt-4o'])
    expect(await about(model)).toMatchObject({
      context_window: null,
      max_output_tokens: null,
      capabilities: { tools: null, vision: null, reasoning: null },
    });
});

test('an output limit above what the model gives is lowered, upstream and in the hold, and told', async () => {
  const { response } = await ask('openai/gpt-4o', { max_tokens: 100_000 });
  expect(upstream.calls[0]!.body.max_tokens).toBe(16_384);
  expect(response.headers.get('x-weir-max-tokens')).toBe('16384');
});

test('of an unknown model nothing is lowered or refused', async () => {
  await ask('own/gpt-4o', { max_tokens: 100_000 });
  await ask('openai/custom', { max_tokens: 100_000, messages: [image], tools });
  expect(upstream.calls.map(({ body }) => body.max_tokens)).toEqual([100_000, 100_000]);
  expect(upstream.calls[1]!.body).toMatchObject({ messages: [image], tools });
});

test('images for a model that is known to take none are refused before the call, and cost nothing', async () => {
  const calls = (await booked(weir, tenant)).length;
  await expect(ask('openai/gpt-4', { messages: [user, image] })).rejects.toMatchObject({
    status: 400,
    code: 'invalid_request',
    message: expect.stringContaining('"gpt-4" takes no images'),
  });
  expect(upstream.calls).toEqual([]);
  expect((await booked(weir, tenant)).length).toBe(calls);
});

test('images are seen in every format of a client', async () => {
  const source = { type: 'base64', media_type: 'image/png', data: 'AAAA' };
  const result = [{ type: 'tool_result', tool_use_id: 't', content: [{ type: 'image', source }] }];
  const requests: [string, object][] = [
    ['/responses', { input: [{ role: 'user', content: [{ type: 'input_image', image_url: 'data:image/png;base64,AAAA' }] }] }],
    ['/messages', { max_tokens: 10, messages: [{ role: 'user', content: [{ type: 'image', source }] }] }],
    ['/messages', { max_tokens: 10, messages: [{ role: 'user', content: result }] }],
  ];
  for (const [path, body] of requests)
    await expect(tenant.openai.post(path, { body: { model: 'openai/gpt-4', ...body } })).rejects.toMatchObject({ status: 400 });
  expect(upstream.calls).toEqual([]);
});

test('a model that is known to have no tools is given them in its prompt', async () => {
  await ask('openai/o1-mini', { tools });
  expect(upstream.calls[0]!.body).not.toHaveProperty('tools');
  expect(JSON.stringify(upstream.calls[0]!.body['messages'])).toContain('You can call tools');
});

test('a prompt that is certainly longer than the context window is refused; one that only may be is the provider’s to judge', async () => {
  const words = (count: number) => ({ messages: [{ ...user, content: 'hello '.repeat(count) }] });
  await expect(ask('openai/gpt-4o', words(130_000))).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
  expect(upstream.calls).toEqual([]);
  // As many bytes, but one word: nothing is certain of its tokens.
  await ask('openai/gpt-4o', { messages: [{ ...user, content: 'x'.repeat(700_000) }] });
  // More words than fit, for a model whose tokenizer is not at hand.
  await ask('openai/gpt-4', words(10_000));
  expect(upstream.calls).toHaveLength(2);
});

test('what a tenant says of a model goes before the catalog, field by field, until it is taken back', async () => {
  const first = await say({ provider: 'openai', model: 'gpt-4o', max_output_tokens: 1_000, vision: false });
  const second = await say({ provider: 'openai', model: 'gpt-4o', max_output_tokens: 2_000 });
  expect(second).toBe(first);
  expect(await about('openai/gpt-4o')).toMatchObject({ context_window: 128_000, max_output_tokens: 2_000, capabilities: { vision: true } });
  await ask('openai/gpt-4o', { max_tokens: 5_000 });
  expect(upstream.calls[0]!.body.max_tokens).toBe(2_000);

  await tenant.admin('DELETE', `/v1/organization/models/${second}`);
  await eventually(async () => (await about('openai/gpt-4o'))['max_output_tokens'] === 16_384);
});

test('a tenant can say what nobody knows, and of nobody else’s models', async () => {
  await say({
    provider: 'own',
    model: 'custom',
    context_window: 8_000,
    max_output_tokens: 500,
    tools: false,
    vision: false,
    reasoning: true,
  });
  await ask('own/custom', { tools });
  expect(upstream.calls[0]!.body).toMatchObject({ max_tokens: 500 });
  expect(upstream.calls[0]!.body).not.toHaveProperty('tools');
  await expect(ask('own/custom', { messages: [image] })).rejects.toMatchObject({ status: 400 });

  const other = await createTenant(weir);
  expect(await other.admin('GET', '/v1/organization/models')).toMatchObject({ data: [] });
});

test('an entry that says nothing, or nonsense, is refused', async () => {
  const put = (facts: object) => tenant.admin('POST', '/v1/organization/models', { provider: 'own', model: 'custom', ...facts });
  await expect(put({})).rejects.toThrow(/says nothing of the model/);
  await expect(put({ context_window: 0 })).rejects.toThrow(/context_window/);
  await expect(put({ visoin: true })).rejects.toThrow(/Did you mean .*vision/);
});
