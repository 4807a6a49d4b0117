import { execFileSync } from 'node:child_process';

/** Signals a server and the processes it has forked. The parent first, so that it forks no more of them. */
export function signalFamily(parent: number, signal: NodeJS.Signals): void {
  send(parent, signal);
  for (const child of childrenOf(parent)) send(child, signal);
}

/** The processes a server has forked, and that are still there. */
export function childrenOf(parent: number): number[] {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .flatMap(([pid, ppid]) => (ppid === parent ? [pid!] : []));
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // it ended by itself
  }
}
