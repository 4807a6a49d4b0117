import { type Job, Queue, Worker, withBackend } from 'bullmq';
import type { RedisAddress } from '../config/index.js';
import { isPostgresAway } from '../postgres/index.js';
import { Alarm, type Logger } from '../telemetry/index.js';
import { PostgresStore } from './postgres-store.js';
import { withRemedy } from './redis-remedy.js';
import { isRefusal, openRedisStore, type RedisStore } from './redis-store.js';

/** What a job answers: in how many ms to run once more ahead of its schedule; null: not. */
export interface JobResult {
  againInMs: number | null;
  /** It got something done and there is more to do: it may run again at once. */
  workLeft?: boolean;
}

/** Work that is done on a schedule, by one of all workers at a time. */
export interface ScheduledJob {
  queue: string;
  everyMs: number;
  run(): Promise<JobResult>;
}

/** Where queues are kept, and under which name. */
export interface QueueStore {
  /** Null: in Postgres. */
  redis: RedisAddress | null;
  databaseUrl: string;
  /** To Postgres, at most. */
  connections: number;
  /** Of the installation: several may share a Redis. */
  installation: string;
}

/** States of jobs, and what BullMQ calls them. Of those that failed the last 1,000 are kept. */
const STATES = { waiting: 'wait', delayed: 'delayed', failed: 'failed' } as const;

/** How many jobs of a queue are in a state. */
export interface Depth {
  queue: string;
  state: keyof typeof STATES;
  jobs: number;
}

interface Running {
  job: ScheduledJob;
  queue: Queue;
  worker: Worker;
}

type Report = (queue: string, ok: boolean) => void;

/** No job asks to run sooner than this, whatever it answers. */
const SOONEST_MS = { idle: 1_000, workLeft: 100 };
const RESCHEDULE_MS = 60_000;
/** How often the store is looked at: one that was emptied, or lets nobody write any more, says so to nobody. */
const LOOK_MS = 5_000;
const REOPEN_MS = 1_000;
const LOOK_TIMEOUT_MS = 3_000;
/** How long a stop waits for the queue store. */
const GOODBYE_MS = { working: 10_000, lost: 1_000 };
const ONE_WORKER = { concurrency: 1, autorun: false };
const KEEP = { removeOnComplete: { count: 100 }, removeOnFail: { count: 1_000 } };

/** Also what an address does not show. */
const wholly = (redis: RedisAddress) => JSON.stringify([redis, redis.password?.reveal(), redis.sentinelPassword?.reveal()]);

/**
 * BullMQ on Redis, or on its own Postgres backend where there is no Redis. Never on the request lifecycle. Workers run only while the store works:
 * one that refuses is asked again every second, by one connection, and an alarm is raised until it works.
 */
export class Queues {
  private jobs: readonly ScheduledJob[] = [];
  private report: Report = () => {};
  private running: Running[] = [];
  private measured: readonly Depth[] = [];
  private redis: RedisStore | null = null;
  private postgres: PostgresStore | null = null;
  private scheduledAt = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> = Promise.resolve();
  private stopped = false;
  private readonly alarm: Alarm;
  /** Jobs whose last run failed. */
  private readonly failing = new Map<string, Alarm>();
  /** Trouble that passes by itself. */
  private readonly trouble: Alarm;
  private readonly prefix: string;
  private warnedOf: string | null = null;

  constructor(
    private readonly store: QueueStore,
    private readonly log: Logger,
  ) {
    this.alarm = new Alarm(log, 'the queues cannot work, so scheduled work waits', 'the queues work again');
    this.trouble = new Alarm(log, 'queue error', 'no queue error any more');
    this.prefix = `${store.redis?.prefix ?? ''}{weir-${store.installation}}`;
  }

  /** Why the queues cannot work; null: they work. */
  get fault(): string | null {
    return this.alarm.reason ?? (this.running.length > 0 ? null : 'the queue store was not reached yet');
  }

  /** As they were at the last look, a few seconds ago; empty while the queues cannot work. */
  get depths(): readonly Depth[] {
    return this.fault === null ? this.measured : [];
  }

