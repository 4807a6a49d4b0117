import { withWeir } from '../../support/with-weir.js';
import { clientOf, type Send } from './client.js';

const { weir, tenant } = withWeir();
let send: Send;

beforeAll(async () => {
  send = clientOf(weir, tenant.adminKey);
});

const BUDGET = { scope: { kind: 'tenant' }, limit: '1.00', period: 'month' };
const PRICE = { provider: 'openai', model: 'm', input: '1', output: '2' };
const PROVIDER = { type: 'openai', name: 'up' };
const KEYS = 'KEYS';

test.each<[string, string, object, string, string]>([
  ['an unknown field', '/v1/organization/projects', { nme: 'x' }, 'nme', '"nme" is not known here. Did you mean "name"?'],
  [
    'an unknown field inside',
    '/v1/organization/budgets',
    { ...BUDGET, scope: { kind: 'tenant', x: 1 } },
    'scope.x',
    '"scope.x" is not known here. Leave it out.',
  ],
  ['a missing field', '/v1/organization/projects', {}, 'name', '"name" is missing.'],
  ['an empty name', '/v1/organization/projects', { name: '' }, 'name', '"name" must not be empty.'],
  ['a name Postgres cannot hold', '/v1/organization/projects', { name: 'a\0b' }, 'name', '"name" must not contain the character NUL.'],
  [
    'metadata that is no text',
    '/v1/organization/projects',
    { name: 'x', metadata: { a: 1 } },
    'metadata.a',
    '"metadata.a" must be a string.',
  ],
  [
    'no JSON object',
    '/v1/organization/projects',
    [],
    null as never,
    'The request must carry a JSON object, with "Content-Type: application/json".',
  ],
  [
    'a limit below zero',
    '/v1/organization/budgets',
    { ...BUDGET, limit: '-1' },
    'limit',
    '"limit" must be USD as a decimal string with at most nine decimals and no sign, e.g. "1.00".',
  ],
  [
    'a limit as a number',
    '/v1/organization/budgets',
    { ...BUDGET, limit: 1 },
    'limit',
    '"limit" must be USD as a decimal string, e.g. "1.00".',
  ],
  [
    'a limit beyond counting',
    '/v1/organization/budgets',
    { ...BUDGET, limit: '9999999999' },
    'limit',
    '"limit" must be at most "1000000000".',
  ],
  [
    'a time zone that is none',
    '/v1/organization/budgets',
    { ...BUDGET, timezone: 'Mars/Phobos' },
    'timezone',
    '"Mars/Phobos" is not an IANA time zone. Use a name such as "Europe/Berlin" or "UTC".',
  ],
  [
    'an unknown period',
    '/v1/organization/budgets',
    { ...BUDGET, period: 'fortnight' },
    'period',
    '"period" must be one of "minute", "hour", "day", "week", "month", "year", "lifetime", "rolling".',
  ],
  [
    'a mode that does not exist',
    '/v1/organization/budgets',
    { ...BUDGET, mode: 'warn' },
    'mode',
    '"mode" must be one of "deny", "approve", "observe".',
  ],
  [
    'a scope without its value',
    '/v1/organization/budgets',
    { ...BUDGET, scope: { kind: 'project' } },
    'scope.value',
    '"scope.value" is missing.',
  ],
  [
    'a price with ten decimals',
    '/v1/organization/prices',
    { ...PRICE, input: 1e-10 },
    'input',
    '"input" must be USD per million tokens, at most nine decimals, as a decimal string such as "0.25" or a number.',
  ],
  [
    'a price below zero',
    '/v1/organization/prices',
    { ...PRICE, output: -1 },
    'output',
    '"output" must be USD per million tokens, at most nine decimals, as a decimal string such as "0.25" or a number.',
  ],
  ['a price without input', '/v1/organization/prices', { ...PRICE, input: undefined }, 'input', '"input" is missing.'],
  [
    'a price from no time',
    '/v1/organization/prices',
    { ...PRICE, effective_at: 'tomorrow' },
    'effective_at',
    '"effective_at" must be a time: unix seconds, or ISO 8601 such as "2026-12-01T00:00:00Z".',
  ],
  [
    'an unknown provider type',
    '/v1/organization/providers',
    { type: 'opnai' },
    'type',
    'There is no provider type "opnai". Did you mean "openai"?',
  ],
  [
    'a provider name no reference can carry',
    '/v1/organization/providers',
    { ...PROVIDER, name: 'My Provider' },
    'name',
    '"name" must start with a lower-case letter or digit and go on with those, ".", "_" or "-", up to 63 in all.',
  ],
  [
    'an address that is none',
    '/v1/organization/providers',
    { ...PROVIDER, base_url: 'api.example.com' },
    'base_url',
    '"base_url" must be a URL such as "https://api.example.com/v1".',
  ],
  [
    'an address inside',
    '/v1/organization/providers',
    { ...PROVIDER, base_url: 'http://127.0.0.1:5432' },
    'base_url',
    '"base_url" is refused: Use https://, or have the deployment allow 127.0.0.1:5432 in WEIR_EGRESS_ALLOW.',
  ],
  [
    'the metadata service of a cloud',
    '/v1/organization/providers',
    { ...PROVIDER, base_url: 'https://169.254.169.254/v1' },
    'base_url',
    '"base_url" is refused: The address is not a public one.',
  ],
  [
    'the mock at another address',
    '/v1/organization/providers',
    { type: 'openai', base_url: 'mock://local' },
    'base_url',
    '"base_url" is refused: Use an https:// address.',
  ],
  [
    'a key no header can carry',
    '/v1/organization/providers',
    { ...PROVIDER, key: 'a\r\nx: y' },
    'key',
    '"key" must be visible ASCII characters without spaces.',
  ],
  [
    'a model that is no reference',
    KEYS,
    { name: 'k', models: ['gpt-5'] },
    'models.0',
    '"gpt-5" is no reference of a model. Write it as provider/model-id.',
  ],
  ['an API key that is over already', KEYS, { name: 'k', expires_at: 1 }, 'expires_at', '"expires_at" must lie in the future.'],
])('%s is refused with a sentence that says what to do', async (_, path, body, param, message) => {
  const reply = await send('POST', path === KEYS ? `/v1/organization/projects/${tenant.projectId}/api_keys` : path, body);
  expect(reply.body).toEqual({ error: { message, type: 'invalid_request_error', param, code: 'invalid_request' } });
  expect(reply.status).toBe(400);
});

