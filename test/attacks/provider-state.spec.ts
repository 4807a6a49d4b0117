import Anthropic from '@anthropic-ai/sdk';
import { createTenant, type TestTenant } from '../support/weir.js';
import { PROVIDER_FORMATS, type Rig, startRig } from './support/formats.js';
import { lendFormats, lentModelOf, lentName } from './support/lent.js';
import { CALLS, CONVERSATIONS, SURFACES, send } from './support/surfaces.js';

const SAID = { text: 'Hello', usage: { input: 9, cacheRead: 0, output: 12 } };

/** Many providers are made, one after another. */
const SETUP_MS = 120_000;

let rig: Rig;
let other: TestTenant;

beforeAll(async () => {
  rig = await startRig();
  other = await createTenant(rig.weir);
  await lendFormats(rig, true, PROVIDER_FORMATS, [other]);
}, SETUP_MS);

afterAll(() => rig.stop());

beforeEach(() => {
  rig.upstream.calls.length = 0;
});

const formatOf = (dialect: string) => PROVIDER_FORMATS.find((format) => format.dialect === dialect)!;

async function post(path: string, body: object, apiKey = rig.tenant.apiKey) {
  const reply = await send({ publicUrl: rig.weir.publicUrl, apiKey }, { method: 'POST', path }, body);
  const { error } = (await reply.json().catch(() => ({}))) as { error?: { param?: string | null; details?: object; type?: string } };
  return { status: reply.status, param: error?.param ?? null, error };
}
const outcome = async (path: string, body: object) => {
  const { status, param } = await post(path, body);
  return { status, param };
};

const USER = { role: 'user', content: 'Hello' };
const FILE = 'file-of-somebody-else';

/** What can make a prompt longer than the request is. */
const TEMPLATES: [more: object, param: string][] = [
  [{ chat_template: '{% for i in range(9999) %}word {% endfor %}' }, 'chat_template'],
  [{ chat_template_kwargs: { chat_template: 'x' } }, 'chat_template_kwargs'],
  [{ extra_body: { 'chat-template': 'x' } }, 'extra_body.chat-template'],
  [{ documents: [{ title: 'a', text: 'b' }] }, 'documents'],
  [{ mm_processor_kwargs: { num_crops: 64 } }, 'mm_processor_kwargs'],
  [{ media_io_kwargs: { video: { num_frames: 999 } } }, 'media_io_kwargs'],
];

test.each(TEMPLATES)('a lent provider is not told how to write a prompt: %j', async (more, param) => {
  for (const surface of CONVERSATIONS) {
    const reply = await post(surface.path, surface.body(lentModelOf(formatOf('openai-chat')), 'Hello', more));
    expect([surface.route, reply.status, reply.param]).toEqual([surface.route, 400, param]);
  }
  expect(rig.upstream.calls).toEqual([]);
});

test('switches of a template pass, and a tenant writes the prompts of its own providers', async () => {
  const format = formatOf('openai-chat');
  rig.upstream.script = format.says(SAID);
  const chat = (model: string, more: object) =>
    outcome('/v1/chat/completions', { model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 10, ...more });
  const switches = { chat_template_kwargs: { enable_thinking: false } };
  expect(await chat(lentModelOf(format), switches)).toEqual({ status: 200, param: null });
  for (const [more] of TEMPLATES.filter(([, param]) => !param.startsWith('extra_body')))
    expect(await chat('openai-chat/m', more)).toEqual({ status: 200, param: null });
});

