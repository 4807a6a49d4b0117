import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';

export interface Tests {
  test: jest.It | jest.It['skip'];
  describe: jest.Describe | jest.Describe['skip'];
}

/**
 * `test` and `describe`, where this machine has what they need; else those that skip, and a line on stderr. In CI what is missing is an error.
 * @param need a noun, e.g. "redis-server"
 */
export function testsWith(need: string, isThere: boolean): Tests {
  if (isThere) return { test, describe };
  if (process.env.CI) throw new Error(`${need} is missing`);
  return skipped(need);
}

/** The same for what CI may miss too. */
export const testsIfThere = (need: string, isThere: boolean): Tests => (isThere ? { test, describe } : skipped(need));

function skipped(need: string): Tests {
  process.stderr.write(`${need} is missing on this machine: the tests that need it are skipped\n`);
  return { test: test.skip, describe: describe.skip };
}

/** `test`, where a program is on the PATH. */
export const testWith = (program: string): Tests['test'] =>
  testsWith(program, spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0).test;

/**
 * No file of these processes may grow beyond this, as on a disk that is full; null: any size. What they have forked later inherits it. The limit
 * may be lifted again, and needs no rights.
 */
export function limitFileSize(pids: readonly number[], bytes: number | null): void {
  for (const pid of pids) {
    const owner = statSync(`/proc/${pid}`, { throwIfNoEntry: false });
    if (!owner) continue; // it has ended
    const { uid, gid } = owner; // root may not do this to others everywhere, but anybody to their own
    const result = spawnSync('prlimit', ['--pid', String(pid), `--fsize=${bytes ?? 'unlimited'}:`], {
      uid,
      gid,
      cwd: '/',
      encoding: 'utf8',
    });
    if (result.status !== 0 && !/No such process/.test(result.stderr)) throw new Error(result.stderr ?? String(result.error));
  }
}
