import { createPostgresBackend, type Job, Queue, runMigrations, Worker, withBackend } from 'bullmq';
import { Redis } from 'ioredis';
import pg from 'pg';
import type { Logger } from '../telemetry/index.js';

/** What a job answers: in how many ms to run once more ahead of its schedule; null: not. */
export type JobResult = { againInMs: number | null };

/** Work that is done on a schedule, by one of all workers at a time. */
export interface ScheduledJob {
  queue: string;
  everyMs: number;
  run(): Promise<JobResult>;
}

interface Running {
  queue: Queue;
  worker: Worker;
}

const RESCHEDULE_MS = 60_000;
/** A store that was emptied says so to nobody. */
const LOOK_MS = 5_000;
/** How long a stop waits for the queue store. */
const GOODBYE_MS = { connected: 10_000, lost: 1_000 };
const STATEMENT_TIMEOUT_MS = 30_000;
const KEEP = { removeOnComplete: { count: 100 }, removeOnFail: { count: 1_000 } };

/** BullMQ on Redis, or on its own Postgres backend where there is no Redis. Never on the road of a call. */
export class Queues {
  private readonly running: Running[] = [];
  private readonly redis: Redis | null;
  private readonly timers: NodeJS.Timeout[] = [];
  private stopped = false;

  constructor(
    redisUrl: string | null,
    private readonly databaseUrl: string,
    private readonly log: Logger,
  ) {
    this.redis = redisUrl ? new Redis(redisUrl, { maxRetriesPerRequest: null, connectTimeout: 2_000 }) : null;
    this.redis?.on('error', (error: Error) => this.log.warn({ err: error.message }, 'redis is not reachable; scheduled work waits'));
  }

  /** Makes the tables of the Postgres backend, where that is the one. */
  async prepare(): Promise<void> {
    if (this.redis) return;
    const client = new pg.Client({ connectionString: this.databaseUrl });
    await client.connect();
    await runMigrations(client).finally(() => client.end());
  }

  /** Starts a worker for each job and keeps their schedules, also when the queue store loses them. @throws when two jobs share a queue. */
  start(jobs: readonly ScheduledJob[], report: (queue: string, ok: boolean) => void): void {
    for (const job of jobs) {
      if (this.running.some(({ queue }) => queue.name === job.queue)) throw new Error(`two workers for the queue ${job.queue}`);
      this.running.push(this.open(job, report));
    }
    const schedule = (which: 'all' | 'lost') => {
      for (const [index, { queue }] of this.running.entries())
        this.schedule(queue, jobs[index]!, which).catch((error) => this.warn(queue.name, error));
    };
    schedule('all');
    this.redis?.on('ready', () => schedule('all')); // it may have come back with nothing in it
    for (const [which, everyMs] of [['all', RESCHEDULE_MS] as const, ['lost', LOOK_MS] as const])
      this.timers.push(setInterval(() => schedule(which), everyMs).unref());
  }

  private async schedule(queue: Queue, { queue: id, everyMs }: ScheduledJob, which: 'all' | 'lost'): Promise<void> {
    if (which === 'lost' && (await queue.getJobScheduler(id))) return;
    await queue.upsertJobScheduler(id, { every: everyMs }, { name: 'tick', opts: KEEP });
  }

  /** Lets jobs under way end. A store that does not answer is not waited for: what is in it stays in it. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const timer of this.timers) clearInterval(timer);
    const connected = !this.redis || this.redis.status === 'ready';
    let patience: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      patience = setTimeout(resolve, connected ? GOODBYE_MS.connected : GOODBYE_MS.lost);
    });
    await Promise.race([this.close(connected), limit]);
    clearTimeout(patience);
    this.redis?.disconnect();
  }

  private async close(connected: boolean): Promise<void> {
    try {
      await Promise.all(this.running.map(({ worker }) => worker.close(!connected)));
      await Promise.all(this.running.map(({ queue }) => (connected ? queue.close() : queue.disconnect())));
    } catch (error) {
      this.log.warn({ err: error }, 'the queues were not closed in order');
    }
  }

  private open(scheduled: ScheduledJob, report: (queue: string, ok: boolean) => void): Running {
    const process = async (_job: Job) => {
      const { againInMs } = await scheduled.run();
      if (againInMs !== null && againInMs < scheduled.everyMs) {
        await queue.add(
          'again',
          {},
          { delay: Math.max(1, Math.ceil(againInMs)), deduplication: { id: 'again', ttl: Math.max(1, Math.ceil(againInMs)) }, ...KEEP },
        );
      }
    };
    const { queue, worker } = this.redis ? this.onRedis(scheduled.queue, process) : this.onPostgres(scheduled.queue, process);
    queue.on('error', (error) => this.warn(scheduled.queue, error));
    worker.on('error', (error) => this.warn(scheduled.queue, error));
    worker.on('completed', () => report(scheduled.queue, true));
    worker.on('failed', (_job, error) => {
      report(scheduled.queue, false);
      this.log.error({ err: error, queue: scheduled.queue }, 'a job failed');
    });
    return { queue, worker };
  }

  private onRedis(name: string, process: (job: Job) => Promise<void>): Running {
    const connection = this.redis!;
    return { queue: new Queue(name, { connection }), worker: new Worker(name, process, { connection, concurrency: 1 }) };
  }

  private onPostgres(name: string, process: (job: Job) => Promise<void>): Running {
    const classes = withBackend(createPostgresBackend);
    const connection = { connectionString: this.databaseUrl, max: 3, statement_timeout: STATEMENT_TIMEOUT_MS };
    return {
      queue: new classes.Queue(name, { connection }) as unknown as Queue,
      worker: new classes.Worker(name, process, { connection, concurrency: 1 }) as unknown as Worker,
    };
  }

  /** A connection that was being made when its queue was closed breaks later: that is no trouble. */
  private warn(queue: string, error: unknown): void {
    if (this.stopped) return;
    this.log.warn({ queue, err: error instanceof Error ? error.message : String(error) }, 'the queue is in trouble');
  }
}