  /** Makes the tables of the Postgres backend, where that is the one. */
  async prepare(): Promise<void> {
    if (this.store.redis) return;
    await PostgresStore.prepare(this.store.databaseUrl);
  }

  /** Runs a worker for each job and keeps their schedules, also when the queue store loses them. @throws when two jobs share a queue, or there are more than connections. */
  start(jobs: readonly ScheduledJob[], report: Report): void {
    for (const { queue } of jobs)
      if (jobs.filter((job) => job.queue === queue).length > 1) throw new Error(`two workers for the queue ${queue}`);
    // Each worker keeps a connection to Postgres to itself, and all share at least one more.
    if (!this.store.redis && jobs.length >= this.store.connections)
      throw new Error(`${jobs.length} jobs need more than ${this.store.connections} connections`);
    this.jobs = jobs;
    this.report = report;
    this.look();
  }

  /** Goes on with another address of Redis, or another password. */
  use(redis: RedisAddress | null): void {
    if (!redis || !this.store.redis || wholly(redis) === wholly(this.store.redis)) return;
    this.store.redis = { ...redis, prefix: this.store.redis.prefix };
    this.looking = this.looking.then(() => this.close(this.alarm.reason === null));
  }

  /** Lets jobs under way end. A store that does not answer is not waited for: what is in it stays in it. */
  async stop(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.looking;
    await this.close(this.alarm.reason === null);
  }

  private look(): void {
    this.looking = this.lookOnce().then(() => {
      if (this.stopped) return;
      this.timer = setTimeout(() => this.look(), this.fault === null ? LOOK_MS : REOPEN_MS).unref();
    });
  }

  private async lookOnce(): Promise<void> {
    const before = this.running;
    try {
      if (this.running.length === 0) await this.open();
      await this.redis?.check();
      await this.keepSchedules();
      this.measured = await inTime(Promise.all(this.running.map(({ job, queue }) => depthsOf(job.queue, queue)))).then((all) => all.flat());
      // What was refused to workers is known to work only once they have asked again.
      if (this.alarm.reason !== null && this.running !== before) return;
      this.alarm.clear();
      this.trouble.clear();
    } catch (error) {
      // While the connection is lost everything waits: why it is lost says more than that nobody answers.
      await this.fail(this.redis?.lost() ?? error);
    }
  }

  private async open(): Promise<void> {
    if (this.store.redis) this.redis = await openRedisStore(this.store.redis, this.prefix, (error) => void this.fail(error));
    this.warnOfEviction(this.redis?.evicts ?? null);
    if (!this.store.redis) this.postgres = await PostgresStore.open(this.store.databaseUrl, this.store.connections);
    this.running = this.jobs.map((job) => this.prepareOne(job));
    // A worker whose backend was never ready would ask it again and again without a pause, and nothing else would run in this process.
    const ready = await Promise.allSettled(this.running.flatMap(({ queue, worker }) => [queue.waitUntilReady(), worker.waitUntilReady()]));
    const failed = ready.find((one) => one.status === 'rejected');
    if (failed || this.stopped) await this.close(false);
    if (failed) throw failed.reason;
    for (const { worker } of this.running) worker.run().catch((error: Error) => worker.emit('error', error));
    this.scheduledAt = Number.NEGATIVE_INFINITY;
  }

  /** @param policy by which Redis drops keys when its memory is full; null: it drops none, or does not say. */
  private warnOfEviction(policy: string | null): void {
    if (policy !== null && policy !== this.warnedOf)
      this.log.warn(
        { maxmemory_policy: policy },
        'Redis may drop scheduled jobs when its memory is full: set its maxmemory-policy to noeviction, in redis.conf or in the parameters of a managed Redis',
      );
    this.warnedOf = policy;
  }

  private async keepSchedules(): Promise<void> {
    const all = performance.now() - this.scheduledAt > RESCHEDULE_MS;
    const kept = this.running.map(async ({ job, queue }) => {
      if (all || !(await queue.getJobScheduler(job.queue)))
        await queue.upsertJobScheduler(job.queue, { every: job.everyMs }, { name: 'tick', opts: KEEP });
    });
    await inTime(Promise.all(kept));
    if (all) this.scheduledAt = performance.now();
  }

