import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

const CACHE = path.resolve(__dirname, '../../.cache');

/**
 * A Python with these packages and no others, from a private copy under `.cache/` that is made when it is first asked for. Null, and a line on
 * stderr that says why, where there is no Python or where the packages cannot be had.
 */
export function pythonWith(requirements: string): string | null {
  const digest = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const directory = path.join(CACHE, `python-${digest}`);
  const program = path.join(directory, 'bin', 'python');
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  // Two runs may come here at once: each makes its own, and the first one to finish wins.
  const draft = mkdtempSync(`${directory}.`);
  try {
    run('python3', ['-m', 'venv', draft]);
    run(path.join(draft, 'bin', 'python'), [
      '-m',
      'pip',
      'install',
      '--quiet',
      '--no-compile',
      '--no-deps',
      '--only-binary',
      ':all:',
      '-r',
      requirements,
    ]);
    if (!existsSync(directory)) renameSync(draft, directory);
    return program;
  } catch (error) {
    process.stderr.write(`no Python with ${requirements}: what needs it is not tested: ${(error as Error).message}\n`);
    return null;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function run(command: string, args: string[]): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'ignore', 'pipe'], timeout: 300_000 });
  if (status !== 0) throw error ?? new Error(stderr.trim().split('\n').at(-1));
}