/** By field, on whichever surface. */
const ANYWHERE: [more: object, param: string][] = [
  [{ previous_response_id: 'resp_1' }, 'previous_response_id'],
  [{ conversation: 'conv_1' }, 'conversation'],
  [{ conversation: { id: 'conv_1' } }, 'conversation'],
  [{ container: 'container_1' }, 'container'],
  [{ container: { id: 'container_1', skills: [{ type: 'custom', skill_id: 's' }] } }, 'container'],
  [{ cached_content: 'cachedContents/1' }, 'cached_content'],
  [{ cachedContent: 'cachedContents/1' }, 'cachedContent'],
  [{ context_id: 'ctx-1' }, 'context_id'],
  [{ batch_id: 'b' }, 'batch_id'],
  [{ store: true }, 'store'],
  [{ background: true }, 'background'],
  [{ deferred: true }, 'deferred'],
  [{ tools: [{ type: 'file_search', vector_store_ids: ['vs_1'] }] }, 'tools[0].vector_store_ids'],
  [{ tools: [{ type: 'code_interpreter', container: 'cntr_1' }] }, 'tools[0].container'],
  [{ tools: [{ type: 'code_interpreter', container: { type: 'auto', file_ids: [FILE] } }] }, 'tools[0].container.file_ids'],
  [{ tools: [{ type: 'shell', environment: { type: 'container_reference', container_id: 'c' } }] }, 'tools[0].environment.container_id'],
  [{ tools: [{ type: 'image_generation', input_image_mask: { file_id: FILE } }] }, 'tools[0].input_image_mask.file_id'],
  [{ tools: [{ type: 'retrieval', retrieval: { knowledge_id: 'k' } }] }, 'tools[0].retrieval.knowledge_id'],
  [{ diagnostics: { previous_message_id: 'msg_1' } }, 'diagnostics.previous_message_id'],
  [{ extra_body: { google: { cached_content: 'cachedContents/1' } } }, 'extra_body.google.cached_content'],
];

const surfaces = [...CALLS, ...SURFACES.filter(({ kind }) => kind === 'count')];

test('on a shared account no reference to what it keeps passes, on any surface, in any format', async () => {
  const passed: string[] = [];
  for (const surface of surfaces)
    for (const format of PROVIDER_FORMATS) {
      rig.upstream.script = surface.path === '/v1/embeddings' ? (format.embeds ?? format.says(SAID)) : format.says(SAID);
      const turn = PROVIDER_FORMATS.indexOf(format) + surfaces.indexOf(surface);
      for (const [at, [more, param]] of ANYWHERE.entries()) {
        if ((at + turn) % 4 !== 0) continue;
        const reply = await outcome(surface.path, surface.body(`${lentName(format)}/m`, 'Hello', more));
        if (reply.status !== 400 || (reply.param !== param && param !== 'background'))
          passed.push(`${surface.route} ${format.dialect} ${param}: ${reply.status} ${reply.param}`);
      }
    }
  expect(passed).toEqual([]);
  expect(rig.upstream.calls).toEqual([]);
});

const chat = (content: object) => ({ messages: [{ role: 'user', content: [content] }], max_tokens: 10 });
const items = (...input: object[]) => ({ input: [USER, ...input], max_output_tokens: 20 });

