import { CATALOG, type ProviderType } from '../../../src/providers/index.js';
import { json } from '../../support/upstream.js';
import { createTenant, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const { weir, tenant, upstream } = withWeir();

/** Names of the types of the catalog that go out to the network with a key, aliases too, each with its type. */
const NAMES = CATALOG.filter(({ slug, subscription }) => slug !== 'mock' && !subscription).flatMap((type) =>
  [type.slug, ...Object.keys(type.aliases)].map((name) => [name, type] as const),
);

/** Where each format's calls go, after the base URL, and how they name the model. */
const PATHS: Record<string, RegExp> = {
  'openai-chat': /^\/chat\/completions$/,
  'anthropic-messages': /^\/v1\/messages$/,
  gemini: /^(\/v1beta|\/publishers\/google)?\/models\/some-model:generateContent$/,
  'bedrock-converse': /^\/model\/some-model\/converse$/,
  ollama: /^(\/api)?\/chat$/,
  cohere: /^(\/v2)?\/chat$/,
  'workers-ai': /^\/run\/some-model$/,
};

beforeAll(async () => {
  upstream.script = json(500, { error: { message: 'that is enough' } });
  for (const [name] of NAMES)
    await tenant.admin('POST', '/v1/organization/providers', {
      type: name,
      base_url: `http://${upstream.hostPort}`,
      key: keyOf(name),
    });
  await eventually(async () => (await ask(NAMES.at(-1)![0])).status !== 404, 20_000);
});

/** Without a dot: a key of Zhipu's in two parts is shown otherwise, see credentials.spec.ts. */
const keyOf = (name: string): string => `key-of-${name.replaceAll('.', '-')}`;

const ask = (name: string) =>
  fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: `${name}/some-model`, messages: [{ role: 'user', content: 'Hi' }] }),
  });

test.each(NAMES)(
  '%s is called where its format says, by its model’s own id, with its key in its header',
  async (name, { auth, dialects }: ProviderType) => {
    upstream.calls.length = 0;
    await ask(name);
    const [{ path, headers, body }] = upstream.calls as [(typeof upstream.calls)[0]];
    expect(path).toMatch(PATHS[dialects[0]!]!);
    expect(`${path} ${JSON.stringify(body)}`).toContain('some-model');
    expect(`${path} ${JSON.stringify(body)}`).not.toContain(`${name}/some-model`);
    const secret = keyOf(name);
    const shown = Object.entries(headers).filter(([, value]) => String(value).includes(secret));
    expect(shown).toEqual([auth.kind === 'header' ? [auth.name, secret] : ['authorization', `Bearer ${secret}`]]);
  },
);

test('the types are listed with their aliases, addresses and formats', async () => {
  const { data } = await tenant.admin<{ data: { type: string; aliases: { alias: string; base_url: string }[] }[] }>(
    'GET',
    '/v1/organization/provider_types',
  );
  expect(data.map(({ type }) => type)).toEqual(CATALOG.map(({ slug }) => slug));
  const moonshot = data.find(({ type }) => type === 'moonshot')!;
  expect(moonshot).toMatchObject({ base_url: 'https://api.moonshot.cn/v1', auth_header: 'authorization', dialects: ['openai-chat'] });
  expect(moonshot.aliases).toContainEqual({ alias: 'kimi-intl', base_url: 'https://api.moonshot.ai/v1' });
});

test('an alias that stands for a region brings its address, and keeps its name', async () => {
  const other = await createTenant(weir);
  const provider = await other.admin('POST', '/v1/organization/providers', { type: 'qwen-us' });
  expect(provider).toMatchObject({ name: 'qwen-us', type: 'qwen', base_url: 'https://dashscope-us.aliyuncs.com/compatible-mode/v1' });
});

test('a type there is none of is refused, naming the nearest', async () => {
  await expect(tenant.admin('POST', '/v1/organization/providers', { type: 'antropic' })).rejects.toThrow(/Did you mean \\"anthropic\\"/);
});
