import OpenAI from 'openai';
import { brokenInvariants } from '../../support/ledger.js';
import { delta, hang, json, type Script, stream } from '../../support/upstream.js';
import { addUpstream, admin, booked, eventually } from '../../support/weir.js';
import { withWeir } from '../../support/with-weir.js';

const REQUEST = { model: 'up/test-model', messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 100 };

const { weir, tenant, upstream } = withWeir({
  environment: (upstream) => ({
    WEIR_EGRESS_ALLOW: `${upstream.hostPort},127.0.0.1:9`,
    WEIR_FIRST_BYTE_TIMEOUT_MS: '300',
    WEIR_PROGRESS_TIMEOUT_MS: '300',
  }),
  tenant: 'each',
  hasProvider: true,
});

afterEach(async () => expect(await brokenInvariants(weir.db)).toEqual([]));

const budget = (limit: string, scope: object = { kind: 'tenant' }) =>
  tenant.admin<{ id: string }>('POST', '/v1/organization/budgets', { scope, limit, period: 'month' });
const call = (changes: object = {}) => tenant.openai.chat.completions.create({ ...REQUEST, ...changes } as typeof REQUEST);
const drain = async (changes: object = {}) => {
  for await (const _part of (await call({ stream: true, ...changes })) as never as AsyncIterable<unknown>);
};
const raw = (body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
  fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    body,
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', ...headers },
  });

describe('400', () => {
  test.each([
    ['no model', { model: undefined }, 'model_required'],
    ['no messages', { messages: [] }, 'invalid_request'],
    ['a field that steers transport', { base_url: 'http://127.0.0.1' }, 'invalid_request'],
  ])('%s', async (_name, changes, code) => {
    await expect(call(changes)).rejects.toMatchObject({ status: 400, code, type: 'invalid_request_error' });
    expect(upstream.calls).toHaveLength(0);
  });

  test.each([
    ['broken JSON', '{"model":', 400, 'invalid_json'],
    [
      'no more than a prototype',
      `{"__proto__":{"messages":[{"role":"user","content":"Hi"}]},"model":"up/test-model"}`,
      400,
      'invalid_request',
    ],
    [
      'a role of a prototype',
      String.raw`{"model":"up/test-model","messages":[{"\u005f_proto__":{"role":"user"}}]}`,
      400,
      'invalid_request',
    ],
    ['a repeated prototype', String.raw`{"model":"up/test-model","__proto__":{},"\u005f_proto__":{}}`, 400, 'invalid_json'],
    ['invalid UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), 400, 'invalid_json'],
    ['too deep', `${'{"a":'.repeat(70)}1${'}'.repeat(70)}`, 400, 'invalid_request'],
    ['too large', `{"x":"${'a'.repeat(21 * 1024 * 1024)}"}`, 413, 'request_too_large'],
  ])('%s', async (_name, body, status, code) => {
    const response = await raw(body as string);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code, message: expect.any(String) } });
  });

  test.each([
    [{ 'content-type': 'text/plain' }, 415, 'unsupported_media_type'],
    [{ 'content-type': 'application/x-www-form-urlencoded' }, 415, 'unsupported_media_type'],
    [{ 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'],
    [{ 'x-api-key': 'another key' }, 400, 'key_conflict'],
    [{ 'x-weir-unknown': '1' }, 400, 'invalid_request'],
    [{ 'x-weir-max-cost': 'a dollar' }, 400, 'invalid_request'],
    [{ 'x-weir-fit': 'grow' }, 400, 'invalid_request'],
    [{ 'x-weir-session': '*' }, 400, 'invalid_request'],
    [{ 'x-weir-tags': 'a,,b' }, 400, 'invalid_request'],
  ])('headers %j', async (headers, status, code) => {
    const response = await raw(JSON.stringify(REQUEST), headers as Record<string, string>);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ error: { code } });
    expect(upstream.calls).toHaveLength(0);
  });

  test.each(['identity', 'Identity'])('a body in the encoding %s is taken', async (encoding) => {
    expect((await raw(JSON.stringify(REQUEST), { 'content-encoding': encoding })).status).toBe(200);
  });

  test('a refusal by the server of a customer is passed on without its words', async () => {
    upstream.script = json(400, { error: { message: 'bad temperature for key sk-abcdef1234567890', type: 'invalid_request_error' } });
    const error = await call().catch((caught) => caught);
    expect(error).toMatchObject({ status: 400, code: 'invalid_request' });
    expect(error.message).toBe('400 The provider "up" refused the request.');
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'failed', kind: null, http_status: 400 }]);
  });

  test('a prompt too long for the model', async () => {
    upstream.script = json(400, { error: { message: 'maximum context length is 8 tokens', code: 'context_length_exceeded' } });
    await expect(call()).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
  });
});

