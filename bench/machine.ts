import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';

/** Which cores do what. Null: this machine cannot pin processes, or has one core only. */
export interface Cores {
  /** The one core of the proxy that is measured. */
  proxy: number;
  /** The cores of everything else, as `taskset` writes them. */
  others: string;
}

/** Keeps this process and what it starts off the proxy's core. */
export function divideCores(): Cores | null {
  const allowed = allowedCores();
  if (allowed.length < 2 || spawnSync('taskset', ['-V'], { stdio: 'ignore' }).status !== 0) return null;
  const cores = { proxy: allowed[0]!, others: allowed.slice(1).join(',') };
  execFileSync('taskset', ['-acp', cores.others, String(process.pid)], { stdio: 'ignore' });
  return cores;
}

/** The command line that runs a command on the proxy's core. `taskset` replaces itself: the process id is the command's own. */
export function onProxyCore(cores: Cores | null, command: string, args: string[]): [string, string[]] {
  return cores ? ['taskset', ['-c', String(cores.proxy), command, ...args]] : [command, args];
}

export function describeMachine(cores: Cores | null, alone = 'proxy'): string {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  const pinned = cores ? `${alone} on core ${cores.proxy}, all else on ${cores.others}` : 'nothing pinned: figures vary more';
  return `${model}, ${cpus().length} cores, ${pinned}; Node ${process.version}`;
}

/** User and system time of a process so far, in µs. NaN where there is no /proc. */
export function cpuOf(pid: number): number {
  const fields = statOf(pid);
  return fields ? ticks(fields, 11, 12) : Number.NaN;
}

/** The same of a process and its children, those that ended included. */
export function cpuOfFamily(pid: number): number {
  const own = statOf(pid);
  if (!own) return Number.NaN;
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => statOf(Number(name)))
    .filter((fields) => fields?.[1] === String(pid));
  return children.reduce((sum, fields) => sum + (fields ? ticks(fields, 11, 12, 13, 14) : 0), ticks(own, 11, 12, 13, 14));
}

/** Watches what other programs take of the machine from now on, as a share of all its cores; `own` tells our own CPU time in µs. */
export function watchOthers(own: () => number): () => number {
  const start = { busy: busyMicros(), own: own(), at: performance.now() };
  return () => {
    const elapsedMicros = (performance.now() - start.at) * 1000 * cpus().length;
    return (busyMicros() - start.busy - (own() - start.own)) / elapsedMicros;
  };
}

/** CPU time of all processes together. NaN where there is no /proc. */
function busyMicros(): number {
  try {
    const total = readFileSync('/proc/stat', 'utf8').split('\n')[0]!.split(/\s+/);
    return ticks(total, 1, 2, 3);
  } catch {
    return Number.NaN;
  }
}

/** The process ids of a process's children. */
export function childrenOf(pid: number): number[] {
  const ids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return ids === '' ? [] : ids.split(' ').map(Number);
}

/** The fields of /proc/<pid>/stat that follow the name: state, parent, …; 11 to 14 are utime, stime, cutime, cstime. */
function statOf(pid: number): string[] | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

let tickMicros: number | null = null;

function ticks(fields: string[], ...indexes: number[]): number {
  tickMicros ??= 1e6 / Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
  return indexes.reduce((sum, index) => sum + Number(fields[index]), 0) * tickMicros;
}

function allowedCores(): number[] {
  try {
    const list = /Cpus_allowed_list:\s*(\S+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]!;
    return list.split(',').flatMap((range) => {
      const [first, last = first] = range.split('-').map(Number);
      return Array.from({ length: last! - first! + 1 }, (_, offset) => first! + offset);
    });
  } catch {
    return [];
  }
}
