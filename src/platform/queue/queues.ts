import { createPostgresBackend, type Job, Queue, runMigrations, Worker, withBackend } from 'bullmq';
import pg from 'pg';
import { Alarm, type Logger } from '../telemetry/index.js';
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
  redisUrl: string | null;
  databaseUrl: string;
  /** Of the installation: several may share a Redis. */
  installation: string;
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
const STATEMENT_TIMEOUT_MS = 30_000;
const CONNECT_MS = 10_000;
const KEEP = { removeOnComplete: { count: 100 }, removeOnFail: { count: 1_000 } };

/**
 * BullMQ on Redis, or on its own Postgres backend where there is no Redis. Never on the road of a call. Workers run only while the store works:
 * one that refuses is asked again every second, by one connection, and an alarm is raised until it works.
 */
export class Queues {
  private jobs: readonly ScheduledJob[] = [];
  private report: Report = () => {};
  private running: Running[] = [];
  private redis: RedisStore | null = null;
  private scheduledAt = Number.NEGATIVE_INFINITY;
  private timer: NodeJS.Timeout | null = null;
  private looking: Promise<void> = Promise.resolve();
  private stopped = false;
  private readonly alarm: Alarm;
  /** Trouble that passes by itself. */
  private readonly trouble: Alarm;
  private readonly prefix: string;

  constructor(
    private readonly store: QueueStore,
    private readonly log: Logger,
  ) {
    this.alarm = new Alarm(log, 'the queues cannot work, so scheduled work waits', 'the queues work again');
    this.trouble = new Alarm(log, 'a queue is in trouble', 'no queue is in trouble any more');
    this.prefix = `{weir-${store.installation}}`;
  }

  /** Why the queues cannot work; null: they work. */
  get fault(): string | null {
    return this.alarm.reason ?? (this.running.length > 0 ? null : 'the queue store was not reached yet');
  }

  /** Makes the tables of the Postgres backend, where that is the one. */
  async prepare(): Promise<void> {
    if (this.store.redisUrl) return;
    const client = new pg.Client({ connectionString: this.store.databaseUrl, connectionTimeoutMillis: CONNECT_MS });
    // A connection that breaks between two statements would end the process: the next statement tells.
    client.on('error', () => {});
    try {
      await client.connect();
      await runMigrations(client);
    } finally {
      await client.end();
    }
  }

  /** Runs a worker for each job and keeps their schedules, also when the queue store loses them. @throws when two jobs share a queue. */
  start(jobs: readonly ScheduledJob[], report: Report): void {
    for (const { queue } of jobs)
      if (jobs.filter((job) => job.queue === queue).length > 1) throw new Error(`two workers for the queue ${queue}`);
    this.jobs = jobs;
    this.report = report;
    this.look();
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
      this.timer = setTimeout(() => this.look(), this.running.length > 0 ? LOOK_MS : REOPEN_MS).unref();
    });
  }

  private async lookOnce(): Promise<void> {
    try {
      if (this.running.length === 0) await this.open();
      await this.redis?.check();
      await this.keepSchedules();
      this.alarm.clear();
      this.trouble.clear();
    } catch (error) {
      await this.fail(error);
    }
  }

  private async open(): Promise<void> {
    if (this.store.redisUrl) this.redis = await openRedisStore(this.store.redisUrl, this.prefix, (error) => void this.fail(error));
    this.running = this.jobs.map((job) => this.run(job));
    this.scheduledAt = Number.NEGATIVE_INFINITY;
  }

  private async keepSchedules(): Promise<void> {
    const all = performance.now() - this.scheduledAt > RESCHEDULE_MS;
    const kept = this.running.map(async ({ job, queue }) => {
      if (all || !(await queue.getJobScheduler(job.queue)))
        await queue.upsertJobScheduler(job.queue, { every: job.everyMs }, { name: 'tick', opts: KEEP });
    });
    const limit = new Promise<never>((_, reject) => {
      setTimeout(() => reject(new Error(`the queue store did not answer within ${LOOK_TIMEOUT_MS} ms`)), LOOK_TIMEOUT_MS).unref();
    });
    await Promise.race([Promise.all(kept), limit]);
    if (all) this.scheduledAt = performance.now();
  }

  /** A connection that is lost comes back by itself. A store that refuses would be asked without end, by every worker: they are closed. */
  private async fail(error: unknown): Promise<void> {
    if (this.stopped) return;
    this.alarm.raise(error instanceof Error ? error.message : String(error));
    if (this.redis && isRefusal(error)) await this.close(false);
  }

  private async close(isWorking: boolean): Promise<void> {
    const [running, redis] = [this.running, this.redis];
    this.running = [];
    this.redis = null;
    let patience: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, isWorking ? GOODBYE_MS.working : GOODBYE_MS.lost);
    });
    const closed = Promise.all(running.map(({ worker }) => worker.close(!isWorking)))
      .then(() => Promise.all(running.map(({ queue }) => (isWorking ? queue.close() : queue.disconnect()))))
      .catch((error) => this.log.warn({ err: error }, 'the queues were not closed in order'));
    await Promise.race([closed, limit]);
    clearTimeout(patience);
    redis?.client.disconnect();
  }

  private run(job: ScheduledJob): Running {
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
    worker.on('completed', () => this.report(job.queue, true));
    worker.on('failed', (_job, error) => {
      this.report(job.queue, false);
      this.log.error({ err: error, queue: job.queue }, 'a job failed');
    });
    return { job, queue, worker };
  }

  /** What is closed already breaks later: that is no trouble. */
  private onError(worker: Worker, queue: string, error: Error): void {
    if (this.stopped || !this.running.some((running) => running.worker === worker)) return;
    if (isRefusal(error)) void this.fail(error);
    else this.trouble.raise(error.message, { queue });
  }

  private onRedis(name: string, process: (job: Job) => Promise<void>): Pick<Running, 'queue' | 'worker'> {
    const options = { connection: this.redis!.client, prefix: this.prefix };
    return { queue: new Queue(name, options), worker: new Worker(name, process, { ...options, concurrency: 1 }) };
  }

  private onPostgres(name: string, process: (job: Job) => Promise<void>): Pick<Running, 'queue' | 'worker'> {
    const classes = withBackend(createPostgresBackend);
    const connection = { connectionString: this.store.databaseUrl, max: 3, statement_timeout: STATEMENT_TIMEOUT_MS };
    return {
      queue: new classes.Queue(name, { connection }) as unknown as Queue,
      worker: new classes.Worker(name, process, { connection, concurrency: 1 }) as unknown as Worker,
    };
  }
}
