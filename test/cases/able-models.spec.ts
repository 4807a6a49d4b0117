import { answer, json } from '../support/upstream.js';
import { caseRig } from './support/case-rig.js';

const rig = caseRig();

const HELLO = [{ role: 'user', content: 'Hi' }];
const PARAMETERS = { type: 'object', properties: {} };
const SOUND = [{ role: 'user', content: [{ type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } }] }];
const PICTURE = [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,iVBORw0KGgo=' } }] }];
const SEARCH = { type: 'web_search' };
const CLAUDES = { type: 'web_search_20250305', name: 'web_search' };

/** The models of the tenant, by the name and type of their provider. */
const PROVIDERS: Record<string, [type: string, dialect: string | null, models: string[]]> = {
  claude: ['anthropic', null, ['claude-sonnet-4-5']],
  gem: ['gemini', null, ['gemini-3-flash']],
  oai: ['openai', null, ['gpt-4.1', 'gpt-4o-search-preview', 'gpt-audio', 'gpt-6-sol', 'gpt-3.5-turbo']],
  bed: ['bedrock', 'bedrock-converse', ['anthropic.claude-sonnet-4-5-20250929-v1:0']],
  coh: ['cohere', null, ['command-r']],
  olla: ['ollama', 'ollama', ['llama3']],
  old: ['openai', 'openai-completions', ['davinci-002']],
  emb: ['openai', null, ['text-embedding-3-small']],
};

beforeAll(async () => {
  for (const [name, [type, dialect, models]] of Object.entries(PROVIDERS)) {
    await rig.tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2' });
    const base_url = `http://${rig.upstream.hostPort}`;
    const key = type === 'bedrock' ? 'bedrock-key' : 'secret';
    await rig.tenant.admin('POST', '/v1/organization/providers', { name, type, base_url, key, models, ...(dialect && { dialect }) });
  }
  for (const [provider, model, vision] of [
    ['claude', 'claude-sonnet-4-5', true],
    ['gem', 'gemini-3-flash', true],
    ['oai', 'gpt-3.5-turbo', false],
  ])
    await rig.tenant.admin('POST', '/v1/organization/models', { provider, model, vision, context_window: 100_000 });
});

const CLAUDE = 'claude/claude-sonnet-4-5';

/** What one model cannot do, and which others are named because they can. */
const CASES: [what: string, path: string, model: string, body: object, named: string[]][] = [
  ['a search', '/v1/chat/completions', CLAUDE, { messages: HELLO, web_search_options: {} }, ['oai/gpt-4o-search-preview']],
  [
    'an answer in audio',
    '/v1/chat/completions',
    CLAUDE,
    { messages: HELLO, modalities: ['text', 'audio'], audio: { voice: 'a', format: 'mp3' } },
    ['oai/gpt-audio'],
  ],
  ['audio in a prompt', '/v1/chat/completions', CLAUDE, { messages: SOUND }, ['gem/gemini-3-flash', 'oai/gpt-audio']],
  ['audio for Cohere', '/v1/chat/completions', 'coh/command-r', { messages: SOUND }, ['gem/gemini-3-flash', 'oai/gpt-audio']],
  ['audio for Ollama', '/v1/chat/completions', 'olla/llama3', { messages: SOUND }, ['gem/gemini-3-flash', 'oai/gpt-audio']],
  [
    'several answers',
    '/v1/chat/completions',
    CLAUDE,
    { messages: HELLO, n: 2 },
    ['gem/gemini-3-flash', 'oai/gpt-3.5-turbo', 'oai/gpt-4.1'],
  ],
  [
    'several answers of Cohere',
    '/v1/chat/completions',
    'coh/command-r',
    { messages: HELLO, n: 2 },
    ['gem/gemini-3-flash', 'oai/gpt-3.5-turbo', 'oai/gpt-4.1'],
  ],
  ['a hosted tool of Responses', '/v1/responses', CLAUDE, { input: 'Hi', tools: [SEARCH] }, ['oai/gpt-3.5-turbo', 'oai/gpt-4.1']],
  [
    'a choice of a hosted tool of Responses',
    '/v1/responses',
    'gem/gemini-3-flash',
    { input: 'Hi', tools: [{ type: 'function', name: 'f', parameters: PARAMETERS }, SEARCH], tool_choice: SEARCH },
    ['oai/gpt-3.5-turbo', 'oai/gpt-4.1'],
  ],
  ['a hosted tool of Messages', '/v1/messages', 'gem/gemini-3-flash', { messages: HELLO, max_tokens: 50, tools: [CLAUDES] }, [CLAUDE]],
  [
    'a choice of a hosted tool of Messages',
    '/v1/messages',
    'gem/gemini-3-flash',
    {
      messages: HELLO,
      max_tokens: 50,
      tools: [{ name: 'f', input_schema: PARAMETERS }, CLAUDES],
      tool_choice: { type: 'tool', name: 'web_search' },
    },
    [CLAUDE],
  ],
  [
    'structured output',
    '/v1/chat/completions',
    'old/davinci-002',
    { messages: HELLO, response_format: { type: 'json_object' } },
    ['bed/anthropic.claude-sonnet-4-5-20250929-v1:0', CLAUDE, 'coh/command-r'],
  ],
  ['a picture', '/v1/chat/completions', 'old/davinci-002', { messages: PICTURE }, [CLAUDE, 'gem/gemini-3-flash']],
  ['a picture, by its facts', '/v1/chat/completions', 'oai/gpt-3.5-turbo', { messages: PICTURE }, [CLAUDE, 'gem/gemini-3-flash']],
  ['a stop', '/v1/chat/completions', 'oai/gpt-6-sol', { messages: HELLO, stop: ['x'] }, [CLAUDE]],
  ['an embedding', '/v1/embeddings', CLAUDE, { input: 'Hi' }, ['emb/text-embedding-3-small']],
  ['an echo', '/v1/completions', CLAUDE, { prompt: 'Hi', echo: true }, ['old/davinci-002']],
];

test.each(CASES)('%s on %s to %s is refused, and models that can are named', async (_what, path, model, body, named) => {
  const seen = await rig.send(path, '', model, body, answer());
  expect([seen.status, seen.sent]).toEqual([400, undefined]);
  const [, list = ''] = / Models here that can: (.*)\.$/.exec(seen.body.error.message) ?? [];
  const models = list.split(', ');
  expect(models).toEqual(expect.arrayContaining(named));
  expect(models.length).toBeLessThanOrEqual(3);
  expect(models).not.toContain(model);
});

test('only models that the key may call are named', async () => {
  const url = `/v1/organization/projects/${rig.tenant.projectId}/api_keys`;
  const { value } = await rig.tenant.admin<{ value: string }>('POST', url, { name: 'k', models: [CLAUDE, 'oai/gpt-audio'] });
  const headers = { authorization: `Bearer ${value}` };
  const heard = await rig.send('/v1/chat/completions', '', CLAUDE, { messages: SOUND }, answer(), headers);
  expect(heard.body.error.message).toMatch(/ Models here that can: oai\/gpt-audio\.$/);
  const searched = await rig.send('/v1/chat/completions', '', CLAUDE, { messages: HELLO, web_search_options: {} }, answer(), headers);
  expect(searched.body.error.message).not.toMatch(/Models here/);
});

test('a model that is named does what was refused', async () => {
  const body = { messages: HELLO, web_search_options: {} };
  const refused = await rig.send('/v1/chat/completions', '', CLAUDE, body, answer());
  const [, model] = / Models here that can: ([^,]+)\.$/.exec(refused.body.error.message)!;
  const seen = await rig.send('/v1/chat/completions', '', model!, body, answer());
  expect([seen.status, seen.sent!.body.web_search_options]).toEqual([200, {}]);
});

test('a prompt that is too long names models with a larger context window', async () => {
  await rig.tenant.admin('POST', '/v1/organization/models', { provider: 'oai', model: 'gpt-4.1', vision: true, context_window: 10 });
  const seen = await rig.send(
    '/v1/chat/completions',
    '',
    'oai/gpt-4.1',
    { messages: [{ role: 'user', content: 'word '.repeat(100) }] },
    json(500, {}),
  );
  expect(seen.body.error.code).toBe('context_length_exceeded');
  expect(seen.body.error.message).toMatch(/ Models here that can: .*claude\/claude-sonnet-4-5/);
});
