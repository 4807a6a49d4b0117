import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { PUBLIC_ROUTES } from '../../src/gateway/routes.js';
import { newId, parsePublicId, publicId } from '../../src/kernel/ids.js';
import { addApproval } from '../support/approvals.js';
import { ROOT } from '../support/process.js';
import { eventually } from '../support/weir.js';
import { withWeir } from '../support/with-weir.js';
import { ROUTES } from './admin/routes.js';

/** The OpenAPI documents of both listeners: complete, valid, and true. */

interface Operation {
  summary: string;
  tags: string[];
  parameters?: { name: string }[];
  requestBody?: { content: { 'application/json': { example: object } } };
  responses: Record<string, { headers?: Record<string, object>; content: Record<string, { schema: object }> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; securitySchemes: object };
}

const { weir, tenant } = withWeir();
let admin: Document;
let open: Document;

const read = async (url: string): Promise<Document> => (await fetch(`${url}/openapi.json`)).json() as Promise<Document>;

beforeAll(async () => {
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  await eventually(async () => (await tenant.openai.models.list()).data.length > 0);
  [admin, open] = [await read(weir.adminUrl), await read(weir.publicUrl)];
});

const operationsOf = ({ paths }: Document) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
  );

const REDOCLY = join(ROOT, 'node_modules/@redocly/cli/bin/cli.js');

test.each(['admin', 'public'])('the %s document has no fault and no warning by the recommended rules of Redocly', (which) => {
  const directory = mkdtempSync(join(tmpdir(), 'weir-openapi-'));
  writeFileSync(join(directory, 'openapi.json'), JSON.stringify(which === 'admin' ? admin : open));
  const args = [REDOCLY, 'lint', join(directory, 'openapi.json'), '--format=json', '--extends=recommended'];
  const { stdout } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    cwd: directory,
    env: { ...process.env, REDOCLY_TELEMETRY: 'off' },
  });
  rmSync(directory, { recursive: true });
  const { totals, problems } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { totals: object; problems: unknown[] };
  expect([totals, problems]).toEqual([{ errors: 0, warnings: 0, ignored: 0 }, []]);
});

test('the admin document has every route of the admin listener, and the public one every other, each with a summary that is a sentence', () => {
  const admins = operationsOf(admin);
  expect(admins.map(({ name }) => name).sort()).toEqual(
    ROUTES.map(({ method, path }) => `${method} ${path}`)
      .filter((name) => !BROWSERS.test(name))
      .sort(),
  );
  const publics = operationsOf(open);
  expect(publics.map(({ name }) => name).sort()).toEqual(
    PUBLIC_ROUTES.map(
      ({ method, path }) => `${method} ${path.replace('/:provider/*', '/{provider}/{path}').replace(/:id|\*$/, '{id}')}`,
    ).sort(),
  );
  for (const { name, operation } of [...admins, ...publics]) {
    expect([name, operation.summary]).toEqual([name, expect.stringMatching(/^[A-Z].*\.$/)]);
    expect([name, operation.responses]).toEqual([name, expect.objectContaining({ 200: expect.anything(), 401: expect.anything() })]);
  }
});

/** Where a browser is sent, and sent on from: no program calls them. And SCIM, which describes itself. */
const BROWSERS = / \/(v1\/auth\/oidc|scim)\//;
/** What people sign in with, and what they do about themselves: test/e2e/people sends these. */
const OF_PERSONS = /^\/v1\/(auth|invites)\//;

/** Headers of ours in a reply that the document does not have at its operation and status. */
const undeclared = ({ responses }: Operation, reply: Response): string[] =>
  [...reply.headers.keys()].filter(
    (name) => /^(x-|openai-|retry-after|request-id|etag|idempotent)/.test(name) && !responses[reply.status]?.headers?.[name],
  );

const schemaPointer = (template: string, method: string, status: number): string =>
  `#/paths/${template.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/${method}/responses/${status}/content/application~1json/schema`;

