import { spawn } from 'node:child_process';

// A test may have frozen the server and what it has forked.
// The watcher's stdin is a pipe that we hold open; the kernel closes it however we die, Ctrl-C and kill -9 included.
const WATCHER = `
  const [pid, directory] = process.argv.slice(1);
  process.stdin.resume().on('close', () => {
    const signal = (target, name) => { try { process.kill(Number(target), name); } catch {} };
    const table = require('node:child_process').execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' }).split('\\n');
    const family = [pid, ...table.map((line) => line.trim().split(/\\s+/)).filter(([, parent]) => parent === pid).map(([child]) => child)];
    for (const member of family) signal(member, 'SIGCONT');
    signal(pid, 'SIGINT');
    const deadline = Date.now() + 5000;
    const sweep = () => {
      let alive = true;
      try { process.kill(Number(pid), 0); } catch { alive = false; }
      if (alive && Date.now() < deadline) return setTimeout(sweep, 50);
      if (alive) try { process.kill(Number(pid), 'SIGKILL'); } catch {}
      if (directory) require('node:fs').rmSync(directory, { recursive: true, force: true });
    };
    sweep();
  });`;

/** Ends a server and removes its directory when this process dies without having done so. Returns the release. */
export function leash(pid: number, directory: string): () => void {
  const watcher = spawn(process.execPath, ['-e', WATCHER, '--', String(pid), directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watcher.unref();
  (watcher.stdin as unknown as { unref(): void }).unref();
  return () => {
    watcher.kill('SIGKILL');
  };
}
