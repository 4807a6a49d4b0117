import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
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
const ROUND_SECONDS = 2;
const ROUNDS = Math.ceil(SECONDS / ROUND_SECONDS);
const MAX_SLOWDOWN = 3;
/** One turn of the event loop. Many requests share one, so it may take longer than that of a single request. */
const MAX_TURN_MS = 100;
const CALLS_PER_SECOND = 20;
/** A quicker baseline says nothing: three times five milliseconds is one run of a garbage collector. */
const MIN_MS = 50;

jest.setTimeout((6 * SECONDS + 120) * 1_000);

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Milliseconds in which the main thread of a process could have run, but another program had the processor. 0 where the system does not tell. */
function waitedMs(pid: number): number {
  const file = `/proc/${pid}/schedstat`;
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split(' ')[1]) / 1e6 : 0;
}

const shardOfTenant = ({ id }: TestTenant): number => shardOf(parsePublicId('tenant', id)!);

/** The hostile tenant and the strangers, in a process that can be halted. */
class Attackers {
  private readonly program: ChildProcess;
  private output = '';

  constructor(target: Target) {
    const args = ['-r', join(ROOT, 'test/support/register-typescript.cjs'), join(__dirname, 'support/hostile.ts'), JSON.stringify(target)];
    // Attackers have machines of their own: here none of their threads must take the processor from the gateway.
    this.program = spawn('nice', ['-n', '19', process.execPath, ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.program.stdout!.on('data', (text) => (this.output += text));
  }

  halt(): void {
    this.program.kill('SIGSTOP');
  }

  goOn(): void {
    this.program.kill('SIGCONT');
  }

  /** Answers how often each thing was done. */
  async stop(): Promise<Record<string, number>> {
    this.program.kill('SIGTERM');
    const [code] = await once(this.program, 'close');
    expect(code).toBe(0);
    return JSON.parse(this.output);
  }

  kill(): void {
    this.program.kill('SIGKILL');
  }
}

/** Calls of the quiet tenant, and what became of those that failed. */
interface Calls {
  took: number[];
  failed: string[];
}

interface Round {
  alone: Calls;
  beside: Calls;
}

const quantile = (took: readonly number[], part: number): number => [...took].sort((a, b) => a - b)[Math.floor(took.length * part)]!;

/** How much slower the slowest of a hundred calls is beside the attackers. */
function slowdown(rounds: readonly Round[]): number {
  const p99 = (calls: (round: Round) => Calls) =>
    quantile(
      rounds.flatMap((round) => calls(round).took),
      0.99,
    );
  return (
    p99(({ beside }) => beside) /
    Math.max(
      MIN_MS,
      p99(({ alone }) => alone),
    )
  );
}

const figuresOf = (round: Round): string =>
  Object.entries(round)
    .map(
      ([name, { took }]: [string, Calls]) => `${name}: p50 ${quantile(took, 0.5).toFixed(1)} ms, p99 ${quantile(took, 0.99).toFixed(1)} ms`,
    )
    .join('; ');

const longTurns = (log: string): { at: number; cpuMs: number }[] =>
  existsSync(log)
    ? readFileSync(log, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];

/** Calls at a steady rate, whatever becomes of the ones before. What other programs make the gateway wait is not theirs. */
async function makeCalls(
  weir: TestWeir,
  gateway: number,
  tenant: TestTenant,
  seconds: number,
  { took, failed }: Calls = { took: [], failed: [] },
): Promise<Calls> {
  const calls: Promise<void>[] = [];
  const body = JSON.stringify({ model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 20 });
  const headers = { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' };
  const call = async () => {
    const clock = () => performance.now() - waitedMs(gateway);
    const begun = clock();
    try {
      const reply = await fetch(`${weir.publicUrl}/v1/chat/completions`, { method: 'POST', headers, body });
      const text = await reply.text();
      if (reply.status !== 200) failed.push(text);
    } catch (error) {
      failed.push(String(error));
    }
    took.push(clock() - begun);
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
  return { took, failed };
}

test('a hostile tenant and strangers, all at once, do not harm a quiet tenant of the same shard', async () => {
  const home = mkdtempSync(join(tmpdir(), 'weir-hostile-'));
  const log = join(home, 'loop.log');
  const database = await createDatabase();
  const child = WeirProcess.spawn({
    DATABASE_URL: database.url,
    WEIR_HOME: home,
    WEIR_MASTER_KEY: 'test master key, at least 32 characters',
    WEIR_MOCK: '1',
    WEIR_LEDGER_TIMEOUT_MS: '5000',
    WEIR_LOG_LEVEL: 'error',
    NODE_OPTIONS: `--require ${join(__dirname, 'support', 'loop-monitor.cjs')}`,
    ATTACK_LOOP_LOG: log,
  });
  const pid = child.child.pid!;
  const db = openPool(database.url);
  let attackers: Attackers | null = null;
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
    await eventually(async () => (await makeCalls(weir, pid, quiet, 0.1)).failed.length === 0);
    await makeCalls(weir, pid, quiet, 3); // what is compiled and loaded once

    const { publicUrl, adminUrl } = weir;
    attackers = new Attackers({ publicUrl, adminUrl, apiKey: hostile.apiKey, adminKey: hostile.adminKey });
    await pause(6_000); // they start, and all is compiled once
    const begun = Date.now();
    const rounds: Round[] = [];
    // In turns, so that whatever else the machine does falls on both. What harms the tenant harms it in each stretch of rounds.
    while (rounds.length < ROUNDS || (rounds.length < 3 * ROUNDS && slowdown(rounds.slice(-ROUNDS)) > MAX_SLOWDOWN)) {
      const round: Round = { alone: { took: [], failed: [] }, beside: { took: [], failed: [] } };
      attackers.halt();
      await pause(500); // what is under way ends
      await makeCalls(weir, pid, quiet, ROUND_SECONDS / 2, round.alone);
      attackers.goOn();
      await pause(200);
      await makeCalls(weir, pid, quiet, ROUND_SECONDS, round.beside);
      rounds.push(round);
    }
    const done = await attackers.stop();
    console.log([...rounds.map(figuresOf), JSON.stringify(done)].join('\n'));

    expect(rounds.flatMap(({ alone, beside }) => [...alone.failed, ...beside.failed])).toEqual([]);
    expect(Object.entries(done).filter(([, times]) => times === 0)).toEqual([]);
    expect(slowdown(rounds.slice(-ROUNDS))).toBeLessThanOrEqual(MAX_SLOWDOWN);
    // In CPU time, which no other program adds to.
    expect(longTurns(log).filter(({ cpuMs, at }) => cpuMs > MAX_TURN_MS && at > begun)).toEqual([]);
    expect(child.child.exitCode).toBeNull();
    await eventually(async () => (await brokenInvariants(db)).length === 0, 20_000);
  } finally {
    attackers?.kill();
    await child.kill('SIGTERM');
    await db.end();
    await database.drop();
    rmSync(home, { recursive: true, force: true });
  }
});