  /**
   * A connection that is lost comes back by itself, but where sentinels may have made another server the master meanwhile. A store that refuses
   * would be asked without end, by every worker: they are closed.
   */
  private async fail(error: unknown): Promise<void> {
    if (this.stopped) return;
    this.alarm.raise(this.store.redis ? withRemedy(error, this.store.redis) : error);
    if (this.redis && (this.redis.mayMove || isRefusal(error))) await this.close(false);
  }

  private async close(isWorking: boolean): Promise<void> {
    const { running, redis, postgres } = this;
    this.running = [];
    this.redis = null;
    this.postgres = null;
    let patience: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, isWorking ? GOODBYE_MS.working : GOODBYE_MS.lost);
    });
    const closed = Promise.all(running.map(({ worker }) => worker.close(!isWorking)))
      .then(() => Promise.all(running.map(({ queue }) => (isWorking ? queue.close() : queue.disconnect()))))
      .then(() => postgres?.close())
      .catch((error) => this.log.warn({ err: error }, 'the queues did not close cleanly'));
    await Promise.race([closed, limit]);
    clearTimeout(patience);
    redis?.client.disconnect();
  }

  private prepareOne(job: ScheduledJob): Running {
    const process = async (_job: Job) => {
      const { againInMs, workLeft = false } = await job.run();
      if (againInMs === null || againInMs >= job.everyMs) return;
      const delay = Math.ceil(Math.max(againInMs, workLeft ? SOONEST_MS.workLeft : SOONEST_MS.idle));
      await queue.add('again', {}, { delay, deduplication: { id: 'again', ttl: delay }, ...KEEP });
    };
    const { queue, worker } = this.redis ? this.onRedis(job.queue, process) : this.onPostgres(job.queue, process);
    const onError = (error: Error) => this.onError(worker, job.queue, error);
    queue.on('error', onError);
    worker.on('error', onError);
    const { queue: name } = job;
    const failing = this.failing.get(name) ?? new Alarm(this.log, `the job ${name} failed`, `the job ${name} works again`);
    this.failing.set(name, failing);
    worker.on('completed', () => {
      failing.clear();
      this.report(name, true);
    });
    worker.on('failed', (_job, error) => {
      // What Postgres does not answer has no stack that would tell more.
      failing.raise(error, { queue: name, ...(!isPostgresAway(error) && { err: error }) });
      this.report(name, false);
    });
    return { job, queue, worker };
  }

  /** What is closed already breaks later: that is no trouble. */
  private onError(worker: Worker, queue: string, error: Error): void {
    if (this.stopped || !this.running.some((running) => running.worker === worker)) return;
    if (isRefusal(error)) void this.fail(error);
    else this.trouble.raise(this.redis?.lost() ?? error, { queue });
  }

  private onRedis(name: string, process: (job: Job) => Promise<void>): Pick<Running, 'queue' | 'worker'> {
    // The check of the version writes about the policy as well, past the log, and it needs INFO.
    const options = { connection: this.redis!.client, prefix: this.prefix, skipVersionCheck: !this.redis!.isKnownToKeep };
    return { queue: new Queue(name, options), worker: new Worker(name, process, { ...options, ...ONE_WORKER }) };
  }

  private onPostgres(name: string, process: (job: Job) => Promise<void>): Pick<Running, 'queue' | 'worker'> {
    const classes = withBackend(this.postgres!.backend);
    const connection = {}; // it is the backend's
    return {
      queue: new classes.Queue(name, { connection }) as unknown as Queue,
      worker: new classes.Worker(name, process, { connection, ...ONE_WORKER }) as unknown as Worker,
    };
  }
}

/** @throws when the queue store does not answer in time. */
function inTime<Result>(answer: Promise<Result>): Promise<Result> {
  const limit = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`the queue store did not answer within ${LOOK_TIMEOUT_MS} ms`)), LOOK_TIMEOUT_MS).unref();
  });
  return Promise.race([answer, limit]);
}

async function depthsOf(name: string, queue: Queue): Promise<Depth[]> {
  const counts = await queue.getJobCounts(...Object.values(STATES));
  return (Object.keys(STATES) as Depth['state'][]).map((state) => ({ queue: name, state, jobs: counts[STATES[state]] ?? 0 }));
}
