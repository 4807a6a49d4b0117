import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { PUBLIC_ROUTES } from '../../src/gateway/routes.js';
import { ROOT } from '../support/process.js';
import { createTenant, eventually, startTestWeir, type TestTenant, type TestWeir } from '../support/weir.js';
import { ROUTES } from './admin/routes.js';

/** The OpenAPI documents of both listeners: complete, valid, and true. */

interface Operation {
  summary: string;
  tags: string[];
  parameters?: { name: string }[];
  requestBody?: { content: { 'application/json': { example: object } } };
  responses: Record<string, { content: Record<string, { schema: object }> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, object>; securitySchemes: object };
}

let weir: TestWeir;
let tenant: TestTenant;
let admin: Document;
let open: Document;

const read = async (url: string): Promise<Document> => (await fetch(`${url}/openapi.json`)).json() as Promise<Document>;

beforeAll(async () => {
  weir = await startTestWeir();
  tenant = await createTenant(weir);
  await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
  await eventually(async () => (await tenant.openai.models.list()).data.length > 0);
  [admin, open] = [await read(weir.adminUrl), await read(weir.publicUrl)];
});

afterAll(() => weir.stop());

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
  expect(admins.map(({ name }) => name).sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).sort());
  const publics = operationsOf(open);
  expect(publics.map(({ name }) => name).sort()).toEqual(
    PUBLIC_ROUTES.map(({ method, path }) => `${method} ${path.replace(/:id|\*$/, '{id}')}`).sort(),
  );
  for (const { name, operation } of [...admins, ...publics]) {
    expect([name, operation.summary]).toEqual([name, expect.stringMatching(/^[A-Z].*\.$/)]);
    expect([name, operation.responses]).toEqual([name, expect.objectContaining({ 200: expect.anything(), 401: expect.anything() })]);
  }
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
    return { id: response.headers.get('x-request-id'), status: response.status, json: await response.json() };
  };
  const conforms = (template: string, method: string, status: number, json: unknown) => {
    const pointer = template.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D');
    const validate = ajv.getSchema(`open#/paths/${pointer}/${method}/responses/${status}/content/application~1json/schema`)!;
    return [template, validate(json), validate.errors];
  };
  for (const { path, operation } of operationsOf(open).filter(({ operation }) => operation.requestBody)) {
    const { status, json, id } = await ask(path, operation.requestBody!.content['application/json'].example);
    expect([path, status, json]).toEqual([path, 200, expect.anything()]);
    expect(conforms(path, 'post', 200, json)).toEqual([path, true, null]);
    if (path === '/v1/chat/completions') {
      await eventually(async () => (await ask(`/v1/calls/${id}`)).status === 200);
      expect(conforms('/v1/calls/{id}', 'get', 200, (await ask(`/v1/calls/${id}`)).json)).toEqual(['/v1/calls/{id}', true, null]);
    }
    const refused = await ask(path, {
      model: 'nobody/nothing',
      messages: [{ role: 'user', content: 'Hello' }],
      input: 'x',
      prompt: 'x',
      max_tokens: 1,
    });
    expect(conforms(path, 'post', refused.status, refused.json)).toEqual([path, true, null]);
  }
  for (const [template, path] of [
    ['/v1/models', '/v1/models'],
    ['/v1/models/{id}', '/v1/models/mock/echo'],
    ['/v1/key', '/v1/key'],
  ] as const)
    expect(conforms(template, 'get', 200, (await ask(path)).json)).toEqual([template, true, null]);
});
