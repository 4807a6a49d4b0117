import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** What a pool of connections knows of itself. */
interface PoolCounts {
  readonly totalCount: number;
  readonly idleCount: number;
  readonly waitingCount: number;
}

/** The figures `/metrics` shows. Labels never carry a tenant or a secret. */
export class Metrics {
  readonly registry = new Registry();
  private readonly calls = new Counter({
    name: 'weir_calls_total',
    help: 'Calls by final HTTP status, endpoint, and whether a stream was asked for.',
    labelNames: ['status', 'endpoint', 'stream'],
    registers: [this.registry],
  });
  private readonly duration = new Histogram({
    name: 'weir_call_duration_seconds',
    help: 'Time from the first byte of the request to the last byte of the reply.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers: [this.registry],
  });
  readonly admission = this.latency('weir_admission_seconds', 'Time from the arrival of a call to its first hold.');
  readonly hold = this.latency('weir_hold_seconds', 'Time that a call waited for its hold.');
  readonly settle = this.latency('weir_settle_seconds', 'Time that a call waited for its booking.');
  readonly batches = new Histogram({
    name: 'weir_ledger_batch_calls',
    help: 'Calls in one statement of the ledger.',
    labelNames: ['statement'],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256],
    registers: [this.registry],
  });
  readonly attempts = new Counter({
    name: 'weir_attempts_total',
    help: 'Attempts at providers, by the type of the provider and why they failed; none: they did not.',
    labelNames: ['provider', 'reason'],
    registers: [this.registry],
  });
  readonly tokens = new Counter({
    name: 'weir_tokens_total',
    help: 'Tokens that were booked, by class. Those of reasoning are counted as output too.',
    labelNames: ['class'],
    registers: [this.registry],
  });
  readonly jobs = new Counter({
    name: 'weir_jobs_total',
    help: 'Background jobs by queue and result.',
    labelNames: ['queue', 'result'],
    registers: [this.registry],
  });
  readonly webhookAttempts = new Counter({
    name: 'weir_webhook_attempts_total',
    help: 'Attempts to deliver an event to a webhook, by what became of the delivery.',
    labelNames: ['result'],
    registers: [this.registry],
  });

  readonly drains = new Counter({
    name: 'weir_drains_total',
    help: 'Providers read on for their usage after a client left, by how that ended.',
    labelNames: ['result'],
    registers: [this.registry],
  });
  private readonly estimates = new Counter({
    name: 'weir_estimated_calls_total',
    help: "Calls booked without their provider's final count, by why it is missing and what was booked.",
    labelNames: ['reason', 'basis'],
    registers: [this.registry],
  });
  private readonly estimatedUsd = new Counter({
    name: 'weir_estimated_usd_total',
    help: 'USD booked by estimates. Compare with weir_estimated_held_usd_total and with the invoice.',
    registers: [this.registry],
  });
  private readonly estimatedHeldUsd = new Counter({
    name: 'weir_estimated_held_usd_total',
    help: 'USD that was held for the calls that were booked by estimates.',
    registers: [this.registry],
  });
  private readonly beyondText = new Counter({
    name: 'weir_calls_beyond_text_total',
    help: 'Calls that were booked with more than their text tokens cost: searches, tools, tiers, sound, images.',
    registers: [this.registry],
  });

  readonly providerCalls = new Counter({
    name: 'weir_provider_calls_total',
    help: 'Calls that were booked, by the type of their provider, their model and how they went.',
    labelNames: ['provider', 'model', 'outcome'],
    registers: [this.registry],
  });
  readonly providerFirstByte = new Histogram({
    name: 'weir_provider_first_byte_seconds',
    help: 'Time from the beginning of an attempt to the head of its answer.',
    labelNames: ['provider'],
    buckets: [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120],
    registers: [this.registry],
  });
  readonly providerTokens = new Counter({
    name: 'weir_provider_tokens_total',
    help: 'Tokens that were booked; input with what was read from and written to caches.',
    labelNames: ['provider', 'model', 'kind'],
    registers: [this.registry],
  });
  readonly providerUsd = new Counter({
    name: 'weir_provider_usd_total',
    help: 'USD that was booked.',
    labelNames: ['provider', 'model'],
    registers: [this.registry],
  });
  private readonly callErrors = new Counter({
    name: 'weir_call_errors_total',
    help: 'Calls that ended with an error, by its code.',
    labelNames: ['code'],
    registers: [this.registry],
  });
  readonly shed = new Counter({
    name: 'weir_calls_shed_total',
    help: 'Requests refused before any work because the process had too much to do, by why.',
    labelNames: ['reason'],
    registers: [this.registry],
  });
  readonly breakerChanges = new Counter({
    name: 'weir_breaker_changes_total',
    help: 'Breakers that opened, were tried or closed by what this process saw.',
    labelNames: ['to'],
    registers: [this.registry],
  });
  readonly jobRuns = new Gauge({
    name: 'weir_job_last_success_timestamp_seconds',
    help: 'When a background job last ended well in this process.',
    labelNames: ['queue'],
    registers: [this.registry],
  });
  private readonly connections = new Gauge({
    name: 'weir_postgres_connections',
    help: 'Connections to Postgres by pool and state, and requests that wait for one.',
    labelNames: ['pool', 'state'],
    registers: [this.registry],
    collect: () => this.readPools(),
  });
  private readonly pools: { name: string; pool: PoolCounts }[] = [];

  /** By labels: finding one by them costs more than counting. */
  private readonly callsBy = new Map<string, Counter.Internal>();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Counts a call that was charged for more than text. */
  countBeyondText(): void {
    this.beyondText.inc();
  }

  /** Counts a call that was booked as an estimate. Amounts in USD; null: unknown. */
  countEstimate(reason: string, basis: string, booked: number | null, held: number | null): void {
    this.estimates.inc({ reason, basis });
    this.estimatedUsd.inc(booked ?? 0);
    this.estimatedHeldUsd.inc(held ?? 0);
  }

  /** Counts a call that has ended. @param code of its error; undefined: it has none. */
  countCall(status: number, endpoint: string, isStream: boolean, seconds: number, code?: string): void {
    if (code !== undefined) this.callErrors.inc({ code });
    const key = `${status} ${endpoint} ${isStream}`;
    let calls = this.callsBy.get(key);
    if (!calls) {
      calls = this.calls.labels(String(status), endpoint, String(isStream));
      this.callsBy.set(key, calls);
    }
    calls.inc();
    this.duration.observe(seconds);
  }

  /** Of a step that takes a few milliseconds. */
  private latency(name: string, help: string): Histogram {
    const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
    return new Histogram({ name, help, buckets, registers: [this.registry] });
  }

  watchPool(name: string, pool: PoolCounts): void {
    this.pools.push({ name, pool });
  }

  private readPools(): void {
    for (const { name, pool } of this.pools) {
      this.connections.set({ pool: name, state: 'busy' }, pool.totalCount - pool.idleCount);
      this.connections.set({ pool: name, state: 'idle' }, pool.idleCount);
      this.connections.set({ pool: name, state: 'waiting' }, pool.waitingCount);
    }
  }

  /** A figure that is read when somebody looks, and costs nothing until then. */
  watch(name: string, help: string, read: () => number): void {
    new Gauge({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.set(read());
      },
    });
  }

  /** The same, with a figure for each set of labels; those without one are left out. */
  watchBy<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    read: () => Iterable<[Record<Label, string>, number]>,
  ): void {
    new Gauge({
      name,
      help,
      labelNames,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const [labels, figure] of read()) this.set(labels, figure);
      },
    });
  }

  /** The same, of something that only ever grows. */
  watchTotal(name: string, help: string, read: () => number): void {
    new Counter({
      name,
      help,
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(read());
      },
    });
  }
}
