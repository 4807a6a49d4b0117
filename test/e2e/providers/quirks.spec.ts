import { QUIRKS } from '../../../src/providers/index.js';
import { type UpstreamCall } from '../../support/upstream.js';
import { eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { tenant, upstream } = withWeir();

beforeAll(async () => {
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'up', model: '*', input: '1', output: '2' });
});

const call = { id: 'call_1_of_many', type: 'function', function: { name: 'weather', arguments: '{}' } };
const tool = { type: 'function', function: { name: 'weather', strict: true, parameters: { type: 'object', properties: {} } } };
const schema = { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object' } } };
const user = { role: 'user', content: 'Hello' };
const turn = (fields: object) => [
  user,
  { role: 'assistant', content: null, tool_calls: [call], ...fields },
  { role: 'tool', tool_call_id: call.id, content: 'sunny' },
];

/** Of each quirk: a value, a request it matters to, and what is looked at in what is sent. */
const CASES: Record<string, { value: unknown; asks: object; seen: (body: UpstreamCall['body']) => unknown; becomes: unknown }> = {
  max_tokens_field: { value: 'max_completion_tokens', asks: {}, seen: (body) => body['max_completion_tokens'], becomes: 32_768 },
  developer_role: {
    value: false,
    asks: { messages: [{ role: 'developer', content: 'Be kind' }, user] },
    seen: (body) => rolesOf(body),
    becomes: ['system', 'user'],
  },
  single_system: {
    value: true,
    asks: { messages: [{ role: 'system', content: 'a' }, { role: 'system', content: 'b' }, user] },
    seen: (body) => rolesOf(body),
    becomes: ['system', 'user'],
  },
  text_content: {
    value: true,
    asks: { messages: [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }] },
    seen: (body) => messagesOf(body)[0]!['content'],
    becomes: 'Hello',
  },
  null_content: { value: true, asks: { messages: turn({}) }, seen: (body) => messagesOf(body)[1]!['content'], becomes: '' },
  stream_options: { value: false, asks: { stream: true }, seen: (body) => 'stream_options' in body, becomes: false },
  required_tool_choice: {
    value: 'any',
    asks: { tools: [tool], tool_choice: 'required' },
    seen: (body) => body['tool_choice'],
    becomes: 'any',
  },
  strict_tools: {
    value: false,
    asks: { tools: [tool] },
    seen: (body) => (body['tools'] as (typeof tool)[])[0]!.function.strict ?? null,
    becomes: null,
  },
  json_schema: {
    value: false,
    asks: { response_format: schema },
    seen: (body) => (body['response_format'] as { type: string }).type,
    becomes: 'json_object',
  },
  reasoning_back: {
    value: 'never',
    asks: { messages: turn({ reasoning_content: 'hm' }) },
    seen: (body) => messagesOf(body)[1]!['reasoning_content'] ?? null,
    becomes: null,
  },
  thinking: { value: 'deepseek', asks: { thinking_level: 'high' }, seen: (body) => body['thinking'], becomes: { type: 'enabled' } },
  tool_call_ids: {
    value: 'nine-alphanumerics',
    asks: { messages: turn({}) },
    seen: (body) => /^[a-zA-Z0-9]{9}$/.test(messagesOf(body)[2]!['tool_call_id'] as string),
    becomes: true,
  },
  seed_field: { value: 'random_seed', asks: { seed: 7 }, seen: (body) => body['random_seed'] ?? null, becomes: 7 },
};

const messagesOf = (body: UpstreamCall['body']) => body['messages'] as Record<string, unknown>[];
const rolesOf = (body: UpstreamCall['body']) => messagesOf(body).map(({ role }) => role);

/** What the provider gets of a request, with these quirks. */
async function sent(quirks: object, { thinking_level: level, ...asks }: { thinking_level?: string }): Promise<UpstreamCall['body']> {
  const made = await tenant.admin<{ id: string; quirks: object }>('POST', '/v1/organization/providers', {
    ...{ name: 'up', type: 'custom', base_url: upstream.baseUrl, key: 'secret', quirks },
  });
  expect(made.quirks).toEqual(quirks);
  await eventually(async () => isKnown());
  const body = { model: 'up/some-model', messages: [user], ...asks };
  const headers = level === undefined ? {} : { 'x-weir-thinking-level': level };
  await tenant.openai.post('/chat/completions', { body, headers, __binaryResponse: true }).then((reply) => (reply as Response).text());
  await tenant.admin('DELETE', `/v1/organization/providers/${made.id}`);
  await eventually(async () => !(await isKnown()));
  return upstream.calls.pop()!.body;
}

const isKnown = () =>
  tenant.openai.models.retrieve('up/some-model').then(
    () => true,
    () => false,
  );

test('every quirk there is has a case here, but native tools, which have a field of their own', () => {
  const names = Object.keys(QUIRKS).map((name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
  expect(Object.keys(CASES).sort()).toEqual(names.filter((name) => name !== 'native_tools').sort());
});

test.each(Object.keys(CASES))('the quirk %s of a provider changes what is sent to it', async (name) => {
  const { value, asks, seen, becomes } = CASES[name]!;
  const before = await sent({}, asks);
  const after = await sent({ [name]: value }, asks);
  expect(seen(before)).not.toEqual(becomes);
  expect(seen(after)).toEqual(becomes);
});

test('quirks go over those of the type, are changed by PATCH, and unknown ones are refused with the nearest name', async () => {
  const { id } = await tenant.admin<{ id: string }>('POST', '/v1/organization/providers', {
    ...{ name: 'seeds', type: 'mistral', base_url: upstream.baseUrl, key: 'secret', quirks: { seed_field: 'seed' } },
  });
  await tenant.admin('POST', '/v1/organization/prices', { provider: 'seeds', model: '*', input: '1', output: '2' });
  const ask = { model: 'seeds/m', messages: [{ role: 'user' as const, content: 'Hello' }], seed: 7 };
  await eventually(() =>
    tenant.openai.models.retrieve('seeds/m').then(
      () => true,
      () => false,
    ),
  );
  await tenant.openai.chat.completions.create(ask);
  expect(upstream.calls.pop()!.body).toMatchObject({ seed: 7 });

  await tenant.admin('PATCH', `/v1/organization/providers/${id}`, { quirks: {} });
  await eventually(async () => {
    await tenant.openai.chat.completions.create(ask);
    return upstream.calls.pop()!.body['random_seed'] === 7;
  });

  const refused = (quirks: object) => expect(tenant.admin('PATCH', `/v1/organization/providers/${id}`, { quirks })).rejects;
  await refused({ seed_feild: 'seed' }).toThrow(/"quirks\.seed_feild\\?" is not known here\. Did you mean \\?"seed_field/);
  await refused({ seed_field: 'sead' }).toThrow(/quirks\.seed_field/);
  await refused({ native_tools: false }).toThrow(/quirks\.native_tools/);
});
