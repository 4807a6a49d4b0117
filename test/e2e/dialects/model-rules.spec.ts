import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { REPLY_FORMATS } from '../../support/tool-replies.js';
import { eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const RULES = [
  { match: 'prod-*', treat_as: 'gpt-5.6-sol' },
  { match: 'claude-next', treat_as: 'claude-sonnet-4-5' },
];

let directory: string;
const { tenant, upstream } = withWeir({
  environment: async () => {
    directory = mkdtempSync(join(tmpdir(), 'weir-rules-'));
    const file = join(directory, 'rules.json');
    writeFileSync(file, JSON.stringify(RULES));
    return { WEIR_MODEL_RULES: file };
  },
});

beforeAll(async () => {
  const providers = [
    { name: 'azure', type: 'azure-openai', base_url: upstream.baseUrl },
    { name: 'claude', type: 'anthropic', base_url: `http://${upstream.hostPort}` },
  ];
  for (const provider of providers) {
    await tenant.admin('POST', '/v1/organization/providers', { ...provider, key: 'secret', models: ['*'] });
    await tenant.admin('POST', '/v1/organization/prices', { provider: provider.name, model: '*', input: '1', output: '2' });
  }
  const isKnown = () =>
    tenant.openai.models.retrieve('claude/m').then(
      () => true,
      () => false,
    );
  await eventually(isKnown);
});

beforeEach(() => {
  upstream.calls.length = 0;
});

afterAll(async () => {
  rmSync(directory, { recursive: true });
});

const SAID = { text: 'Hello', usage: { input: 9, cacheRead: 0, output: 3 } };
const messages = [{ role: 'user' as const, content: 'Hello' }];
const tools = [{ type: 'function' as const, function: { name: 'weather', parameters: { type: 'object', properties: {} } } }];

test('a deployment whose name tells nothing is asked in the format its model needs, by its own name', async () => {
  upstream.script = REPLY_FORMATS.responses.says(SAID);
  await tenant.openai.chat.completions.create({ model: 'azure/prod-1', messages, tools });
  expect(upstream.calls[0]).toMatchObject({ path: '/v1/responses', body: { model: 'prod-1' } });

  upstream.script = REPLY_FORMATS.chat.says(SAID);
  await tenant.openai.chat.completions.create({ model: 'azure/other', messages, tools });
  expect(upstream.calls[1]).toMatchObject({ path: '/v1/chat/completions', body: { model: 'other' } });
});

test('a model that is not known is asked by the rules the operator names, not the newest', async () => {
  upstream.script = REPLY_FORMATS.messages.says(SAID);
  const ask = (model: string) =>
    tenant.openai.chat.completions.create({ model: `claude/${model}`, messages, reasoning_effort: 'low', max_completion_tokens: 8_000 });
  await ask('claude-next');
  await ask('claude-other');
  expect(upstream.calls[0]!.body).toMatchObject({ model: 'claude-next', thinking: { type: 'enabled' } });
  expect(upstream.calls[1]!.body).toMatchObject({ model: 'claude-other', thinking: { type: 'adaptive' } });
});
