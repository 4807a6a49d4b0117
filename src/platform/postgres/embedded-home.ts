import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { CHILD_ENV, canEnter, publicShelf, type RunAs, unprivilegedUser } from './embedded-binaries.js';

/** Where one embedded database lives. */
export interface Home {
  /** The directory that was asked for. The password, the log and the pointer file stand beside it. */
  readonly wanted: string;
  /** The directory that PostgreSQL really uses: `wanted`, or the place that the pointer file names. */
  readonly dataDir: string;
  readonly user: RunAs;
}

const passwordFile = (home: Home) => `${home.wanted}.password`;
export const logFile = (home: Home) => `${home.wanted}.log`;
const pointerFile = (wanted: string) => `${wanted}.location`;

/** Finds the database that belongs to a directory, or decides where a new one goes. */
export function findHome(directory: string): Home {
  const parent = path.dirname(path.resolve(directory));
  mkdirSync(parent, { recursive: true });
  const wanted = path.join(realpathSync(parent), path.basename(directory));
  const recorded = readPointer(wanted);
  if (recorded && holdsDatabase(wanted)) throw new Error(`both ${wanted} and ${recorded} hold a database; move one of them away`);
  if (recorded && !existsSync(recorded)) {
    throw new Error(
      `${pointerFile(wanted)} says the database is in ${recorded}, which is gone; remove that file to start with an empty one`,
    );
  }
  if (recorded) return { wanted, dataDir: recorded, user: ownerOf(recorded) };
  const user = existsSync(wanted) ? ownerOf(wanted) : unprivilegedUser();
  const staysHere = holdsDatabase(wanted) || canEnter(parent, user);
  return { wanted, dataDir: staysHere ? wanted : freePlace(wanted), user };
}

export function holdsDatabase(dataDir: string): boolean {
  return existsSync(path.join(dataDir, 'PG_VERSION'));
}

/** The superuser's password; made on first use, because any local user can reach the port. */
export function readPassword(home: Home): string {
  const file = passwordFile(home);
  if (!existsSync(file)) {
    if (holdsDatabase(home.dataDir)) throw new Error(`${file} is missing, and ${home.dataDir} cannot be opened without it`);
    writeFileSync(file, randomBytes(24).toString('base64url'), { flag: 'wx', mode: 0o600 });
  }
  return readFileSync(file, 'utf8').trim();
}

/** Creates the database. It appears under its name only when complete, so an interrupted attempt leaves nothing half-made. */
export function createDatabase(home: Home, binaries: string, durable: boolean): Home {
  if (existsSync(home.dataDir) && readdirSync(home.dataDir).length > 0 && !holdsDatabase(home.dataDir)) {
    throw new Error(`${home.dataDir} is not empty and holds no database; choose another data directory`);
  }
  const password = readPassword(home);
  const workshop = mkdtempSync(`${home.dataDir}.new-`);
  try {
    const draft = path.join(workshop, 'data');
    const secret = path.join(workshop, 'password');
    writeFileSync(secret, password, { mode: 0o600 });
    mkdirSync(draft, { mode: 0o700 });
    for (const item of [workshop, secret, draft]) give(item, home.user);
    runInitdb(home, binaries, draft, secret, durable);
    install(draft, home.dataDir);
  } finally {
    rmSync(workshop, { recursive: true, force: true });
  }
  return recordPlace(home);
}

function readPointer(wanted: string): string | null {
  return existsSync(pointerFile(wanted)) ? readFileSync(pointerFile(wanted), 'utf8').trim() : null;
}

/** Root runs an existing database as whoever owns it; anybody else can only run their own. */
function ownerOf(dataDir: string): RunAs {
  const { uid, gid } = statSync(dataDir);
  const me = process.getuid?.();
  if (me === undefined || me === uid) return me === 0 ? unprivilegedUser() : {};
  if (me !== 0) throw new Error(`${dataDir} belongs to user ${uid}, not to user ${me}; run as that user or choose another data directory`);
  return { uid, gid };
}

/** A place outside a private home. A directory left by a deleted checkout of the same path is kept, not reused. */
function freePlace(wanted: string): string {
  const shelf = publicShelf();
  const name = `postgres-${createHash('sha256').update(wanted).digest('hex').slice(0, 16)}`;
  for (let n = 1; ; n++) {
    const place = path.join(shelf, n === 1 ? name : `${name}-${n}`);
    if (!existsSync(place)) return place;
  }
}

function give(item: string, { uid, gid }: RunAs): void {
  if (uid !== undefined && gid !== undefined) chownSync(item, uid, gid);
}

function runInitdb(home: Home, binaries: string, draft: string, secret: string, durable: boolean): void {
  const result = spawnSync(
    path.join(binaries, 'initdb'),
    [
      ...['-D', draft, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${secret}`, '--no-instructions', '--encoding=UTF8'],
      // The built-in provider sorts alike on every machine; the operating system's locales do not.
      ...['--no-locale', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'],
      ...(durable ? [] : ['--no-sync']),
    ],
    { ...home.user, cwd: '/', env: CHILD_ENV, encoding: 'utf8' },
  );
  if (result.status === 0) return;
  const lines = result.stderr?.trim().split('\n') ?? [];
  const reason = result.error?.message ?? lines.find((line) => line.includes('error:')) ?? lines.at(-1);
  throw new Error(`the embedded PostgreSQL could not be set up in ${home.dataDir}: ${reason}`);
}

function install(draft: string, dataDir: string): void {
  try {
    renameSync(draft, dataDir);
  } catch (error) {
    if (holdsDatabase(dataDir)) return; // another process was first: theirs is as good
    throw new Error(`the embedded PostgreSQL could not be set up in ${dataDir}: ${(error as Error).message}`);
  }
}

function recordPlace(home: Home): Home {
  if (home.dataDir === home.wanted) return home;
  try {
    writeFileSync(pointerFile(home.wanted), `${home.dataDir}\n`, { flag: 'wx', mode: 0o644 });
    return home;
  } catch {
    const winner = findHome(home.wanted);
    if (winner.dataDir !== home.dataDir) rmSync(home.dataDir, { recursive: true, force: true }); // empty, and made a moment ago
    return winner;
  }
}