test.each([
  ['/v1/organization/projects?limit=500', 'limit', '"limit" must be at most 100.'],
  ['/v1/organization/projects?limit=many', 'limit', '"limit" must be a number.'],
  ['/v1/organization/projects?lmit=5', 'lmit', '"lmit" is not known here. Did you mean "limit"?'],
  ['/v1/organization/projects?after=x', 'after', '"after" must be an id of this list, such as the last_id of a page.'],
  ['/v1/organization/calls?status=fine', 'status', '"status" must be one of "completed", "cut", "failed".'],
  ['/v1/organization/calls?project_id=x', 'project_id', '"project_id" must be an id that starts with "proj_".'],
  [`/v1/organization/calls?after=call_${'0'.repeat(32)}`, 'after', '"after" names no call. Use the first_id or last_id of a page.'],
  ['/v1/organization/costs', 'start_time', '"start_time" is missing.'],
  ['/v1/organization/costs?start_time=5&end_time=5', 'end_time', '"end_time" must be later than start_time.'],
  [
    '/v1/organization/costs?start_time=5&group_by[]=user_id',
    'group_by.0',
    '"group_by.0" must be one of "project_id", "api_key_id", "line_item", "provider", "endpoint", "credential_id", "end_user", "session", "tag", "scope".',
  ],
  [
    '/v1/organization/usage/completions?start_time=5&limit=32',
    'limit',
    '"limit" must be at most 1440 for 1m, 672 for 15m, 168 for 1h, 31 for 1d, 36 for 1mo.',
  ],
  [
    '/v1/organization/costs?start_time=5&time_zone=Mars',
    'time_zone',
    '"time_zone" must be an IANA time zone, such as "Europe/Berlin" or "UTC".',
  ],
  [
    '/v1/organization/costs?start_time=1795000000&end_time=1800000000&limit=60&group_by[]=end_user',
    'start_time',
    'A page of a report by end_user has 31 days at most. Ask for a shorter time, or for fewer buckets per page with "limit".',
  ],
])('GET %s is refused naming %s', async (path, param, message) => {
  const reply = await send('GET', path);
  expect([reply.status, reply.body.error.param, reply.body.error.message]).toEqual([400, param, message]);
});

