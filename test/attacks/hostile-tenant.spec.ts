import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parsePublicId } from '../../src/kernel/ids.js';
import { shardOf } from '../../src/ledger/shards.js';
import { createDatabase, openPool } from '../support/database.js';
import { brokenInvariants } from '../support/ledger.js';
import { ROOT, WeirProcess } from '../support/process.js';
import { createTenant, eventually, type TestTenant, type TestWeir } from '../support/weir.js';
import type { Target } from './support/hostile.js';

/** 60 in the long run. */
const SECONDS = Number(process.env['ATTACK_SECONDS'] ?? 6);
const CALLS_PER_SECOND = 20;

jest.setTimeout((SECONDS + 90) * 1_000);

const shardOfTenant = ({ id }: TestTenant): number => shardOf(parsePublicId('tenant', id)!);

/** Runs the hostile tenant and the strangers. Answers how often each thing was done. */
async function attack(target: Target): Promise<Record<string, number>> {
  const program = spawn(
    process.execPath,
    ['-r', join(ROOT, 'test/support/register-typescript.cjs'), join(__dirname, 'support/hostile.ts'), JSON.stringify(target)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let output = '';
  program.stdout.on('data', (text) => (output += text));
  const [code] = await once(program, 'close');
  expect(code).toBe(0);
  return JSON.parse(output);
}

interface Latencies {
  failed: string[];
  p50: number;
  p99: number;
}

/** Calls at a steady rate, whatever becomes of the ones before. */
async function callsOf(weir: TestWeir, tenant: TestTenant, seconds: number): Promise<Latencies> {
  const took: number[] = [];
  const failed: string[] = [];
  const calls: Promise<void>[] = [];
  const body = JSON.stringify({ model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20 });
  const headers = { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' };
  const call = async () => {
    const begun = performance.now();
    try {
      const reply = await fetch(`${weir.publicUrl}/v1/chat/completions`, { method: 'POST', headers, body });
      const text = await reply.text();
      if (reply.status !== 200) failed.push(text);
    } catch (error) {
      failed.push(String(error));
    }
    took.push(performance.now() - begun);
  };
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      calls.push(call());
      if (calls.length < seconds * CALLS_PER_SECOND) return;
      clearInterval(timer);
      resolve();
    }, 1_000 / CALLS_PER_SECOND);
  });
  await Promise.all(calls);
  took.sort((a, b) => a - b);
  return { failed, p50: took[Math.floor(took.length * 0.5)]!, p99: took[Math.floor(took.length * 0.99)]! };
}

test('a hostile tenant and strangers, all at once, do not harm a quiet tenant of the same shard', async () => {
  const home = mkdtempSync(join(tmpdir(), 'weir-hostile-'));
  const database = await createDatabase();
  const child = WeirProcess.spawn({
    DATABASE_URL: database.url,
    WEIR_HOME: home,
    WEIR_MASTER_KEY: 'test master key, at least 32 characters',
    WEIR_MOCK: '1',
    WEIR_LEDGER_TIMEOUT_MS: '5000',
    WEIR_LOG_LEVEL: 'error',
  });
  const db = openPool(database.url);
  try {
    const ready = await child.ready();
    const weir: TestWeir = {
      publicUrl: ready.public,
      adminUrl: ready.admin,
      operatorKey: ready.operator_key!,
      db,
      databaseUrl: database.url,
      stop: async () => {},
    };
    const hostile = await createTenant(weir);
    let quiet = await createTenant(weir);
    while (shardOfTenant(quiet) !== shardOfTenant(hostile)) quiet = await createTenant(weir);
    for (const tenant of [hostile, quiet]) {
      await tenant.admin('POST', '/v1/organization/providers', { name: 'mock', type: 'mock' });
      await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '10', period: 'month' });
    }
    const models = Array.from({ length: 1_000 }, (_, at) => `${String(at).padStart(4, '0')}${'m'.repeat(240)}`);
    await hostile.admin('POST', '/v1/organization/providers', { name: 'wide', type: 'openai', key: 'sk-of-nobody', models });
    for (let budget = 0; budget < 150; budget++) {
      const kind = ['tag', 'scope', 'session', 'end_user'][budget % 4]!;
      // Beyond its bound a tenant gets no more of them.
      await hostile
        .admin('POST', '/v1/organization/budgets', { scope: { kind, value: '*' }, limit: `${budget + 1}.00`, period: 'day' })
        .catch(() => {});
    }
    await eventually(async () => (await callsOf(weir, quiet, 0.1)).failed.length === 0);
    await callsOf(weir, quiet, 3); // what is compiled and loaded once

    const before = await callsOf(weir, quiet, Math.max(5, SECONDS / 3));
    const { publicUrl, adminUrl } = weir;
    const attacks = attack({ publicUrl, adminUrl, apiKey: hostile.apiKey, adminKey: hostile.adminKey, seconds: SECONDS + 3 });
    await new Promise((resolve) => setTimeout(resolve, 2_000)); // the attackers start
    const meanwhile = await callsOf(weir, quiet, SECONDS);
    const done = await attacks;
    console.log(JSON.stringify({ before, meanwhile, done }));

    expect(before.failed).toEqual([]);
    expect(meanwhile.failed).toEqual([]);
    expect(Object.entries(done).filter(([, times]) => times === 0)).toEqual([]);
    expect(meanwhile.p99).toBeLessThanOrEqual(3 * Math.max(before.p99, 50));
    expect(child.child.exitCode).toBeNull();
    await eventually(async () => (await brokenInvariants(db)).length === 0, 20_000);
  } finally {
    await child.kill('SIGTERM');
    await db.end();
    await database.drop();
    rmSync(home, { recursive: true, force: true });
  }
});
