import type { ReadableSpan, SpanExporter, SpanProcessor } from '@opentelemetry/sdk-trace';
import type { Alarm } from './alarm.js';

/** Spans that wait at most: about 4 MB. What comes while so many wait is dropped. */
const MAX_WAITING = 4_096;
const BATCH = 512;
const EXPORT_MS = 1_000;
/** How long an end waits for what is left. */
const GOODBYE_MS = 3_000;

const SAMPLED = 1;
const DONE = 0;

/**
 * Spans on their way to the collector, a batch at a time. Nothing waits for them: while the collector is away or slow they are dropped, and counted.
 */
export class SpanQueue implements SpanProcessor {
  private readonly waiting: ReadableSpan[] = [];
  private timer: NodeJS.Timeout | null = null;
  private sending: Promise<void> | null = null;
  /** Since the start. */
  dropped = 0;
  exported = 0;

  constructor(
    private readonly exporter: SpanExporter,
    private readonly alarm: Alarm,
  ) {}

  get size(): number {
    return this.waiting.length;
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    if ((span.spanContext().traceFlags & SAMPLED) === 0) return;
    if (this.waiting.length >= MAX_WAITING) {
      this.dropped++;
      return;
    }
    this.waiting.push(span);
    if (this.waiting.length >= BATCH) this.send();
    else this.timer ??= setTimeout(() => this.send(), EXPORT_MS).unref();
  }

  private send(): void {
    if (this.timer) clearTimeout(this.timer);
    this.timer = null;
    this.sending ??= this.sendAll().finally(() => {
      this.sending = null;
    });
  }

  private async sendAll(): Promise<void> {
    while (this.waiting.length > 0) await this.sendBatch(this.waiting.splice(0, BATCH));
  }

  private sendBatch(batch: ReadableSpan[]): Promise<void> {
    return new Promise((resolve) => {
      this.exporter.export(batch, ({ code, error }) => {
        if (code === DONE) {
          this.exported += batch.length;
          this.alarm.clear();
        } else {
          this.dropped += batch.length;
          this.alarm.raise(error ?? 'the collector refused them');
        }
        resolve();
      });
    });
  }

  async forceFlush(): Promise<void> {
    this.send();
    await this.sending;
  }

  /** Sends what is left, within three seconds. */
  async shutdown(): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, GOODBYE_MS);
    });
    await Promise.race([this.forceFlush(), limit]);
    clearTimeout(timer);
    this.dropped += this.waiting.splice(0).length;
  }
}
