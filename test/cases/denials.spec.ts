import { answer } from '../support/upstream.js';
import { admin, createTenant, eventually, type TestTenant } from '../support/weir.js';
import { caseRig } from './support/case-rig.js';

const rig = caseRig();

/** How clients name themselves, and the statuses at which they stop at once and show the sentence, as recorded with their command lines. */
const CLIENTS: Record<string, { headers: Record<string, string>; stops: (status: number) => boolean }> = {
  Codex: {
    headers: { 'user-agent': 'codex_exec/0.171.0 (Debian 12.0.0; x86_64) unknown (codex_exec; 0.171.0)' },
    stops: (status) => status === 400,
  },
  'Codex in an editor': { headers: { 'user-agent': 'codex_vscode/0.171.0 (Mac OS 26.1; arm64)' }, stops: (status) => status === 400 },
  aider: { headers: { 'user-agent': 'OpenAI/Python 2.20.0', 'x-stainless-raw-response': 'true' }, stops: (status) => status === 400 },
  'aider, streamed': {
    headers: { 'user-agent': 'AsyncOpenAI/Python 2.20.0', 'x-stainless-raw-response': 'true' },
    stops: (status) => status === 400,
  },
  'Claude Code': {
    headers: { 'user-agent': 'claude-cli/2.1.332 (external, sdk-cli)' },
    stops: (status) => [402, 403, 404, 409, 429].includes(status),
  },
  'the AI SDK': {
    headers: { 'user-agent': 'ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/24' },
    stops: (status) => [400, 402, 403, 404, 422].includes(status),
  },
  // It obeys x-should-retry.
  "OpenAI's SDK": { headers: { 'user-agent': 'OpenAI/Python 2.20.0' }, stops: () => true },
};

const SURFACES: Record<string, { path: string; body: object }> = {
  chat: { path: '/v1/chat/completions', body: { messages: [{ role: 'user', content: 'Hi' }], max_completion_tokens: 500 } },
  Responses: { path: '/v1/responses', body: { input: 'Hi', max_output_tokens: 500 } },
  Messages: { path: '/v1/messages', body: { messages: [{ role: 'user', content: 'Hi' }], max_tokens: 500 } },
};

/** Why money is denied: the headers that lead to it, and what it is told with. */
interface Denial {
  code: string;
  status: number;
  headers?: Record<string, string>;
  model?: string;
  key?: () => string;
}

const DENIALS: Record<string, Denial> = {
  'a budget that is spent': { code: 'budget_exceeded', status: 402, headers: { 'x-weir-tags': 'spent' } },
  'a budget that the request alone exceeds': { code: 'request_exceeds_budget', status: 402, headers: { 'x-weir-tags': 'small' } },
  'a cost limit': { code: 'cost_limit_exceeded', status: 402, headers: { 'x-weir-max-cost': '0.0001' } },
  'a price that is not known': { code: 'model_not_priced', status: 422, headers: { 'x-weir-tags': 'small' }, model: 'free/m' },
  'a limit on tokens that the request alone exceeds': { code: 'rate_limit_exceeded', status: 429, headers: { 'x-weir-tags': 'slow' } },
  'a model that the key may not use': { code: 'model_not_allowed', status: 403, key: () => narrowKey },
  'a tenant that is suspended': { code: 'tenant_suspended', status: 403, key: () => suspended.apiKey },
  'a provider that lost its key': { code: 'credential_missing', status: 409, model: 'keyless/m' },
  'a model that is not there': { code: 'model_not_found', status: 404, model: 'nowhere/m' },
};

let narrowKey: string;
let suspended: TestTenant;

beforeAll(async () => {
  const { tenant, weir, upstream } = rig;
  const tagged = (value: string, limit: string) =>
    tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tag', value }, limit, period: 'month' });
  await Promise.all([tagged('spent', '0.0015'), tagged('small', '0.000001')]);
  await tenant.admin('POST', '/v1/organization/rate_limits', { scope: { kind: 'tag', value: 'slow' }, max_tokens_per_1_minute: 100 });
  const base_url = `http://${upstream.hostPort}`;
  await tenant.admin('POST', '/v1/organization/providers', { name: 'free', type: 'openai', base_url, key: 'secret', models: ['*'] });
  const keyless = await tenant.admin<{ id: string }>('POST', '/v1/organization/providers', {
    name: 'keyless',
    type: 'openai',
    base_url,
    key: 'secret',
    models: ['*'],
  });
  await tenant.admin('POST', `/v1/organization/providers/${keyless.id}`, {
    base_url: 'https://api.example.com/v1',
  });
  narrowKey = (
    await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
      name: 'narrow',
      models: ['free/other'],
    })
  ).value;
  // Spends all of one budget.
  const usage = { prompt_tokens: 500, completion_tokens: 500, total_tokens: 1000 };
  const { status } = await rig.send('/v1/chat/completions', 'openai', 'm', SURFACES['chat']!.body, answer('Hi', usage), {
    'x-weir-tags': 'spent',
  });
  expect(status).toBe(200);
  suspended = await createTenant(weir);
  await admin(weir, weir.operatorKey, 'POST', `/v1/platform/tenants/${suspended.id}/suspend`);
  const seen = (key: string) => fetch(`${weir.publicUrl}/v1/key`, { headers: { authorization: `Bearer ${key}` } });
  await eventually(async () => (await seen(suspended.apiKey)).status === 403 && (await seen(narrowKey)).status === 200);
});

const CELLS = Object.entries(DENIALS).flatMap(([denial, { code, status, headers = {}, model, key }]) =>
  Object.entries(SURFACES).flatMap(([surface, { path, body }]) =>
    Object.entries(CLIENTS).map(([client, { headers: named, stops }]) => ({
      denial,
      code,
      status,
      surface,
      path,
      client,
      stops,
      model,
      key,
      body,
      headers: { ...headers, ...named },
    })),
  ),
);

test.each(CELLS)(
  '$denial stops $client over $surface at once',
  async ({ code, status, path, body, headers, stops, model, key, client }) => {
    const [type, id] = model === undefined ? ['openai', 'm'] : ['', model];
    const seen = await rig.send(path, type, id, body, answer(), { ...headers, ...(key && { authorization: `Bearer ${key()}` }) });
    expect([stops(seen.status), seen.body.error.code, seen.sent]).toEqual([true, code, undefined]);
    expect(seen.body.error.message.length).toBeGreaterThan(20);
    if (code !== 'model_not_found') expect(seen.headers.get('x-should-retry')).toBe('false');
    if (client === "OpenAI's SDK") expect(seen.status).toBe(status);
  },
);

test.each(Object.entries(CLIENTS))('what %s may try again keeps its status', async (_client, { headers }) => {
  const busy = await rig.send(
    '/v1/chat/completions',
    'openai',
    'm',
    SURFACES['chat']!.body,
    (_call, response) => void response.writeHead(503).end('{}'),
    headers,
  );
  expect([busy.status, busy.body.error.code]).toEqual([502, 'upstream_error']);
});
