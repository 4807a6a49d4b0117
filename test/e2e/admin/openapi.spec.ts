import { createTenant, startTestWeir, type TestTenant, type TestWeir } from '../../support/weir.js';
import { clientOf } from './client.js';
import { ROUTES } from './routes.js';

let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  weir = await startTestWeir();
  tenant = await createTenant(weir);
});

afterAll(() => weir.stop());

type Operation = { summary?: string; responses: Record<string, { content?: unknown }>; requestBody?: unknown };

async function read(key: string) {
  const { body } = await clientOf(weir, key)('GET', '/openapi.json');
  const operations = Object.entries(body.paths as Record<string, Record<string, Operation>>).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, operation })),
  );
  return { body, operations };
}

const namesOf = (routes: typeof ROUTES) => routes.map(({ method, path }) => `${method} ${path}`).sort();

test('an operator reads about every route, with a summary and the shape of the answer', async () => {
  const { body, operations } = await read(weir.operatorKey);
  expect(operations.map(({ name }) => name).sort()).toEqual(namesOf(ROUTES));
  for (const { operation } of operations) {
    expect(operation.summary).toMatch(/\.$/);
    expect(operation.responses).toMatchObject({
      200: { content: { 'application/json': { schema: expect.anything() } } },
      default: { content: expect.anything() },
    });
  }
  expect(body.components.securitySchemes.bearer).toMatchObject({ type: 'http', scheme: 'bearer' });
});

test('a tenant admin reads about no platform route', async () => {
  const { operations } = await read(tenant.adminKey);
  expect(operations.map(({ name }) => name).sort()).toEqual(namesOf(ROUTES.filter(({ audience }) => audience !== 'operator')));
});

test('every reference leads somewhere', async () => {
  const { body } = await read(weir.operatorKey);
  const references = [...JSON.stringify(body).matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map((match) => match[1]!);
  expect(references.length).toBeGreaterThan(0);
  for (const name of references) expect(body.components.schemas).toHaveProperty(name);
});