/** Within what is said. */
const IN_CONTENT: [path: string, body: object, param: string][] = [
  ['/v1/chat/completions', chat({ type: 'file', file: { file_id: FILE } }), 'messages[0].content[0].file.file_id'],
  ['/v1/chat/completions', { messages: [{ role: 'assistant', audio: { id: 'audio_1' } }, USER], max_tokens: 10 }, 'messages[0].audio'],
  ['/v1/chat/completions', chat({ type: 'image_url', image_url: { url: 'gs://bucket/x.png' } }), 'messages[0].content[0].image_url.url'],
  ['/v1/chat/completions', chat({ type: 'image_url', image_url: { url: 's3://bucket/x.png' } }), 'messages[0].content[0].image_url.url'],
  [
    '/v1/chat/completions',
    chat({ type: 'image_url', image_url: { url: 'https://generativelanguage.googleapis.com/v1beta/files/abc' } }),
    'messages[0].content[0].image_url.url',
  ],
  ['/v1/chat/completions', { messages: [{ role: 'system', content: 'fileid://file-1' }, USER], max_tokens: 10 }, 'messages[0].content'],
  ['/v1/chat/completions', { messages: [{ role: 'cache', content: 'cache_id=1' }, USER], max_tokens: 10 }, 'messages[0].role'],
  ['/v1/responses', items({ type: 'item_reference', id: 'msg_1' }), 'input[1].type'],
  ['/v1/responses', items({ id: 'msg_1' }), 'input'],
  ['/v1/responses', items({ type: 'image_generation_call', id: 'ig_1' }), 'input'],
  ['/v1/responses', items({ role: 'user', content: [{ type: 'input_file', file_id: FILE }] }), 'input[1].content[0].file_id'],
  ['/v1/responses', items({ role: 'user', content: [{ type: 'input_image', file_id: FILE }] }), 'input[1].content[0].file_id'],
  [
    '/v1/responses',
    items({ type: 'function_call_output', call_id: 'c', output: [{ type: 'input_file', file_id: FILE }] }),
    'input[1].output[0].file_id',
  ],
  ['/v1/responses', { input: 'Hello', prompt: { id: 'pmpt_1', variables: {} } }, 'prompt'],
  ['/v1/messages', chat({ type: 'image', source: { type: 'file', file_id: FILE } }), 'messages[0].content[0].source.file_id'],
  ['/v1/messages', chat({ type: 'document', source: { type: 'file', file_id: FILE } }), 'messages[0].content[0].source.file_id'],
  ['/v1/messages', chat({ type: 'container_upload', file_id: FILE }), 'messages[0].content[0].file_id'],
  [
    '/v1/messages',
    {
      max_tokens: 10,
      messages: [
        USER,
        { role: 'assistant', content: [{ type: 'tool_use', id: 'c', name: 'f', input: {} }] },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: 'c', content: [{ type: 'image', source: { type: 'file', file_id: FILE } }] }],
        },
      ],
    },
    'messages[2].content[0].content[0].source.file_id',
  ],
];

test.each(IN_CONTENT)('%s %j is refused, verbatim and translated', async (path, body, param) => {
  for (const format of PROVIDER_FORMATS)
    expect([format.dialect, await outcome(path, { ...body, model: lentModelOf(format) })]).toEqual([
      format.dialect,
      { status: 400, param },
    ]);
  expect(rig.upstream.calls).toEqual([]);
});

test('a stored prompt of Bedrock is no model of a shared account', async () => {
  const model = 'lent-bedrock-converse/arn:aws:bedrock:us-east-1:123456789012:prompt/ABC:1';
  expect(await outcome('/v1/chat/completions', { model, messages: [USER], max_tokens: 10 })).toEqual({ status: 400, param: 'model' });
});

test.each(['create', 'continue'])('a thread to %s is refused so that the official client sends the conversation again', async (type) => {
  const thread = type === 'create' ? { type } : { type, previous_message_id: 'msg_1' };
  for (const format of PROVIDER_FORMATS) {
    const body = { model: lentModelOf(format), messages: [USER], max_tokens: 10, thread };
    expect(await post('/v1/messages', body)).toMatchObject({
      status: 400,
      error: { type: 'invalid_request_error', details: { error_code: 'thread_unsupported_request' } },
    });
  }
});

test('the official client’s threads go on without one', async () => {
  rig.upstream.script = formatOf('anthropic-messages').says(SAID);
  const client = new Anthropic({ apiKey: rig.tenant.apiKey, baseURL: rig.weir.publicUrl, maxRetries: 0 });
  const thread = client.beta.messages.thread({
    model: 'lent-anthropic-messages/claude-opus-5' as 'claude-opus-5',
    max_tokens: 100,
    unsupportedRequestBehavior: 'continue_unthreaded',
  });
  const said: string[] = [];
  for (const content of ['One', 'Two']) {
    const message = await thread.send({ role: 'user', content });
    said.push(message.content.map((block) => (block.type === 'text' ? block.text : '')).join(''));
  }
  expect(said).toEqual(['Hello', 'Hello']);
  const last = rig.upstream.calls.at(-1)!.body as { thread?: unknown; messages?: unknown };
  expect(last.thread).toBeUndefined();
  expect(last.messages).toHaveLength(3);
});

