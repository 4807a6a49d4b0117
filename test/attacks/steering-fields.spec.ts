import { eventually } from '../support/weir.js';
import { PROVIDER_FORMATS, type Rig, startRig } from './support/formats.js';
import { CALLS, CONVERSATIONS, SURFACES, send } from './support/surfaces.js';

const SAID = { text: 'Hello', usage: { input: 9, cacheRead: 0, output: 12 } };

/** Many providers are made, one after another. */
const SETUP_MS = 120_000;

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
  for (const type of ['openrouter', 'portkey']) {
    const fields = { name: type, type, base_url: rig.upstream.baseUrl, key: 'secret', dialect: 'openai-chat' };
    await rig.tenant.admin('POST', '/v1/organization/prices', { provider: type, model: '*', input: '1', output: '2' });
    await rig.tenant.admin('POST', '/v1/organization/providers', fields);
  }
  await eventually(() => rig.tenant.openai.models.retrieve('portkey/m').then(Boolean, () => false));
}, SETUP_MS);

afterAll(() => rig.stop());

beforeEach(() => {
  rig.upstream.calls.length = 0;
});

const AWAY = 'https://attacker.example/v1';
const post = async (path: string, body: object, headers: Record<string, string> = {}) => {
  const reply = await send(rig.to, { method: 'POST', path }, body, headers);
  const { error } = (await reply.json().catch(() => ({}))) as { error?: { param?: string | null; code?: string } };
  return { status: reply.status, param: error?.param ?? null };
};

/** Where in a request, and what the refusal names. */
const STEERING: [more: object, param: string][] = [
  [{ api_base: AWAY }, 'api_base'],
  [{ apiBase: AWAY }, 'apiBase'],
  [{ API_BASE: AWAY }, 'API_BASE'],
  [{ 'api-base': AWAY }, 'api-base'],
  [{ base_url: AWAY }, 'base_url'],
  [{ baseURL: AWAY }, 'baseURL'],
  [{ api_key: 'sk-other' }, 'api_key'],
  [{ extra_headers: { authorization: 'x' } }, 'extra_headers'],
  [{ proxies: { https: AWAY } }, 'proxies'],
  [{ litellm_params: { api_base: AWAY } }, 'litellm_params'],
  [{ custom_llm_provider: 'openai' }, 'custom_llm_provider'],
  [{ aws_bedrock_runtime_endpoint: AWAY }, 'aws_bedrock_runtime_endpoint'],
  [{ vertex_project: 'other' }, 'vertex_project'],
  [{ azure_endpoint: AWAY }, 'azure_endpoint'],
  [{ virtual_key: 'other' }, 'virtual_key'],
  [{ route: 'fallback' }, 'route'],
  [{ plugins: [{ id: 'web' }] }, 'plugins'],
  [{ provider: { order: ['dear'] } }, 'provider'],
  [{ preset: 'mine' }, 'preset'],
  [{ providerOptions: { gateway: { order: ['x'], models: ['y'] } } }, 'providerOptions'],
  [{ data_sources: [{ type: 'azure_search', parameters: { endpoint: AWAY } }] }, 'data_sources'],
  [{ guardrailConfig: { guardrailIdentifier: 'x' } }, 'guardrailConfig'],
  [{ promptVariables: { a: { text: 'b' } } }, 'promptVariables'],
  [{ additionalModelRequestFields: { model: 'x' } }, 'additionalModelRequestFields'],
  [{ agent_id: 'ag_1' }, 'agent_id'],
  [{ lora: [{ id: 0 }] }, 'lora'],
  [{ safety_model: 'x' }, 'safety_model'],
  [{ compound_custom: { models: { answering_model: 'x' } } }, 'compound_custom.models'],
  [{ extra_body: { model: 'other' } }, 'extra_body.model'],
  [{ extra_body: { deep: { er: [{ api_base: AWAY }] } } }, 'extra_body.deep.er[0].api_base'],
  [{ stream_options: { api_key: 'x' } }, 'stream_options.api_key'],
];

const surfaces = [...CALLS, ...SURFACES.filter(({ kind }) => kind === 'count')];

