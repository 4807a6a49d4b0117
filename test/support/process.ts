import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { scripts } from '../../package.json';

/** This checkout. */
export const ROOT = join(__dirname, '..', '..');

/** The flags of Node that the product runs with: those of `npm start`, which the image has too. */
export const NODE_FLAGS = / node ((?:--\S+ )+)-- dist\/main\.js/.exec(scripts.start)![1]!.trim().split(' ');

export interface Ready {
  event: 'ready';
  public: string;
  admin: string;
  operator_key: string | null;
  tenant: string | null;
  tenant_admin_key: string | null;
  project: string | null;
  api_key: string | null;
}

/** The built product in a process of its own. */
export class WeirProcess {
  stderr = '';
  stdout = '';
  private readonly lines: AsyncIterator<string>;

  private static readonly alive = new Set<WeirProcess>();

  private constructor(readonly child: ChildProcess) {
    WeirProcess.alive.add(this);
    child.on('exit', () => WeirProcess.alive.delete(this));
    child.stderr?.on('data', (chunk) => (this.stderr += chunk));
    child.stdout!.on('data', (chunk) => (this.stdout += chunk));
    this.lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  }

  /**
   * Knows nothing of this process's environment but where programs are.
   * @param stderr a file descriptor to log to, which nobody reads for it.
   * @param root where its build is, in `dist`.
   */
  static spawn(
    environment: Record<string, string>,
    flags = ['--json'],
    cwd = ROOT,
    stderr: number | 'pipe' = 'pipe',
    root = ROOT,
  ): WeirProcess {
    const env = {
      PATH: process.env['PATH']!,
      HOME: process.env['HOME'] ?? '/',
      WEIR_PUBLIC_PORT: '0',
      WEIR_ADMIN_PORT: '0',
      WEIR_LOG_LEVEL: 'warn',
      // Most tests are about one attempt.
      WEIR_RETRIES: '0',
      WEIR_BREAKER_FAILURES: '0',
      // A busy machine is no overloaded gateway.
      WEIR_MAX_LOOP_DELAY_MS: '60000',
      ...environment,
    };
    return new WeirProcess(
      spawn(process.execPath, [...NODE_FLAGS, join(root, 'dist', 'main.js'), ...flags], { env, cwd, stdio: ['ignore', 'pipe', stderr] }),
    );
  }

  /** Ends what a failed test left running. */
  static async endAll(signal: NodeJS.Signals = 'SIGINT'): Promise<void> {
    await Promise.all([...WeirProcess.alive].map((weir) => weir.kill(signal)));
  }

  /** Rejects with what it said on stderr when it ends before. */
  async ready(): Promise<Ready> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`it ended before it was ready: ${this.stderr}`);
    return JSON.parse(value) as Ready;
  }

  /** Resolves with the exit code, or the signal that ended it. */
  async exited(): Promise<number | NodeJS.Signals> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
    return this.child.exitCode ?? this.child.signalCode!;
  }

  async kill(signal: NodeJS.Signals): Promise<number | NodeJS.Signals> {
    this.child.kill(signal);
    return this.exited();
  }
}