test('a change that changes nothing, or what cannot be changed, is refused', async () => {
  const { body: budget } = await send('POST', '/v1/organization/budgets', BUDGET);
  const change = async (body: object) => (await send('POST', `/v1/organization/budgets/${budget.id}`, body)).body.error.message;
  expect(await change({})).toBe('The request changes nothing. Send the fields to change.');
  expect(await change({ period: 'day' })).toBe('"period" is not known here. Leave it out.');
});

const post = async (body: string | Uint8Array, type = 'application/json', key = tenant.adminKey) => {
  const response = await fetch(`${weir.adminUrl}/v1/organization/projects`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': type, ...(key !== tenant.adminKey && { 'x-weir-tenant': tenant.id }) },
    body: body as string,
  });
  return { status: response.status, error: ((await response.json()) as { error: { code: string; message: string; param: string } }).error };
};

test.each(['constructor', 'prototype', 'toString', 'hasOwnProperty', '__proto__'])(
  'a field named %s is as unknown as any other',
  async (field) => {
    const unknown = {
      status: 400,
      error: { code: 'invalid_request', param: field, message: `"${field}" is not known here. Leave it out.` },
    };
    for (const value of ['1', '{}', '{"prototype":{}}', 'null'])
      expect(await post(`{"name":"x","${field}":${value}}`)).toMatchObject(unknown);
    expect((await send('GET', `/v1/organization/projects?${field}=1`)).body).toMatchObject({ error: unknown.error });
    const { body } = await send(
      'POST',
      '/v1/organization/budgets',
      JSON.parse(`{"scope":{"kind":"tenant","${field}":1},"limit":"1","period":"day"}`),
    );
    expect(body.error.message).toBe(`"scope.${field}" is not known here. Leave it out.`);
  },
);

test('a label may have the name of what every object has, but not of its prototype', async () => {
  const metadata = { constructor: 'a', prototype: 'b', toString: 'c' };
  expect((await send('POST', '/v1/organization/projects', { name: 'labeled', metadata })).body).toMatchObject({ metadata });
  expect((await post('{"name":"x","metadata":{"__proto__":"a"}}')).error).toMatchObject({
    code: 'invalid_request',
    param: 'metadata.__proto__',
  });
});

test.each([
  ['{"name":"a","name":"a"}', 'name'],
  ['{"name":"a","metadata":{"team":"a","te\\u0061m":"b"}}', 'team'],
  ['{"name":"a","__proto__":1,"__proto__":2}', '__proto__'],
])('a key twice in one object is refused: %s', async (body, key) => {
  const message = `The request body has the key "${key}" more than once in one object. Send it once.`;
  expect(await post(body)).toMatchObject({ status: 400, error: { code: 'invalid_json', message } });
});

test('the same key in two objects is no key twice', async () => {
  const name = 'the key "name":"x" in a text';
  expect((await post(JSON.stringify({ name, metadata: { name: 'x' } }))).status).toBe(200);
});

test('a body that is not UTF-8 or nested too deep is refused, and one with a byte order mark taken', async () => {
  expect((await post(Buffer.from('{"name":"\xff"}', 'latin1'))).error).toMatchObject({
    code: 'invalid_json',
    message: 'The request body is not valid UTF-8.',
  });
  expect((await post(`{"a":${'['.repeat(90)}${']'.repeat(90)}}`)).error.message).toBe('The request is nested more than 64 levels deep.');
  expect((await post('\ufeff{"name":"marked"}')).status).toBe(200);
});