test('no field that steers passes, on any surface, in any format, and nothing is sent', async () => {
  const passed: string[] = [];
  for (const surface of surfaces)
    for (const format of PROVIDER_FORMATS) {
      rig.upstream.script = surface.path === '/v1/embeddings' ? (format.embeds ?? format.says(SAID)) : format.says(SAID);
      // Each format gets each field on one of the surfaces at least, and each surface in one of the formats.
      const turn = PROVIDER_FORMATS.indexOf(format) + surfaces.indexOf(surface);
      for (const [at, [more, param]] of STEERING.entries()) {
        if ((at + turn) % 5 !== 0) continue;
        const reply = await post(surface.path, surface.body(`${format.dialect}/m`, 'Hello', more));
        if (reply.status !== 400 || reply.param !== param)
          passed.push(`${surface.route} ${format.dialect} ${param}: ${reply.status} ${reply.param}`);
      }
    }
  expect(passed).toEqual([]);
  expect(rig.upstream.calls).toEqual([]);
});

test.each(STEERING)('%j is refused by its name', async (more, param) => {
  for (const surface of surfaces)
    expect([surface.route, await post(surface.path, surface.body('openai-chat/m', 'Hello', more))]).toEqual([
      surface.route,
      { status: 400, param },
    ]);
});

test.each([
  ['an embedded tool', { tools: [{ type: 'advisor', name: 'a', model: 'other/dear' }] }, 'tools[0].model'],
  ['an embedded tool', { tools: [{ type: 'function', api_base: AWAY, function: { name: 'f' } }] }, 'tools[0].api_base'],
])('%s steers nothing either', async (_, more, param) => {
  for (const surface of CONVERSATIONS.filter(({ tools }) => tools))
    expect([surface.route, await post(surface.path, surface.body('openai-chat/m', 'Hello', more))]).toEqual([
      surface.route,
      { status: 400, param },
    ]);
});

/** Weir itself obeys these there. */
const OBEYING = ['/v1/chat/completions', '/v1/responses', '/v1/messages'];

test.each(['models', 'fallbacks'])('%s is a list of plain names, and no provider sees it', async (field) => {
  for (const surface of surfaces) {
    const steers = { [field]: [{ model: 'openai-chat/m', api_base: AWAY }] };
    const obeys = OBEYING.includes(surface.path);
    expect([surface.route, await post(surface.path, surface.body('openai-chat/m', 'Hello', steers))]).toEqual([
      surface.route,
      { status: 400, param: obeys ? `${field}[0]` : field },
    ]);
    if (!obeys) continue;
    expect(await post(surface.path, surface.body('openai-chat/m', 'Hello', { [field]: 'openai-chat/m' }))).toEqual({
      status: 400,
      param: field,
    });
    expect(await post(surface.path, surface.body('openai-chat/m', 'Hello', { [field]: Array(17).fill('openai-chat/m') }))).toMatchObject({
      status: 400,
    });
    expect((await post(surface.path, surface.body('openai-chat/m', 'Hello', { [field]: ['openai-chat/m', 'openai/none'] }))).status).toBe(
      404,
    );
    expect(rig.upstream.calls).toEqual([]);
  }
  for (const surface of surfaces.filter(({ path }) => OBEYING.includes(path)))
    for (const format of PROVIDER_FORMATS) {
      rig.upstream.script = format.says(SAID);
      const more = { [field]: [`${format.dialect}/m`, `${format.dialect}/m`] };
      expect([
        surface.route,
        format.dialect,
        (await post(surface.path, surface.body(`${format.dialect}/m`, 'Hello', more))).status,
      ]).toEqual([surface.route, format.dialect, 200]);
      for (const { text } of rig.upstream.calls.splice(0)) expect(text).not.toContain(field);
    }
});

test('a message cannot carry where the request goes', async () => {
  const messages = [{ role: 'user', content: [{ type: 'text', text: 'Hello', api_base: AWAY }] }];
  for (const path of ['/v1/chat/completions', '/v1/messages'])
    expect(await post(path, { model: 'openai-chat/m', max_tokens: 10, messages })).toEqual({
      status: 400,
      param: 'messages[0].content[0].api_base',
    });
});

test.each([['portkey', { config: 'pc-1' }, 'config']])('what steers %s only is refused there', async (provider, more, param) => {
  const chat = { model: `${provider}/m`, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 10 };
  expect(await post('/v1/chat/completions', { ...chat, ...more })).toEqual({ status: 400, param });
});

