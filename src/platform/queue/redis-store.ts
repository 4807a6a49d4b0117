import { Cluster, Redis, type RedisOptions } from 'ioredis';
import type { RedisAddress } from '../config/index.js';

type RedisClient = Redis | Cluster;

const CONNECT_MS = 2_000;
const ANSWER_MS = 3_000;
const MARK_SECONDS = 600;
/** The policy of a Redis that refuses writes when its memory is full, and drops nothing. */
const KEEPS = 'noeviction';

/** A Redis that answers and lets queues write to it. */
export interface RedisStore {
  client: RedisClient;
  /** Sentinels may make another server the master. */
  mayMove: boolean;
  /** The policy by which it drops keys when its memory is full; null: it drops none, or does not say. */
  evicts: string | null;
  /** It says that it drops no keys. */
  isKnownToKeep: boolean;
  /** @throws when it does not take a write in time. */
  check(): Promise<void>;
  /** Why the connection is lost; null: it is not. */
  lost(): Error | null;
}

/** Opens it by the first of several hosts that answers: any node of a cluster knows the others. */
export async function openRedisStore(address: RedisAddress, prefix: string, report: (error: Error) => void): Promise<RedisStore> {
  const { hosts, master } = address;
  const ways = master === null ? hosts.map((_, at) => [...hosts.slice(at), ...hosts.slice(0, at)]) : [hosts];
  let failure: unknown;
  for (const way of ways) {
    try {
      return await openBy({ ...address, hosts: way }, prefix, report);
    } catch (error) {
      // What a server says tells more than that another one is away.
      if (failure === undefined || isRefusal(error)) failure = error;
    }
  }
  throw failure;
}

/**
 * Connects to a Redis, of one server, a cluster or the master that sentinels name, that works: it has taken a write.
 * @param prefix of every key, in braces, so that a cluster keeps all of them in one place.
 * @param report is told of what goes wrong with the connection later.
 * @throws the error of the server or of the connection.
 */
async function openBy(address: RedisAddress, prefix: string, report: (error: Error) => void): Promise<RedisStore> {
  const options = optionsOf(address);
  const probe = new Redis({
    ...options,
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    sentinelRetryStrategy: () => null,
    enableReadyCheck: false,
  });
  let failure: Error | null = null;
  const note = (error: Error) => {
    failure ??= error;
  };
  probe.on('error', note);
  const open: RedisClient[] = [probe];
  try {
    await inTime(probe.connect());
    const isCluster = address.master === null && (await inTime(isDivided(probe, address.hosts.length > 1)));
    if (!isCluster) await inTime(mark(probe, prefix));
    const policy = await inTime(evictionPolicy(probe));
    // The check asks INFO, which this user may not.
    const lasting = { ...options, maxRetriesPerRequest: null, enableReadyCheck: policy !== null };
    const client = isCluster
      ? openCluster({ ...lasting, enableReadyCheck: await inTime(maySeeCluster(probe)) }, address.hosts)
      : new Redis(lasting);
    open.push(hearCopies(client));
    let lost: Error | null = null;
    client.on('error', (error: Error & { lastNodeError?: Error | null }) => {
      // Of a cluster: what the node says that was tried last.
      lost = error.lastNodeError ?? error;
      report(lost);
    });
    client.on('ready', () => {
      lost = null;
    });
    // A node that refuses is not an error of the cluster's to ioredis, which would wait for it without a word.
    client.on('node error', note);
    await inTime(mark(client, prefix));
    probe.disconnect();
    client.removeListener('node error', note);
    client.on('node error', (error: Error) => isRefusal(error) && report(error));
    return {
      client,
      mayMove: address.master !== null,
      evicts: policy === KEEPS ? null : policy,
      isKnownToKeep: policy === KEEPS,
      check: () => inTime(mark(client, prefix)),
      lost: () => lost,
    };
  } catch (error) {
    for (const client of open) {
      client.removeAllListeners('error');
      client.on('error', () => {});
      client.disconnect();
    }
    throw failure ?? error;
  }
}

const mark = async (client: RedisClient, prefix: string): Promise<void> =>
  void (await client.set(`${prefix}:alive`, '1', 'EX', MARK_SECONDS));

/** One that has every slot, or does not let us ask, is spoken to as a single server: should another get some, a refusal says so. */
async function isDivided(probe: Redis, hasSeveralHosts: boolean): Promise<boolean> {
  const answer = await probe.info('cluster').catch((error: Error) => {
    if (isNotAllowed(error)) return '';
    throw error;
  });
  const isCluster = /^cluster_enabled:1/m.test(answer);
  if (hasSeveralHosts && !isCluster) throw new Error('REDIS_URL names several hosts, and the server is no cluster');
  if (!isCluster) return false;
  const slots = (await probe.cluster('SLOTS').catch(() => [])) as [from: number, to: number, master: [host: string, port: number]][];
  return new Set(slots.map(([, , [host, port]]) => `${host}:${port}`)).size > 1;
}

const maySeeCluster = (probe: Redis): Promise<boolean> =>
  probe.cluster('INFO').then(
    () => true,
    () => false,
  );

/** Null: it does not say. Managed servers forbid CONFIG, and users may be forbidden either. */
async function evictionPolicy(probe: Redis): Promise<string | null> {
  const unlessForbidden = (error: Error) => {
    if (isNotAllowed(error)) return null;
    throw error;
  };
  const told = /^maxmemory_policy:(\S+)/m.exec((await probe.info('memory').catch(unlessForbidden)) ?? '');
  if (told) return told[1]!;
  const answer = await probe.config('GET', 'maxmemory-policy').catch(unlessForbidden);
  return (answer as [name: string, value: string] | null)?.[1] ?? null;
}

const isNotAllowed = ({ message }: Error): boolean => /NOPERM|unknown command/i.test(message);

function optionsOf({ hosts, master, database, username, password, sentinelUsername, sentinelPassword, tls }: RedisAddress): RedisOptions {
  const secured = tls && { ...(tls.ca && { ca: tls.ca }), ...tls.pair };
  return {
    ...(master === null ? hosts[0] : { sentinels: [...hosts], name: master }),
    db: database,
    connectTimeout: CONNECT_MS,
    ...(username !== null && { username }),
    ...(password && { password: password.reveal() }),
    ...(sentinelUsername !== null && { sentinelUsername }),
    ...(sentinelPassword && { sentinelPassword: sentinelPassword.reveal() }),
    ...(secured && { tls: secured, enableTLSForSentinelMode: true, sentinelTLS: secured }),
  };
}

/** BullMQ makes a connection of its own for each worker, and stops listening when it closes it. An error that nobody hears is written past the log. */
function hearCopies<Client extends RedisClient>(client: Client): Client {
  const duplicate = client.duplicate.bind(client) as (...args: unknown[]) => Client;
  client.duplicate = ((...args: unknown[]) => duplicate(...args).on('error', () => {})) as Client['duplicate'];
  return client;
}

function openCluster({ host: _host, port: _port, db: _only0, tls, ...options }: RedisOptions, nodes: RedisAddress['hosts']): Cluster {
  return new Cluster([...nodes], {
    redisOptions: { ...options, ...(tls && { tls }) },
    enableReadyCheck: options.enableReadyCheck!,
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