test('an If-Match that nothing would check is refused, but any version will do', async () => {
  const { body: project } = await send('POST', '/v1/organization/projects', { name: 'unversioned' });
  const budget = (await send('POST', '/v1/organization/budgets', BUDGET)).body;
  const changes: [string, string, object?][] = [
    ['PATCH', `/v1/organization/projects/${project.id}`, { name: 'versioned' }],
    ['POST', `/v1/organization/projects/${project.id}/archive`],
    ['DELETE', '/v1/organization/providers/prov_x'],
    ['POST', `/v1/organization/budgets/${budget.id}/reset`, {}],
    ['POST', '/v1/organization/budgets', BUDGET],
  ];
  for (const [method, path, body] of changes) {
    const reply = await send(method, path, body, { 'if-match': '"1"' });
    expect([path, reply.status, reply.body.error]).toMatchObject([path, 400, { code: 'invalid_request', param: 'If-Match' }]);
  }
  expect((await send('PATCH', `/v1/organization/projects/${project.id}`, { name: 'any' }, { 'if-match': '*' })).status).toBe(200);
  expect((await send('GET', `/v1/organization/projects/${project.id}`, undefined, { 'if-match': '"1"' })).status).toBe(200);
});

test('a name that is taken is a conflict that names it', async () => {
  const { body } = await send('POST', '/v1/organization/projects', { name: 'default' });
  expect(body.error).toMatchObject({ code: 'conflict', param: 'name', message: 'A project named "default" already exists.' });
  const { body: other } = await send('POST', '/v1/organization/projects', { name: 'other' });
  expect((await send('PATCH', `/v1/organization/projects/${other.id}`, { name: 'default' })).status).toBe(409);
});

test('a body that is no JSON, too large, or an address that is none, fails in the same shape', async () => {
  const codeOf = async (body: string, type?: string) => {
    const { status, error } = await post(body, type);
    return [status, error.code];
  };
  expect(await codeOf('{')).toEqual([400, 'invalid_json']);
  expect(await codeOf('')).toEqual([400, 'invalid_json']);
  expect(await codeOf('<a/>', 'application/xml')).toEqual([415, 'unsupported_media_type']);
  // Past the bounds of JSON it would be work without a bound.
  expect(await codeOf('name=form', 'application/x-www-form-urlencoded')).toEqual([415, 'unsupported_media_type']);
  expect(await codeOf(JSON.stringify({ name: 'x'.repeat(2 ** 21) }))).toEqual([413, 'request_too_large']);
  const nowhere = await send('GET', '/v1/organization/project');
  expect([nowhere.status, nowhere.body.error.code]).toEqual([404, 'not_found']);
  expect(nowhere.headers.get('x-request-id')).toMatch(/^req_[0-9a-f]{32}$/);
});

test('a path that cannot be decoded is refused in the form of every error', async () => {
  for (const path of ['/%', '/%ff', '/v1/organization/budgets/bud_%']) {
    const reply = await fetch(weir.adminUrl + path);
    expect([reply.status, await reply.json()]).toMatchObject([
      404,
      { error: { code: 'not_found', message: expect.stringContaining('hexadecimal') } },
    ]);
  }
});

test('what fails inside is told by a request id only', async () => {
  await weir.db.query('ALTER TABLE budgets RENAME TO budgets_elsewhere');
  const reply = await send('GET', '/v1/organization/budgets');
  await weir.db.query('ALTER TABLE budgets_elsewhere RENAME TO budgets');
  expect([reply.status, reply.body.error.code]).toEqual([500, 'internal_error']);
  expect(JSON.stringify(reply.body)).not.toContain('budgets');
});

test('a number is read as its shortest decimal text', async () => {
  const { body } = await send('POST', '/v1/organization/prices', {
    ...PRICE,
    input: 0.1,
    output: 1.5e-7,
    cache_read: 3,
    cache_write: '0.30',
  });
  expect(body).toMatchObject({ input: '0.10', output: '0.00000015', cache_read: '3.00', cache_write: '0.30', cache_write_1h: '0.30' });
});
