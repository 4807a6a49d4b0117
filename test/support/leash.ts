import { spawn } from 'node:child_process';

// The watcher's stdin is a pipe that we hold open; the kernel closes it however we die, Ctrl-C and kill -9 included.
const WATCHER = `
  const [pid, directory] = process.argv.slice(1);
  process.stdin.resume().on('close', () => {
    try { process.kill(Number(pid), 'SIGCONT'); process.kill(Number(pid), 'SIGINT'); } catch {}
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
