import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { leash } from '../test/support/leash.js';
import { type Cores, onProxyCore } from './machine.js';

const STOP_MS = 10_000;

/** A process of the bench. */
export interface Running {
  pid: number;
  /** Ends it and resolves when it is gone. */
  stop(): Promise<void>;
}

/** Starts a proxy on its core. What it prints on stderr goes to a file. Should the bench be killed, it is ended all the same. */
export function startProxy(cores: Cores | null, command: string, args: string[], env: NodeJS.ProcessEnv, cwd: string, log: string) {
  const file = openSync(log, 'w');
  const child = spawn(...onProxyCore(cores, command, args), { cwd, env, stdio: ['ignore', 'pipe', file] });
  closeSync(file);
  const release = leash(child.pid!, '');
  const stop = async () => {
    await end(child);
    release();
  };
  return { child, pid: child.pid!, stop };
}

/** The first line a process prints on stdout. @throws Error with what it said on stderr when it ends before. */
export async function firstLine(child: ChildProcess, log: string): Promise<string> {
  const lines = createInterface({ input: child.stdout! });
  const line = once(lines, 'line').then(([text]) => text as string);
  const exit = once(child, 'exit').then(() => {
    throw new Error(`it did not start: ${readFileSync(log, 'utf8').trim() || 'it gave no reason'}`);
  });
  return Promise.race([line, exit]);
}

/** The scripted provider. */
export interface Upstream extends Running {
  port: number;
  /** Calls it was sent so far: by Weir, and by nginx or directly. */
  counts(): Promise<{ weir: number; plain: number }>;
}

export async function startUpstream(): Promise<Upstream> {
  const child = fork(`${__dirname}/upstream.ts`, { execArgv: ['-r', `${__dirname}/../test/support/register-typescript.cjs`] });
  const answer = async () => (await once(child, 'message'))[0];
  const { port } = (await answer()) as { port: number };
  const counts = async () => {
    child.send('count');
    return (await answer()) as { weir: number; plain: number };
  };
  return { pid: child.pid!, port, counts, stop: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = once(child, 'exit');
  child.kill('SIGTERM');
  const timeout = delay(STOP_MS, 'late', { ref: false });
  if ((await Promise.race([exit, timeout])) === 'late') child.kill('SIGKILL');
  await exit;
}
