import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** The figures `/metrics` shows. Labels never carry a tenant or a secret. */
export class Metrics {
  readonly registry = new Registry();
  private readonly calls = new Counter({
    name: 'weir_calls_total',
    help: 'Calls by final HTTP status.',
    labelNames: ['status'],
    registers: [this.registry],
  });
  private readonly duration = new Histogram({
    name: 'weir_call_duration_seconds',
    help: 'Time from the first byte of the request to the last byte of the reply.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300],
    registers: [this.registry],
  });
  readonly jobs = new Counter({
    name: 'weir_jobs_total',
    help: 'Background jobs by queue and result.',
    labelNames: ['queue', 'result'],
    registers: [this.registry],
  });

  readonly drains = new Counter({
    name: 'weir_drains_total',
    help: 'Providers read on for their usage after a client left, by how that ended.',
    labelNames: ['result'],
    registers: [this.registry],
  });
  readonly estimates = new Counter({
    name: 'weir_estimated_calls_total',
    help: "Calls booked without their provider's final count, by why it is missing and what was booked.",
    labelNames: ['reason', 'basis'],
    registers: [this.registry],
  });
  readonly estimatedUsd = new Counter({
    name: 'weir_estimated_usd_total',
    help: 'USD booked by estimates. Compare with weir_estimated_held_usd_total and with the invoice.',
    registers: [this.registry],
  });
  readonly estimatedHeldUsd = new Counter({
    name: 'weir_estimated_held_usd_total',
    help: 'USD that was held for the calls that were booked by estimates.',
    registers: [this.registry],
  });
  private readonly beyondText = new Counter({
    name: 'weir_calls_beyond_text_total',
    help: 'Calls that were booked with more than their text tokens cost: searches, tools, tiers, sound, images.',
    registers: [this.registry],
  });

  /** By status: finding one by its label costs more than counting. */
  private readonly callsBy = new Map<number, Counter.Internal>();

  constructor() {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Counts a call that was charged for more than text. */
  countBeyondText(): void {
    this.beyondText.inc();
  }

  /** Counts a call that has ended. */
  countCall(status: number, seconds: number): void {
    let calls = this.callsBy.get(status);
    if (!calls) {
      calls = this.calls.labels(String(status));
      this.callsBy.set(status, calls);
    }
    calls.inc();
    this.duration.observe(seconds);
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