describe('401', () => {
  test.each(['', 'sk-unknown', 'weir_sk_aaaaaaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA_00000000'])(
    'the key %j',
    async (apiKey) => {
      const stranger = new OpenAI({ apiKey: apiKey || 'x', baseURL: `${weir.publicUrl}/v1`, maxRetries: 2 });
      await expect(stranger.chat.completions.create(REQUEST)).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
    },
  );

  test('an admin key is no inference key', async () => {
    const admin = new OpenAI({ apiKey: tenant.adminKey, baseURL: `${weir.publicUrl}/v1`, maxRetries: 0 });
    await expect(admin.chat.completions.create(REQUEST)).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' });
  });

  test('a revoked key is refused within one second', async () => {
    await call();
    await tenant.admin('POST', `/v1/organization/projects/${tenant.projectId}/api_keys/${tenant.keyId}/revoke`);
    const revokedAt = Date.now();
    await eventually(async () => (await raw(JSON.stringify(REQUEST))).status === 401);
    expect(Date.now() - revokedAt).toBeLessThan(1_000);
  });

  test('an expired key is refused', async () => {
    const key = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
      name: 'old',
      expires_at: Math.floor(Date.now() / 1000) + 1,
    });
    const expired = new OpenAI({ apiKey: key.value, baseURL: `${weir.publicUrl}/v1`, maxRetries: 0 });
    await eventually(async () =>
      expired.models.list().then(
        () => false,
        (error) => error.status === 401,
      ),
    );
  });
});

