import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import OpenAI from 'openai';
import type { Pool } from 'pg';
import { readConfig } from '../../src/platform/config/index.js';
import { startWeir } from '../../src/roles/weir.js';
import { openPool } from './database.js';
import { quantity } from './ledger.js';
import { createSeededDatabase } from './seeded-database.js';

export interface TestWeir {
  publicUrl: string;
  adminUrl: string;
  operatorKey: string;
  /** As the owner of its database. */
  db: Pool;
  databaseUrl: string;
  stop(): Promise<void>;
}

export interface TestTenant {
  id: string;
  adminKey: string;
  projectId: string;
  keyId: string;
  apiKey: string;
  /** The official SDK, without retries of its own. */
  openai: OpenAI;
  admin<T = Record<string, never>>(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<T>;
}

export type Environment = Record<string, string>;

const COMMON: Environment = {
  WEIR_PUBLIC_PORT: '0',
  WEIR_ADMIN_PORT: '0',
  WEIR_MASTER_KEY: 'test master key, at least 32 characters',
  WEIR_LOG_LEVEL: 'silent',
  WEIR_MOCK: '1',
  // Most tests are about one attempt.
  WEIR_RETRIES: '0',
  // Their providers fail as they are told.
  WEIR_BREAKER_FAILURES: '0',
  // Tests say which address a request comes from.
  WEIR_TRUSTED_PROXIES: '127.0.0.1',
  // A busy machine is no frozen Postgres: that is tested where it is meant.
  WEIR_LEDGER_TIMEOUT_MS: '5000',
  // Nor is it an overloaded gateway.
  WEIR_MAX_LOOP_DELAY_MS: '60000',
};

/** The whole product in this process, on a database of its own. */
export async function startTestWeir(
  given: Environment | ((databaseUrl: string) => Environment | Promise<Environment>) = {},
): Promise<TestWeir> {
  const home = mkdtempSync(join(tmpdir(), 'weir-test-'));
  const database = await createSeededDatabase();
  const environment = typeof given === 'function' ? await given(database.url) : given;
  const config = readConfig(
    {
      ...COMMON,
      DATABASE_URL: database.url,
      WEIR_HOME: home,
      ...environment,
    },
    home,
  );
  const weir = await startWeir(config).catch(async (error) => {
    await database.drop();
    throw error;
  });
  const db = openPool(database.url);
  return {
    publicUrl: weir.publicUrl!,
    adminUrl: weir.adminUrl,
    operatorKey: weir.start!.operatorKey!,
    db,
    databaseUrl: database.url,
    async stop() {
      await weir.stop(1_000);
      await db.end();
      await database.drop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export interface SecondGateway {
  publicUrl: string;
  adminUrl: string;
  stop(): Promise<void>;
}

/** One more gateway on the same database. It is in this process, and shares nothing with the first but Postgres. */
export async function startSecondGateway({ databaseUrl }: Pick<TestWeir, 'databaseUrl'>, given: Environment): Promise<SecondGateway> {
  const home = mkdtempSync(join(tmpdir(), 'weir-second-'));
  const environment = { ...COMMON, DATABASE_URL: databaseUrl, WEIR_HOME: home, WEIR_ROLES: 'gateway', ...given };
  const weir = await startWeir(readConfig(environment, home));
  return {
    publicUrl: weir.publicUrl!,
    adminUrl: weir.adminUrl,
    async stop() {
      await weir.stop(1_000);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

/** Calls the admin REST. @throws with the reply when it is not 2xx. */
export async function admin<T>(
  weir: Pick<TestWeir, 'adminUrl'>,
  key: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  const response = await fetch(weir.adminUrl + path, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(unprobed(method, path, body)),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

/** Providers of tests answer what each test scripts: they are not probed when they are saved, unless a test says so. */
export const unprobed = (method: string, path: string, body: unknown): unknown => {
  const saves =
    method !== 'GET' &&
    /^\/v1\/(organization\/providers|platform\/credentials)(\/[^/]+)?$/.test(path) &&
    body instanceof Object &&
    Object.keys(body).length > 0;
  return saves ? { no_verify: true, ...body } : body;
};

/** A new tenant with a key, made through the admin REST as a customer would. */
export async function createTenant(weir: TestWeir): Promise<TestTenant> {
  const tenant = await admin<{ id: string; admin_key: string }>(weir, weir.operatorKey, 'POST', '/v1/platform/tenants', { name: 'test' });
  const call: TestTenant['admin'] = (method, path, body, headers) => admin(weir, tenant.admin_key, method, path, body, headers);
  const projects = await call<{ data: { id: string; name: string }[] }>('GET', '/v1/organization/projects');
  const projectId = projects.data.find((project) => project.name === 'default')!.id;
  const key = await call<{ id: string; value: string }>('POST', `/v1/organization/projects/${projectId}/api_keys`, { name: 'test' });
  const openai = new OpenAI({ apiKey: key.value, baseURL: `${weir.publicUrl}/v1`, maxRetries: 0 });
  await eventually(
    async () => (await fetch(`${weir.publicUrl}/v1/key`, { headers: { authorization: `Bearer ${key.value}` } })).status === 200,
  );
  return { id: tenant.id, adminKey: tenant.admin_key, projectId, keyId: key.id, apiKey: key.value, openai, admin: call };
}

/** Resolves when the condition holds; asks again until then. */
export async function eventually(condition: () => Promise<boolean>, withinMs = 5_000): Promise<void> {
  const deadline = Date.now() + withinMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`the condition did not come true within ${withinMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Adds the upstream as provider `up`, with one price for all its models: $1 and $2 per million tokens. */
export async function addUpstream(tenant: TestTenant, baseUrl: string, name = 'up'): Promise<void> {
  await tenant.admin('POST', '/v1/organization/prices', { provider: name, model: '*', input: '1', output: '2', cache_read: '0.1' });
  await tenant.admin('POST', '/v1/organization/providers', {
    name,
    type: 'openai',
    base_url: baseUrl,
    key: `sk-${name}-secret-of-the-provider`,
    // Of the last, the tokenizer is at hand.
    models: ['test-model', 'other/model', 'gpt-4o'],
  });
  await eventually(async () => {
    const models = await tenant.openai.models.list();
    return models.data.some((model) => model.id === `${name}/test-model`);
  });
}

export interface BookedCall {
  id: string;
  status: string;
  http_status: number;
  estimated: boolean;
  error_code: string | null;
  input: number;
  cache_read: number;
  output: number;
  amount: bigint | null;
  kind: string | null;
}

/** What the ledger holds of a tenant's calls, oldest first. */
export async function booked(weir: TestWeir, tenant: TestTenant): Promise<BookedCall[]> {
  const { rows } = await weir.db.query<BookedCall>(
    `SELECT 'call_' || replace(c.id::text, '-', '') AS id, c.status, c.http_status, c.estimated, c.error_code, l.kind, l.amount,
       (${quantity('l', 'input')})::int AS input, (${quantity('l', 'cacheRead')})::int AS cache_read, (${quantity('l', 'output')})::int AS output
     FROM calls c LEFT JOIN ledger_entries l ON l.call_id = c.id WHERE 'ten_' || replace(c.tenant_id::text, '-', '') = $1 ORDER BY c.admitted_at, c.id`,
    [tenant.id],
  );
  return rows;
}
