import { PROVIDER_FORMATS, type Rig, startRig } from './support/formats.js';
import { CONVERSATIONS, type SurfaceRow, send } from './support/surfaces.js';

const SAID = { text: 'Hello', usage: { input: 9, cacheRead: 0, output: 12 } };
const LIMIT = 100;

let rig: Rig;

beforeAll(async () => {
  rig = await startRig();
});

afterAll(() => rig.stop());

beforeEach(() => {
  rig.upstream.calls.length = 0;
});

async function post(surface: SurfaceRow, dialect: string, more: object) {
  const format = PROVIDER_FORMATS.find((one) => one.dialect === dialect)!;
  rig.upstream.script = format.says(SAID);
  const body = surface.body(`${dialect}/${format.model}`, 'Hello', { [surface.limitField!]: LIMIT, ...more });
  const reply = await send(rig.to, surface, body);
  const { error } = (await reply.json()) as { error?: { param?: string | null; message: string } };
  return { status: reply.status, param: error?.param ?? null };
}

/** Each makes some server answer at greater length, or more often, than was held for. */
const MORE: [more: object, param: string][] = [
  [{ n_predict: 5_000 }, 'n_predict'],
  [{ n_predict: -1 }, 'n_predict'],
  [{ n_predict: '5000' }, 'n_predict'],
  [{ max_new_tokens: 5_000 }, 'max_new_tokens'],
  [{ maxTokens: 5_000 }, 'maxTokens'],
  [{ MAX_TOKENS: 5_000 }, 'MAX_TOKENS'],
  [{ options: { num_predict: 5_000 } }, 'options.num_predict'],
  [{ generationConfig: { maxOutputTokens: 5_000 } }, 'generationConfig.maxOutputTokens'],
  [{ generationConfig: { candidateCount: 8 } }, 'generationConfig.candidateCount'],
  [{ extra_body: { max_tokens: 5_000 } }, 'extra_body.max_tokens'],
  [{ extra_body: { n: 50 } }, 'extra_body.n'],
  [{ extra_body: { google: { max_output_tokens: 5_000 } } }, 'extra_body.google.max_output_tokens'],
  [{ num_return_sequences: 8 }, 'num_return_sequences'],
  [{ num_generations: 8 }, 'num_generations'],
];

test.each(MORE)('%j is refused by its name on every surface, and nothing is sent', async (more, param) => {
  for (const surface of CONVERSATIONS)
    for (const { dialect } of PROVIDER_FORMATS)
      expect([surface.route, dialect, await post(surface, dialect, more)]).toEqual([surface.route, dialect, { status: 400, param }]);
  expect(rig.upstream.calls).toEqual([]);
});

test.each([
  ['POST /v1/chat/completions', 'openai-chat', { best_of: 5 }, 'best_of'],
  ['POST /v1/chat/completions', 'openai-chat', { max_output_tokens: 5_000 }, 'max_output_tokens'],
  ['POST /v1/responses', 'openai-responses', { max_tokens: 5_000 }, 'max_tokens'],
  ['POST /v1/responses', 'openai-responses', { max_output_tokens: undefined, messages: [], max_tokens: 5_000 }, 'max_tokens'],
  ['POST /v1/chat/completions', 'openai-chat', { max_tokens: undefined, input: '', max_output_tokens: 5_000 }, 'max_output_tokens'],
  ['POST /v1/responses', 'openai-responses', { n: 5 }, 'n'],
  ['POST /v1/messages', 'anthropic-messages', { n: 5 }, 'n'],
])('%s to %s: what another format has is refused there: %j', async (route, dialect, more, param) => {
  const surface = CONVERSATIONS.find((one) => one.route === route)!;
  expect(await post(surface, dialect, more)).toEqual({ status: 400, param });
});

test('a limit that is no more than that of the format is refused too: a key or a budget may lower that of the format', async () => {
  const surface = CONVERSATIONS.find(({ path }) => path === '/v1/chat/completions')!;
  for (const max_tokens of [undefined, LIMIT])
    expect(await post(surface, 'openai-chat', { max_tokens, n_predict: LIMIT })).toEqual({ status: 400, param: 'n_predict' });
});

test.each([
  [{ n_predict: null }],
  [{ max_completion_tokens: 5_000 }],
  [{ n: 3, best_of: 3 }],
  [{ extra_body: { n: 1, google: { thinking_config: { thinking_budget: 20 } } } }],
  [{ metadata: { n: '5', max_tokens: '5000' } }],
  [
    {
      tools: [
        {
          type: 'function',
          function: { name: 'f', parameters: { properties: { n: { type: 'number' }, max_tokens: { type: 'number' } } } },
        },
      ],
    },
  ],
])('%j says no more than is held for, and passes', async (more) => {
  const surface = CONVERSATIONS.find(({ path }) => path === '/v1/chat/completions')!;
  expect(await post(surface, 'openai-chat', more)).toEqual({ status: 200, param: null });
});

test.each([
  [{ extra_body: { web_search_options: {} } }, 'extra_body.web_search_options'],
  [{ extra_body: { service_tier: 'priority' } }, 'extra_body.service_tier'],
  [{ extra_body: { tools: [{ type: 'web_search' }] } }, 'extra_body.tools[0]'],
])('%j is billed by more than its tokens, and refused under a hard budget', async (more, field) => {
  await rig.tenant.admin('POST', '/v1/organization/budgets', {
    scope: { kind: 'tenant', value: rig.tenant.id },
    limit: '5.00',
    period: 'day',
  });
  const [surface] = CONVERSATIONS;
  const reply = await send(rig.to, surface!, surface!.body('openai-chat/m', 'Hello', more));
  expect([reply.status, await reply.text()]).toEqual([422, expect.stringContaining(field)]);
  expect(rig.upstream.calls).toEqual([]);
});
