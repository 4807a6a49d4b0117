import { Cluster, Redis, type RedisOptions } from 'ioredis';

export type RedisClient = Redis | Cluster;

const CONNECT_MS = 2_000;
const ANSWER_MS = 3_000;
const MARK_SECONDS = 600;

/** A Redis that answers and lets queues write to it. */
export interface RedisStore {
  client: RedisClient;
  /** @throws when it does not take a write in time. */
  check(): Promise<void>;
}

/**
 * Connects to a Redis, of one server or of a cluster, that works: it has taken a write.
 * @param prefix of every key, in braces, so that a cluster keeps all of them in one place.
 * @param report is told of what goes wrong with the connection later.
 * @throws the error of the server or of the connection.
 */
export async function openRedisStore(url: string, prefix: string, report: (error: Error) => void): Promise<RedisStore> {
  const probe = new Redis(url, {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    connectTimeout: CONNECT_MS,
    enableReadyCheck: false,
  });
  let failure: Error | null = null;
  probe.on('error', (error) => {
    failure ??= error;
  });
  const open: RedisClient[] = [probe];
  try {
    await inTime(probe.connect());
    const isCluster = await inTime(isDivided(probe));
    if (!isCluster) await inTime(mark(probe, prefix));
    const client = isCluster ? openCluster(probe.options) : new Redis(url, { maxRetriesPerRequest: null, connectTimeout: CONNECT_MS });
    open.push(client);
    client.on('error', report);
    await inTime(mark(client, prefix));
    probe.disconnect();
    return { client, check: () => inTime(mark(client, prefix)) };
  } catch (error) {
    for (const client of open) {
      client.removeListener('error', report);
      client.on('error', () => {});
      client.disconnect();
    }
    throw failure ?? error;
  }
}

const mark = async (client: RedisClient, prefix: string): Promise<void> =>
  void (await client.set(`${prefix}:alive`, '1', 'EX', MARK_SECONDS));

/** One that has every slot, or does not let us ask, is spoken to as a single server: should another get some, a refusal says so. */
async function isDivided(probe: Redis): Promise<boolean> {
  const answer = await probe.info('cluster').catch((error: Error) => {
    if (isNotAllowed(error)) return '';
    throw error;
  });
  if (!/^cluster_enabled:1/m.test(answer)) return false;
  const slots = (await probe.cluster('SLOTS').catch(() => [])) as [from: number, to: number, master: [host: string, port: number]][];
  return new Set(slots.map(([, , [host, port]]) => `${host}:${port}`)).size > 1;
}

const isNotAllowed = ({ message }: Error): boolean => /NOPERM|unknown command/i.test(message);

function openCluster({ host, port, username, password, tls, family }: RedisOptions): Cluster {
  const redisOptions: RedisOptions = { maxRetriesPerRequest: null, connectTimeout: CONNECT_MS, ...(family && { family }) };
  if (username) redisOptions.username = username;
  if (password) redisOptions.password = password;
  if (tls) redisOptions.tls = tls;
  return new Cluster([{ host: host ?? '127.0.0.1', port: port ?? 6379 }], {
    redisOptions,
    slotsRefreshTimeout: CONNECT_MS,
    // A certificate names hosts; their addresses would not match it.
    ...(tls && { dnsLookup: (name: string, done: (error: null, address: string) => void) => done(null, name) }),
  });
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`Redis did not answer within ${ANSWER_MS} ms`)), ANSWER_MS);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** An answer of the server's, e.g. WRONGPASS, READONLY or OOM: asking again at once gets it again. */
export const isRefusal = (error: unknown): boolean =>
  (error as Error | null)?.name === 'ReplyError' || /^[A-Z]{3,} /.test((error as Error | null)?.message ?? '');
