import { tmpdir } from 'node:os';
import { readConfig } from '../../src/platform/config/index.js';
import { type JobResult, Queues } from '../../src/platform/queue/index.js';
import type { Logger } from '../../src/platform/telemetry/index.js';

export interface QueueRigOptions {
  databaseUrl?: string;
  answer?: JobResult;
  installation?: string;
  queue?: string;
  everyMs?: number;
  /** Runs that fail before one does not. */
  failures?: number;
}

/** Queues with one job, what it did, and what was logged. */
export class QueueRig {
  runs = 0;
  readonly lines: string[] = [];
  private static readonly running = new Set<QueueRig>();

  private constructor(readonly queues: Queues) {}

  /** @param redis the variables of Redis; null: the queues are in Postgres. */
  static async start(redis: Record<string, string> | null, options: QueueRigOptions = {}): Promise<QueueRig> {
    const {
      databaseUrl = '',
      answer = { againInMs: null },
      installation = 'one',
      queue = 'attack',
      everyMs = 60_000,
      failures = 0,
    } = options;
    const say = (facts: object, message: string) => void rig.lines.push(`${message} ${JSON.stringify(facts)}`);
    const log = { error: say, warn: say, info: say, debug: () => {} } as unknown as Logger;
    const store = { redis: redis && readConfig(redis, tmpdir()).redis, databaseUrl, connections: 9, installation };
    const rig = new QueueRig(new Queues(store, log));
    QueueRig.running.add(rig);
    await rig.queues.prepare();
    const run = async () => {
      if (rig.runs++ < failures) throw new Error('the run failed');
      return answer;
    };
    rig.queues.start([{ queue, everyMs, run }], () => {});
    return rig;
  }

  static async stopAll(): Promise<void> {
    const rigs = [...QueueRig.running];
    QueueRig.running.clear();
    await Promise.all(rigs.map(({ queues }) => queues.stop()));
  }
}
