import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

const CACHE = path.resolve(__dirname, '../../.cache');

export interface DebianProgram {
  /** The program's name, as it would be typed. */
  name: string;
  /** Where its package puts it, e.g. `usr/bin/redis-server`. */
  file: string;
  /** Sets of packages to try, the likeliest first: releases of Debian and Ubuntu divide them differently. */
  packages: string[][];
}

export interface FoundProgram {
  command: string;
  /** Where its shared libraries may be, for a private copy. */
  env: NodeJS.ProcessEnv;
}

/**
 * Finds a program on PATH; else in a private copy under `.cache/`, which it makes from the distribution's own packages
 * without installing anything. Null when neither works on this machine.
 */
export function findDebianProgram(program: DebianProgram): FoundProgram | null {
  const installed = { command: program.name, env: process.env };
  if (answers(installed)) return installed;
  const directory = path.join(CACHE, program.name.replace(/-server$/, ''));
  const copied = privateCopy(program, directory);
  if (answers(copied)) return copied;
  for (const packages of program.packages) {
    if (unpack(packages, directory) && answers(copied)) return copied;
  }
  return null;
}

function answers({ command, env }: FoundProgram): boolean {
  return ['--version', '-v'].some((flag) => spawnSync(command, [flag], { env, stdio: 'ignore' }).status === 0);
}

function privateCopy(program: DebianProgram, directory: string): FoundProgram {
  const libraries = ['usr/lib', 'lib'].flatMap((folder) =>
    [triplet('x86_64'), triplet('aarch64')].map((name) => path.join(directory, folder, name)),
  );
  return { command: path.join(directory, program.file), env: { ...process.env, LD_LIBRARY_PATH: libraries.join(':') } };
}

const triplet = (machine: string) => `${machine}-linux-gnu`;

/** Two workers may come here at once: each unpacks for itself, and the first one to finish wins. */
function unpack(packages: string[], directory: string): boolean {
  mkdirSync(CACHE, { recursive: true });
  const draft = mkdtempSync(`${directory}.`);
  try {
    download(packages, draft);
    for (const file of readdirSync(draft).filter((name) => name.endsWith('.deb'))) {
      execFileSync('dpkg', ['-x', file, 'root'], { cwd: draft, stdio: 'ignore' });
    }
    replace(path.join(draft, 'root'), directory);
    return true;
  } catch {
    return false;
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
}

function download(packages: string[], directory: string): void {
  const attempt = () => spawnSync('apt-get', ['download', ...packages], { cwd: directory, stdio: 'ignore' }).status === 0;
  if (attempt()) return;
  spawnSync('apt-get', ['update'], { stdio: 'ignore' }); // lists that are absent or older than the mirror
  if (!attempt()) throw new Error(`apt-get download failed for ${packages.join(' ')}`);
}

function replace(draft: string, directory: string): void {
  try {
    renameSync(draft, directory);
  } catch (error) {
    if (!existsSync(directory)) throw error;
    const old = mkdtempSync(`${directory}.old-`);
    renameSync(directory, path.join(old, 'root'));
    renameSync(draft, directory);
    rmSync(old, { recursive: true, force: true });
  }
}