describe('402', () => {
  test('a spent budget names the scope, the amounts and the reset', async () => {
    const { id } = await budget('0.00');
    const error = await call().catch((caught) => caught);
    expect(error).toMatchObject({ status: 402, code: 'budget_exceeded', type: 'insufficient_quota' });
    expect(error.error).toMatchObject({
      budget_id: id,
      scope: { kind: 'tenant', value: tenant.id },
      limit: '0.00',
      spent: '0.00',
      held: '0.00',
      resets_at: expect.any(Number),
    });
    expect(error.headers.get('x-should-retry')).toBe('false');
    expect(upstream.calls).toHaveLength(0);
  });

  test('a request that could cost more than is left says how many tokens would fit', async () => {
    await budget('0.0005');
    const error = await call({ max_tokens: 100_000 }).catch((caught) => caught);
    expect(error).toMatchObject({ status: 402, code: 'request_exceeds_budget' });
    await call({ max_tokens: error.error.affordable_max_tokens });
    await expect(call({ max_tokens: error.error.affordable_max_tokens + 50 })).rejects.toMatchObject({ status: 402 });
  });

  test.each<[string, string, object, string]>([
    [
      'a shorter prompt fits',
      '0.0005',
      { messages: [{ role: 'user', content: 'word '.repeat(1_000) }], max_tokens: 1 },
      'Shorten the prompt.',
    ],
    ['nothing fits', '0.000001', { max_tokens: 1 }, 'No request to this model is small enough. Use a cheaper model, or raise the budget.'],
  ])('a request that could cost more than is left says what helps: %s', async (_what, limit, request, advice) => {
    await budget(limit);
    const error = await call(request).catch((caught) => caught);
    expect(error).toMatchObject({ status: 402, code: 'request_exceeds_budget', error: { affordable_max_tokens: 0 } });
    expect(error.message).toContain(advice);
  });

  test('a cost limit that no request fits says so', async () => {
    const error = await tenant.openai.chat.completions
      .create({ ...REQUEST, max_tokens: 1 }, { headers: { 'x-weir-max-cost': '0.000001' } })
      .catch((caught) => caught);
    expect(error).toMatchObject({ status: 402, code: 'cost_limit_exceeded' });
    expect(error.message).toContain('No request to this model is small enough. Use a cheaper model, or raise the cost limit.');
  });

  test('a model without a price, whose calls are held for a fixed amount, does not fit by a shorter prompt', async () => {
    await admin(weir, weir.operatorKey, 'PATCH', `/v1/platform/tenants/${tenant.id}`, { unpriced_call_cost: '0.50' });
    await tenant.admin('POST', '/v1/organization/providers', {
      name: 'fixed',
      type: 'openai',
      base_url: upstream.baseUrl,
      key: 'sk-fixed-secret',
      models: ['m'],
    });
    await budget('0.10');
    const error = await call({ model: 'fixed/m', max_tokens: 1 }).catch((caught) => caught);
    expect(error).toMatchObject({ status: 402, code: 'request_exceeds_budget' });
    expect(error.message).toContain(
      'The model has no price, so every call of it is held for the same amount. Add a price for it, or raise the budget.',
    );
  });

  test('budgets on tenant, project and key all count, and the one in the way is named', async () => {
    await budget('1.00');
    await budget('1.00', { kind: 'project', value: tenant.projectId });
    await budget('0.00', { kind: 'api_key', value: tenant.keyId });
    const error = await call().catch((caught) => caught);
    expect(error.error).toMatchObject({ code: 'budget_exceeded', scope: { kind: 'api_key', value: tenant.keyId } });
  });

  test('64 calls at once against a budget that fits 10: exactly 10 are served', async () => {
    // Output alone has a price here, so a call costs exactly what is held: 12 tokens at $2 per million.
    await tenant.admin('POST', '/v1/organization/prices', { provider: 'up', model: 'test-model', input: '0', output: '2' });
    await eventually(async () => {
      await call({ max_tokens: 12 });
      return (await booked(weir, tenant)).at(-1)!.amount === 24_000n;
    });
    const before = upstream.calls.length;
    await budget('0.00024');
    const results = await Promise.allSettled(Array.from({ length: 64 }, () => call({ max_tokens: 12 })));
    expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(10);
    expect(upstream.calls.length - before).toBe(10);
    const refusals = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.status] : []));
    expect(new Set(refusals)).toEqual(expect.objectContaining({ size: expect.any(Number) }));
    expect(refusals.every((status) => status === 402 || status === 429)).toBe(true);
    await expect(call({ max_tokens: 12 })).rejects.toMatchObject({ status: 402, code: 'budget_exceeded' });
  });

  test('a model without a price is refused under a budget, and served without one, its cost unknown', async () => {
    await tenant.admin('POST', '/v1/organization/providers', {
      name: 'unpriced',
      type: 'openai',
      base_url: upstream.baseUrl,
      key: 'sk-unpriced-secret',
      models: ['m'],
    });
    await eventually(async () => (await tenant.openai.models.list()).data.some((model) => model.id === 'unpriced/m'));
    const { response } = await tenant.openai.chat.completions.create({ ...REQUEST, model: 'unpriced/m' }).withResponse();
    expect(response.headers.get('x-weir-cost')).toBeNull();
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'completed', amount: null, input: 9 }]);
    await budget('1.00');
    await expect(call({ model: 'unpriced/m' })).rejects.toMatchObject({ status: 422, code: 'model_not_priced' });
  });
});

