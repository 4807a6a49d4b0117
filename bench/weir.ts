import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { NODE_FLAGS } from '../test/support/process.js';
import type { Cores } from './machine.js';
import { firstLine, type Running, startProxy } from './processes.js';

const PATIENCE_MS = 10_000;
/** In USD per million tokens. */
const PRICE = { input: '0.15', output: '0.60' };
const BUDGET = { limit: '1000000.00', period: 'month', timezone: 'UTC', mode: 'deny' };

export interface Weir extends Running {
  publicUrl: string;
  port: number;
  adminUrl: string;
  tenantAdminKey: string;
  apiKey: string;
  /** Its log. */
  log: string;
}

export interface WeirOptions {
  directory: string;
  dist: string;
  databaseUrl: string;
  upstreamPort: number;
  cores: Cores | null;
  /** More arguments for Node. */
  nodeArgs: string[];
}

/** The product as it is built, with every role, on its core; then the tenant that calls: a provider, a price, and a budget on each scope. */
export async function startWeir(options: WeirOptions): Promise<Weir> {
  const log = join(options.directory, 'weir.log');
  const args = [...NODE_FLAGS, ...options.nodeArgs, resolve(options.dist, 'main.js'), '--json'];
  const { child, pid, stop } = startProxy(options.cores, process.execPath, args, environment(options), options.directory, log);
  const ready = JSON.parse(await firstLine(child, log)) as Record<
    'public' | 'admin' | 'tenant' | 'tenant_admin_key' | 'project' | 'api_key',
    string
  >;
  const weir = {
    pid,
    stop,
    log,
    publicUrl: ready.public,
    port: Number(new URL(ready.public).port),
    adminUrl: ready.admin,
    tenantAdminKey: ready.tenant_admin_key,
    apiKey: ready.api_key,
  };
  await configure(weir, options.upstreamPort, ready.tenant, ready.project);
  return weir;
}

/** Nothing of the bench's own environment: no key, no setting. */
function environment({ directory, databaseUrl, upstreamPort }: WeirOptions): NodeJS.ProcessEnv {
  return {
    PATH: process.env.PATH,
    DATABASE_URL: databaseUrl,
    WEIR_HOME: join(directory, 'weir'),
    WEIR_ROLES: 'gateway,control,worker',
    WEIR_DEMO: '1',
    WEIR_PUBLIC_PORT: '0',
    WEIR_ADMIN_PORT: '0',
    WEIR_EGRESS_ALLOW: `127.0.0.1:${upstreamPort}`,
    WEIR_LOG_LEVEL: 'info',
  };
}

/** A provider at the scripted upstream, and what its models cost. */
export async function addProvider(weir: Weir, provider: { name: string; type: string; base_url: string; dialect?: string }): Promise<void> {
  const add = (path: string, body: object) => request('POST', `${weir.adminUrl}/v1/organization/${path}`, weir.tenantAdminKey, body);
  await add('prices', { provider: provider.name, model: '*', ...PRICE });
  await add('providers', { ...provider, key: 'bench-upstream-key', models: ['*'], no_verify: true });
}

async function configure(weir: Weir, upstreamPort: number, tenant: string, project: string): Promise<void> {
  const admin = <T>(method: string, path: string, body?: object) =>
    request<T>(method, `${weir.adminUrl}/v1/organization/${path}`, weir.tenantAdminKey, body);
  const { id: key } = await request<{ id: string }>('GET', `${weir.publicUrl}/v1/key`, weir.apiKey);
  const { data: demo } = await admin<{ data: { id: string }[] }>('GET', 'budgets');
  for (const { id } of demo) await admin('DELETE', `budgets/${id}`); // it would soon be spent
  for (const [kind, value] of Object.entries({ tenant, project, api_key: key })) {
    await admin('POST', 'budgets', { scope: { kind, value }, ...BUDGET });
  }
  await addProvider(weir, { name: 'up', type: 'openai', base_url: `http://127.0.0.1:${upstreamPort}/v1` });
}

async function request<T>(method: string, url: string, key: string, body?: object): Promise<T> {
  const response = await fetch(url, {
    method,
    headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }) },
    body: body && JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url} answered ${response.status}: ${text}`);
  return JSON.parse(text) as T;
}

/** Repeats a call until it is answered: what was just configured reaches the gateway a moment later. */
export async function untilServed(call: () => Promise<Response>, weir: Weir): Promise<Response> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const response = await call();
    if (response.ok) return response;
    const reply = await response.text();
    if (Date.now() > deadline) throw new Error(`Weir answers ${response.status}: ${reply}\n${lastLines(weir.log)}`);
    await delay(50);
  }
}

const lastLines = (file: string): string => readFileSync(file, 'utf8').trim().split('\n').slice(-5).join('\n');