test('every body that the admin listener takes has an example that works, and what is answered is what the document says', async () => {
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema({ ...admin, $id: 'admin' });
  const send = async (key: string, method: string, path: string, body?: object, headers: Record<string, string> = {}) =>
    fetch(weir.adminUrl + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(key === weir.operatorKey && path.startsWith('/v1/organization') && { 'x-weir-tenant': tenant.id }),
        ...(body && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body && { body: JSON.stringify(body) }),
    });
  const ids: Record<string, string> = { project_id: tenant.projectId, tenant_id: tenant.id, gateway_id: `gw_${'0'.repeat(32)}` };
  /** Where the id of what a path creates is needed. */
  const made: Record<string, string> = {
    '/v1/organization/providers': 'provider_id',
    '/v1/organization/budgets': 'budget_id',
    '/v1/organization/routes': 'route_id',
    '/v1/platform/routes': 'platform_route_id',
    '/v1/organization/egress_rules': 'egress_rule_id',
    '/v1/organization/webhooks': 'webhook_id',
    '/v1/platform/webhooks': 'platform_webhook_id',
    '/v1/organization/rate_limits': 'rate_limit_id',
    '/v1/organization/admin_api_keys': 'admin_key_id',
    '/v1/organization/projects/{project_id}/api_keys': 'key_id',
    '/v1/platform/credentials': 'credential_id',
    '/v1/platform/operator_keys': 'operator_key_id',
  };
  const person = newId();
  ids['user_id'] = publicId('person', person);
  await weir.db.query(
    `INSERT INTO people (id, tenant_id, email, name, role, created_at) VALUES ($1, $2, 'a@example.com', 'A', 'viewer', now())`,
    [person, parsePublicId('tenant', tenant.id)],
  );
  const operator = newId();
  ids['operator_id'] = publicId('person', operator);
  await weir.db.query(`INSERT INTO people (id, email, name, role, created_at) VALUES ($1, 'o@example.com', 'O', 'operator', now())`, [
    operator,
  ]);
  const bodies = operationsOf(admin).filter(({ path, operation }) => operation.requestBody && !OF_PERSONS.test(path));
  // What a path below needs is created first.
  const ordered = [...bodies.filter(({ path }) => path in made), ...bodies.filter(({ path }) => !(path in made))];
  for (const { name, path, operation } of ordered) {
    const { example } = operation.requestBody!.content['application/json'];
    const method = name.split(' ')[0]!;
    if (path.includes('{approval_id}')) ids['approval_id'] = await addApproval(weir.db, tenant.id, tenant.projectId);
    const body =
      path === '/v1/platform/routes'
        ? { ...example, targets: [{ model: 'house/your-model' }] }
        : path === '/v1/platform/inference'
          ? { provider: 'house', model: 'acme-large', verify: false }
          : path.endsWith('/grants') && path.startsWith('/v1/platform')
            ? { tenant: tenant.id }
            : path === '/v1/platform/sign_in_links'
              ? { user: ids['user_id'] }
              : path === '/v1/organization/sso'
                ? { ...example, verify: false }
                : example;
    const reply = await send(
      weir.operatorKey,
      method,
      path.replace(/\{(\w+)\}/g, (_, id: string) => ids[id]!),
      body,
    );
    const json = (await reply.json()) as { id?: string; error?: object };
    // The gateway of the example is none that has gone.
    expect([name, json.error ?? null]).toEqual([name, path.endsWith('/forget') ? expect.objectContaining({ code: 'not_found' }) : null]);
    const validate = ajv.getSchema(`admin${schemaPointer(path, method.toLowerCase(), reply.status)}`)!;
    expect([name, validate(json), validate.errors]).toEqual([name, true, null]);
    expect([name, undeclared(operation, reply)]).toEqual([name, []]);
    if (path in made) ids[made[path]!] = json.id!;
  }
  const again = async () => send(weir.operatorKey, 'POST', '/v1/platform/tenants', { name: 'once' }, { 'idempotency-key': 'once' });
  await again();
  const { operation: creating } = operationsOf(admin).find(({ name }) => name === 'POST /v1/platform/tenants')!;
  const replayed = await again();
  expect([replayed.headers.get('idempotent-replayed'), undeclared(creating, replayed)]).toEqual(['true', []]);
});

test('the public document shows no path of admins', () => {
  expect(JSON.stringify(open)).not.toMatch(/\/v1\/(organization|platform)/);
});

test('what the public listener answers is what its document says, and the examples work', async () => {
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema({ ...open, $id: 'open' });
  const ask = async (path: string, body?: object) => {
    const response = await fetch(weir.publicUrl + path, {
      headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
      ...(body && { method: 'POST', body: JSON.stringify(body) }),
    });
    return { id: response.headers.get('x-request-id'), status: response.status, json: await response.json(), response };
  };
  const conforms = (template: string, method: string, status: number, json: unknown) => {
    const validate = ajv.getSchema(`open${schemaPointer(template, method, status)}`)!;
    return [template, validate(json), validate.errors];
  };
  await tenant.admin('POST', '/v1/organization/rate_limits', {
    scope: { kind: 'tenant' },
    max_requests_per_1_minute: 1_000,
    max_tokens_per_1_minute: 1_000_000_000,
  });
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1000', period: 'month' });
  for (const { path, operation } of operationsOf(open).filter(({ operation }) => operation.requestBody)) {
    const { status, json, id, response } = await ask(path, operation.requestBody!.content['application/json'].example);
    expect([path, status, json]).toEqual([path, 200, expect.anything()]);
    expect([path, undeclared(operation, response)]).toEqual([path, []]);
    expect(conforms(path, 'post', 200, json)).toEqual([path, true, null]);
    if (path === '/v1/chat/completions') {
      await eventually(async () => (await ask(`/v1/calls/${id}`)).status === 200);
      expect(conforms('/v1/calls/{id}', 'get', 200, (await ask(`/v1/calls/${id}`)).json)).toEqual(['/v1/calls/{id}', true, null]);
      const { json: explanation } = await ask(`/v1/calls/${id}/explain`);
      expect(conforms('/v1/calls/{id}/explain', 'get', 200, explanation)).toEqual(['/v1/calls/{id}/explain', true, null]);
    }
    const refused = await ask(path, {
      model: 'nobody/nothing',
      messages: [{ role: 'user', content: 'Hello' }],
      input: 'x',
      prompt: 'x',
      max_tokens: 1,
    });
    expect(conforms(path, 'post', refused.status, refused.json)).toEqual([path, true, null]);
    expect([path, undeclared(operation, refused.response)]).toEqual([path, []]);
  }
  for (const [template, path] of [
    ['/v1/models', '/v1/models'],
    ['/v1/models/{id}', '/v1/models/mock/echo'],
    ['/v1/key', '/v1/key'],
  ] as const)
    expect(conforms(template, 'get', 200, (await ask(path)).json)).toEqual([template, true, null]);
  await tenant.admin('POST', '/v1/organization/rate_limits', { scope: { kind: 'tenant' }, max_requests_per_1_minute: 0 });
  const chat = operationsOf(open).find(({ path }) => path === '/v1/chat/completions')!.operation;
  const limited = await ask('/v1/chat/completions', chat.requestBody!.content['application/json'].example);
  expect([limited.status, limited.response.headers.has('retry-after'), undeclared(chat, limited.response)]).toEqual([429, true, []]);
  expect(limited.response.headers.has('x-ratelimit-limit-requests')).toBe(true);
});