test.each(['openai-chat', 'openai-responses'])('store: false is written for %s, from every surface', async (dialect) => {
  const format = formatOf(dialect);
  for (const surface of CONVERSATIONS) {
    rig.upstream.calls.length = 0;
    rig.upstream.script = format.says(SAID);
    const reply = await send(rig.to, surface, surface.body(lentModelOf(format)));
    expect([surface.route, reply.status, rig.upstream.calls[0]?.body['store']]).toEqual([surface.route, 200, false]);
  }
});

test('items of a shared account are sent without ids, and reasoning that only an id stands for is left out', async () => {
  const format = formatOf('openai-responses');
  rig.upstream.script = format.says(SAID);
  const body = {
    model: lentModelOf(format),
    max_output_tokens: 100,
    input: [
      USER,
      { type: 'reasoning', id: 'rs_1', summary: [] },
      { type: 'reasoning', id: 'rs_2', summary: [], encrypted_content: 'gAAA' },
      { type: 'message', id: 'msg_1', role: 'assistant', content: [{ type: 'output_text', text: 'Hi' }] },
      { type: 'function_call', id: 'fc_1', call_id: 'c', name: 'f', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c', output: 'x' },
    ],
  };
  expect((await post('/v1/responses', body)).status).toBe(200);
  const sent = rig.upstream.calls[0]!.body['input'] as { id?: string; type?: string; encrypted_content?: string }[];
  expect(sent.filter(({ id }) => id !== undefined)).toEqual([]);
  expect(sent.map(({ type }) => type)).toEqual([undefined, 'reasoning', 'message', 'function_call', 'function_call_output']);
});

test('names of callers are told apart by tenant, stay the same, and say nothing', async () => {
  const format = formatOf('openai-chat');
  const NAMES = { user: 'ann@example.com', safety_identifier: 'ann', prompt_cache_key: 'docs', session_id: 's1' };
  const seen = async (tenant: TestTenant) => {
    rig.upstream.script = format.says(SAID);
    expect((await post('/v1/chat/completions', { model: lentModelOf(format), messages: [USER], ...NAMES }, tenant.apiKey)).status).toBe(
      200,
    );
    return Object.keys(NAMES).map((name) => rig.upstream.calls.at(-1)!.body[name] as string);
  };
  const [first, again, others] = [await seen(rig.tenant), await seen(rig.tenant), await seen(other)];
  expect(again).toEqual(first);
  for (const [at, name] of first.entries()) {
    expect(name).toMatch(/^weir_[\w-]{43}$/);
    expect(others[at]).not.toBe(name);
  }
  rig.upstream.script = formatOf('anthropic-messages').says(SAID);
  const messages = { model: lentModelOf(formatOf('anthropic-messages')), messages: [USER], max_tokens: 10, metadata: { user_id: 'ann' } };
  expect((await post('/v1/messages', messages)).status).toBe(200);
  expect(rig.upstream.calls.at(-1)!.body['metadata']).toEqual({ user_id: expect.stringMatching(/^weir_[\w-]{43}$/) });
});

test('on a tenant’s own account its state is its own: it passes as it is', async () => {
  const responses = formatOf('openai-responses');
  rig.upstream.script = responses.says(SAID);
  const kept = { previous_response_id: 'resp_1', store: true, user: 'ann', tools: [{ type: 'file_search', vector_store_ids: ['vs_1'] }] };
  const body = { model: `openai-responses/${responses.model}`, ...items({ type: 'item_reference', id: 'msg_1' }), ...kept };
  expect((await post('/v1/responses', body)).status).toBe(200);
  expect(rig.upstream.calls.at(-1)!.body).toMatchObject({ ...kept, input: body.input });
  const messages = formatOf('anthropic-messages');
  rig.upstream.script = messages.says(SAID);
  const own = { container: 'container_1', thread: { type: 'create' }, metadata: { user_id: 'ann' } };
  expect(
    (await post('/v1/messages', { model: `anthropic-messages/${messages.model}`, messages: [USER], max_tokens: 10, ...own })).status,
  ).toBe(200);
  expect(rig.upstream.calls.at(-1)!.body).toMatchObject(own);
});