describe('403 and 404', () => {
  test.each([
    ['up/tset-model', 'Did you mean "up/test-model"?'],
    ['upp/test-model', 'Did you mean "up/test-model"?'],
    ['upp/tset-model', 'Did you mean "up/test-model"?'],
    ['test-model', 'Did you mean "up/test-model"?'],
    ['tset-model', 'Did you mean "up/test-model"?'],
    ['up', 'GET /v1/models lists the models that this key may use.'],
    ['nothing/like-any-model', 'GET /v1/models lists the models that this key may use.'],
    ['up/../admin', 'its id has an empty part'],
  ])('the model %s is refused with the nearest name', async (model, hint) => {
    const error = await call({ model }).catch((caught) => caught);
    expect(error).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' });
    expect(error.message).toContain(hint);
  });

  test('a key that may not use the model', async () => {
    const key = await tenant.admin<{ value: string }>('POST', `/v1/organization/projects/${tenant.projectId}/api_keys`, {
      name: 'narrow',
      models: ['up/other/model'],
    });
    const narrow = new OpenAI({ apiKey: key.value, baseURL: `${weir.publicUrl}/v1`, maxRetries: 0 });
    await eventually(async () =>
      narrow.models.list().then(
        (list) => list.data.length === 1,
        () => false,
      ),
    );
    await expect(narrow.chat.completions.create(REQUEST)).rejects.toMatchObject({ status: 403, code: 'model_not_allowed' });
    const messageOf = (model: string) => narrow.chat.completions.create({ ...REQUEST, model }).catch((error: Error) => error.message);
    expect(await messageOf('up/othr/model')).toContain('Did you mean "up/other/model"?');
    // No name of what it may not use.
    expect(await messageOf('up/tset-model')).not.toContain('up/test-model');
  });

  test('a provider that does not know the model', async () => {
    upstream.script = json(404, { error: { message: 'no such model', code: 'model_not_found' } });
    await expect(call()).rejects.toMatchObject({ status: 404, code: 'model_not_found' });
  });

  test('an endpoint that does not exist says where calls go', async () => {
    await expect(tenant.openai.get('/nonsense')).rejects.toMatchObject({
      status: 404,
      code: 'not_found',
      message: expect.stringContaining('/v1/chat/completions'),
    });
  });
});

describe('the provider fails: the client is told in Weir’s words, and nothing is booked', () => {
  test.each<[string, Script, number, string]>([
    ['429', json(429, { error: { message: 'slow down' } }, { 'retry-after': '7' }), 429, 'upstream_rate_limited'],
    ['401', json(401, { error: { message: 'Incorrect API key provided: sk-up-s****' } }), 502, 'provider_auth_failed'],
    ['out of money', json(429, { error: { code: 'insufficient_quota', message: 'x' } }), 503, 'provider_unavailable'],
    ['500', json(500, '<html>secret stack</html>'), 502, 'upstream_error'],
    ['a redirect', json(302, '', { location: 'http://127.0.0.1:1/' }), 502, 'upstream_invalid_response'],
  ])('%s', async (_name, script, status, code) => {
    upstream.script = script;
    for (const streaming of [false, true]) {
      const error = await call({ stream: streaming }).catch((caught) => caught);
      expect(error).toMatchObject({ status, code });
      expect(error.message).not.toMatch(/sk-|secret/);
      if (code === 'upstream_rate_limited') expect(error.headers.get('retry-after')).toBe('7');
    }
    expect(await booked(weir, tenant)).toMatchObject([
      { status: 'failed', kind: null },
      { status: 'failed', kind: null },
    ]);
  });

  test.each<[string, Script, number, string]>([
    ['a reset', (_call, response) => void response.socket!.resetAndDestroy(), 502, 'upstream_unreachable'],
    ['silence', hang, 504, 'upstream_timeout'],
  ])('%s after the request was sent may have been billed, and is booked', async (_name, script, status, code) => {
    upstream.script = script;
    for (const streaming of [false, true]) await expect(call({ stream: streaming })).rejects.toMatchObject({ status, code });
    await eventually(async () => (await booked(weir, tenant)).length === 2, 10_000);
    for (const one of await booked(weir, tenant))
      expect(one).toMatchObject({ status: 'cut', http_status: status, error_code: code, kind: 'usage', estimated: true, output: 100 });
  });

  test('an address nobody listens on', async () => {
    await addUpstream(tenant, 'http://127.0.0.1:9/v1', 'gone');
    await expect(call({ model: 'gone/test-model' })).rejects.toMatchObject({ status: 502, code: 'upstream_unreachable' });
  });

  test.each([
    ['no JSON', '<html>'],
    ['null', 'null'],
    ['an array', '[]'],
    ['no choices', '{}'],
  ])('a reply that is %s is not passed on, and the prompt is booked', async (_name, body) => {
    upstream.script = json(200, body);
    await expect(call()).rejects.toMatchObject({ status: 502, code: 'upstream_invalid_response' });
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'cut', kind: 'usage', estimated: true }]);
  });
});

