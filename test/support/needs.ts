import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';

/**
 * `test`, where this machine has a program; else a test that is skipped, and a line on stderr that says why. In CI a program that is missing is
 * an error.
 */
export function testWith(program: string): jest.It | jest.It['skip'] {
  if (spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0) return test;
  if (process.env.CI) throw new Error(`no ${program} on PATH`);
  process.stderr.write(`no ${program} on this machine: what needs it is not tested\n`);
  return test.skip;
}

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