test.each([
  'openrouter/@preset/mine',
  'openrouter/openai/gpt-5@preset/mine',
  'openrouter/openai/gpt-5:online',
  'openrouter/openai/gpt-5:nitro',
])('%s, which chooses more than a model, is no model unless it is exposed by name', async (model) => {
  const reply = await post('/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 10 });
  expect(reply.status).toBe(404);
  expect(rig.upstream.calls).toEqual([]);
});

test('headers and query parameters that steer other gateways go nowhere', async () => {
  rig.upstream.script = PROVIDER_FORMATS[0]!.says(SAID);
  const headers = {
    'x-litellm-api-base': AWAY,
    'x-portkey-custom-host': AWAY,
    'x-portkey-config': 'pc-1',
    'x-portkey-provider': 'openai',
    'helicone-target-url': AWAY,
    'helicone-auth': 'Bearer x',
    'openai-organization': 'org-1',
    'openai-project': 'proj-1',
    'x-session-id': 's',
    'x-session-affinity': 's',
    session_id: 's',
    'http-referer': AWAY,
    'x-title': 't',
    'x-vercel-ai-gateway': 'x',
  };
  const surface = CALLS.find(({ path }) => path === '/v1/chat/completions')!;
  const path = `${surface.path}?api_base=${encodeURIComponent(AWAY)}&api-version=1&model=other`;
  expect((await post(path, surface.body('openai-chat/m'), headers)).status).toBe(200);
  const [sent] = rig.upstream.calls;
  expect(sent!.path).toBe('/v1/chat/completions');
  expect(Object.keys(headers).filter((name) => name in sent!.headers)).toEqual([]);
});

/** The same names where a caller writes for the model, or for itself. */
const WORDS = {
  api_base: AWAY,
  base_url: AWAY,
  api_key: 'k',
  model: 'm',
  models: ['a'],
  provider: 'p',
  route: 'r',
  plugins: [],
  fallbacks: [],
};
const SCHEMA = {
  type: 'object',
  properties: Object.fromEntries(Object.keys(WORDS).map((name) => [name, { type: 'string', description: name }])),
  required: Object.keys(WORDS),
};

test('what is written for the model is nobody’s steering: texts, arguments, schemas and metadata pass', async () => {
  const text = JSON.stringify(WORDS);
  const chatTool = { type: 'function', function: { name: 'f', description: text, parameters: SCHEMA } };
  const requests: [path: string, body: object][] = [
    [
      '/v1/chat/completions',
      {
        messages: [
          { role: 'system', content: text },
          { role: 'user', content: [{ type: 'text', text }] },
          { role: 'assistant', content: null, tool_calls: [{ id: 'c1', type: 'function', function: { name: 'f', arguments: text } }] },
          { role: 'tool', tool_call_id: 'c1', content: text },
        ],
        tools: [chatTool],
        response_format: { type: 'json_schema', json_schema: { name: 's', schema: SCHEMA } },
        metadata: { model: 'm', provider: 'p', api_key: 'k' },
      },
    ],
    [
      '/v1/responses',
      {
        input: [
          { role: 'user', content: [{ type: 'input_text', text }] },
          { type: 'function_call', call_id: 'c1', name: 'f', arguments: text },
          { type: 'function_call_output', call_id: 'c1', output: text },
        ],
        instructions: text,
        tools: [{ type: 'function', name: 'f', parameters: SCHEMA, strict: false }],
        text: { format: { type: 'json_schema', name: 's', schema: SCHEMA } },
        metadata: { model: 'm', provider: 'p', api_key: 'k' },
      },
    ],
    [
      '/v1/messages',
      {
        max_tokens: 100,
        system: [{ type: 'text', text }],
        messages: [
          { role: 'user', content: text },
          { role: 'assistant', content: [{ type: 'tool_use', id: 'c1', name: 'f', input: WORDS }] },
          { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'c1', content: text }] },
        ],
        tools: [{ name: 'f', description: text, input_schema: SCHEMA }],
      },
    ],
  ];
  for (const format of PROVIDER_FORMATS.filter(({ dialect }) => !['openai-completions', 'workers-ai'].includes(dialect))) {
    rig.upstream.script = format.says(SAID);
    for (const [path, body] of requests)
      expect([format.dialect, path, await post(path, { ...body, model: `${format.dialect}/${format.model}` })]).toEqual([
        format.dialect,
        path,
        { status: 200, param: null },
      ]);
  }
});
