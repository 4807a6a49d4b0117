import type { Logger } from './logger.js';

const REPEAT_MS = 60_000;

/** What an error says, or words, in one line: Prisma's have several. Of a host with several addresses, the error of the first. */
export function oneLine(cause: unknown): string {
  const { message, errors } = Object(cause) as { message?: unknown; errors?: unknown[] };
  if (message === '' && errors?.[0] !== undefined) return oneLine(errors[0]);
  return String(typeof message === 'string' ? message : cause)
    .trim()
    .replaceAll(/\s+/g, ' ');
}

/** A part of the process that may be unable to work. Says so in the log at once, then at most once a minute, and once more when it works again. */
export class Alarm {
  private current: string | null = null;
  private raisedAt = 0;
  private saidAt = Number.NEGATIVE_INFINITY;
  private said = false;
  /** How often it was raised since the start. */
  raised = 0;

  /**
   * @param trouble the line while it lasts, e.g. `the queues cannot work`.
   * @param over the line after it.
   */
  constructor(
    private readonly log: Logger,
    private readonly trouble: string,
    private readonly over: string,
  ) {}

  /** Why the part cannot work; null: it can. */
  get reason(): string | null {
    return this.current;
  }

  /** @param cause in words, or the error that has them. */
  raise(cause: unknown, facts: object = {}): void {
    const reason = oneLine(cause);
    const now = performance.now();
    this.raised++;
    if (this.current === null) this.raisedAt = now;
    this.current = reason;
    if (now - this.saidAt < REPEAT_MS) return;
    this.saidAt = now;
    this.said = true;
    this.log.error({ reason, for_s: Math.round((now - this.raisedAt) / 1000), ...facts }, this.trouble);
  }

  clear(): void {
    if (this.current === null) return;
    this.current = null;
    if (this.said) this.log.info({ after_s: Math.round((performance.now() - this.raisedAt) / 1000) }, this.over);
    this.said = false;
  }
}