describe('after the first byte', () => {
  test.each<[string, Script, string]>([
    ['the stream ends without a finish', stream([delta({ content: 'half an ' }), delta({ content: 'answer' })]), 'upstream_interrupted'],
    ['the connection breaks', stream([delta({ content: 'half an ' }), delta({ content: 'answer' })], 'reset'), 'upstream_interrupted'],
    ['the provider goes silent', stream([delta({ content: 'half an ' }), delta({ content: 'answer' })], 'hang'), 'upstream_interrupted'],
    [
      'the provider reports an error',
      stream([delta({ content: 'half an ' }), delta({ content: 'answer' }), 'data: {"error":{"message":"overloaded","code":529}}\n\n']),
      'upstream_overloaded',
    ],
    [
      'an event cannot be read',
      stream([delta({ content: 'half an ' }), delta({ content: 'answer' }), 'data: {"usage":{"broken\n\n']),
      'upstream_invalid_response',
    ],
  ])('%s: the client gets an error event and no [DONE], and what was seen is booked as an estimate', async (_name, script, code) => {
    upstream.script = script;
    const response = await raw(JSON.stringify({ ...REQUEST, stream: true }));
    const text = await response.text();
    expect(response.status).toBe(200);
    expect(text).toContain('half an ');
    expect(text).not.toContain('[DONE]');
    expect(JSON.parse(text.trimEnd().split('\n\n').at(-1)!.slice(6))).toMatchObject({ error: { code } });
    await eventually(async () => (await booked(weir, tenant)).length === 1, 10_000);
    // What the model may have hidden, too.
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'cut', kind: 'usage', estimated: true, output: 100 }]);
  });

  test('the SDK sees a broken stream as an error', async () => {
    upstream.script = stream([delta({ content: 'half' })]);
    await expect(drain()).rejects.toThrow();
  });

  test('an error before the first content is a plain error with a status', async () => {
    upstream.script = stream(['data: {"error":{"message":"overloaded","code":429}}\n\n']);
    await expect(drain()).rejects.toMatchObject({ status: 429, code: 'upstream_rate_limited' });
  });
});

describe('the client leaves', () => {
  beforeEach(async () => {
    const { data } = await tenant.admin<{ data: { id: string }[] }>('GET', '/v1/organization/providers');
    await tenant.admin('POST', `/v1/organization/providers/${data[0]!.id}`, { on_client_gone: 'cancel' });
  });

  test('in the middle of a stream: a provider that stops then is cut off, and what it may have made is booked', async () => {
    upstream.script = stream([delta({ content: 'half an ' }), delta({ content: 'answer' })], 'hang');
    const leaving = new AbortController();
    const reply = await tenant.openai.chat.completions.create({ ...REQUEST, stream: true }, { signal: leaving.signal });
    for await (const part of reply) if (part.choices[0]?.delta.content === 'answer') leaving.abort();
    expect(await upstream.calls[0]!.closed).toBe(true);
    await eventually(async () => (await booked(weir, tenant)).length === 1);
    expect(await booked(weir, tenant)).toMatchObject([
      { status: 'cut', error_code: 'client_gone', kind: 'usage', estimated: true, output: 100 },
    ]);
  });

  test('while the provider thinks: one that stops then is cut off, and what it may have made is booked', async () => {
    upstream.script = hang;
    const leaving = new AbortController();
    const reply = tenant.openai.chat.completions.create(REQUEST, { signal: leaving.signal }).catch((error) => error);
    await upstream.received(1);
    leaving.abort();
    await reply;
    expect(await upstream.calls[0]!.closed).toBe(true);
    await eventually(async () => (await booked(weir, tenant)).length === 1);
    expect(await booked(weir, tenant)).toMatchObject([{ status: 'cut', kind: 'usage', estimated: true, output: 100 }]);
  });
});
