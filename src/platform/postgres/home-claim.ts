import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';

/** Key of the advisory lock that the process whose Postgres this is holds. */
const LOCK = [0x77656972, 1] as const;
const NAME = 'weir-home ';
/** A server may take a moment to notice that a client was killed. */
const PATIENCE_MS = 5_000;
const RETRY_MS = 50;
const CLAIM_AGAIN_MS = 1_000;

/**
 * Makes this process the one that works on an embedded Postgres, until the server or the process ends: a lock of a connection is gone with
 * whoever held it, however it ended, so no file can be stale and no process id taken for another.
 * @throws Error with one line to show to the operator, when another process has it.
 */
export async function claimHome(url: string, home: string): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const holder = await tryClaim(url);
    if (holder === null) return;
    if (isAlive(holder.pid) || Date.now() > deadline) throw new Error(taken(home, holder.pid));
    await delay(RETRY_MS);
  }
}

interface Holder {
  /** 0: not known. */
  pid: number;
}

/** Null: claimed. */
async function tryClaim(url: string): Promise<Holder | null> {
  const client = new pg.Client({
    connectionString: url,
    application_name: `${NAME}${process.pid}`,
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
  });
  client.on('error', () => {});
  await client.connect();
  const { rows } = await client.query<{ claimed: boolean }>('SELECT pg_try_advisory_lock($1, $2) AS claimed', [...LOCK]);
  if (rows[0]!.claimed) {
    client.on('end', () => claimAgain(url));
    (client as unknown as { connection: { stream: { unref(): void } } }).connection.stream.unref();
    return null;
  }
  const holders = await client.query<{ name: string }>(HOLDER, [...LOCK]);
  await client.end();
  return { pid: Number(holders.rows[0]?.name.slice(NAME.length) ?? 0) };
}

/** A server that restarted after the crash of a backend has forgotten the claim. Where it is gone for good, there is nothing to claim. */
function claimAgain(url: string): void {
  setTimeout(() => tryClaim(url).catch(() => claimAgain(url)), CLAIM_AGAIN_MS).unref();
}

const HOLDER = `
  SELECT activity.application_name AS name FROM pg_locks lock JOIN pg_stat_activity activity ON activity.pid = lock.pid
  WHERE lock.locktype = 'advisory' AND lock.classid = $1 AND lock.objid = $2 AND lock.granted`;

function isAlive(pid: number): boolean {
  if (pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

const taken = (home: string, pid: number): string =>
  `another Weir${pid > 0 ? ` (process ${pid})` : ''} works on ${home}; stop it first, or set WEIR_HOME to another directory`;
