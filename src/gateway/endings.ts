import { Inject, Injectable } from '@nestjs/common';
import { Unsupported } from '../dialects/index.js';
import { WeirError } from '../kernel/errors.js';
import { publicId } from '../kernel/ids.js';
import { formatUsd, type Nano, usdNumber } from '../kernel/money.js';
import { inSlices } from '../kernel/slices.js';
import type { Attempt, Settlement } from '../ledger/index.js';
import { LOGGER, type Logger, logHotPath, Metrics } from '../platform/telemetry/index.js';
import { UsableModels } from '../routing/index.js';
import type { Outcome, Untold } from './attempts/outcome.js';
import type { Call } from './call.js';
import type { Reply } from './reply.js';

/** How calls end: what the client gets last, and what the log and the metrics say. */
@Injectable()
export class Endings {
  constructor(
    private readonly models: UsableModels,
    private readonly metrics: Metrics,
    @Inject(LOGGER) private readonly log: Logger,
  ) {}

  /** Ends a call that is not made with its error. */
  refuse(call: Call, reply: Reply, error: unknown): void {
    const refusal = error instanceof WeirError ? error : new WeirError('internal_error', { cause: error });
    this.fail(call, reply, refusal);
    this.report(call, refusal, null);
  }

  /** The call is booked: the client may have the end of its answer. A promise: once it is kept for repeats. */
  end(call: Call, reply: Reply, outcome: Outcome, settlement: Settlement, cost: Nano | null): void | Promise<void> {
    // Who left may come back for an answer that is kept.
    if (reply.gone && !(reply.recorder && outcome.status === 'completed')) return;
    if (outcome.error) return this.fail(call, reply, outcome.error);
    if (outcome.reader) {
      const tail = outcome.reader.tail(settlement.usage, cost === null ? null : usdNumber(cost));
      const answer = (repeats: boolean) => (repeats ? reply.fail(new WeirError('upstream_invalid_response')) : reply.endStream(tail));
      const repeats = inSlices(outcome.repeatsSecret(tail));
      return repeats instanceof Promise ? repeats.then(answer) : answer(repeats);
    }
    if (cost !== null) reply.setHeader('x-weir-cost', formatUsd(cost));
    reply.setHeader('openai-processing-ms', String(Math.round(settlement.durationMs)));
    return reply.answer(outcome.whole!.render(settlement.usage));
  }

  /** What this model cannot do, others of the caller's may. */
  private fail({ caller }: Call, reply: Reply, error: WeirError): void {
    reply.fail(error instanceof Unsupported ? error.naming(this.models.able(caller, error.isAble)) : error);
  }

  report(call: Call, error: WeirError | null, settlement: Settlement | null, untold?: Untold, made: Made = NOTHING_MADE): void {
    const status = settlement?.httpStatus ?? error!.status;
    const ms = call.elapsedMs();
    call.trace?.end(status, error);
    this.metrics.countCall(status, call.endpoint, call.prompt.stream, ms / 1000, error?.code);
    const { caller, prompt } = call;
    const beyond = settlement?.rates?.['beyond_text'];
    if (beyond !== undefined) this.metrics.countBeyondText();
    const facts = {
      call: publicId('call', call.id),
      tenant: publicId('tenant', caller.tenantId),
      key: publicId('apiKey', caller.apiKeyId),
      model: prompt.model,
      stream: prompt.stream,
      status,
      error: error?.code,
      cause: error ? describe(error.cause) : undefined,
      cost: made.cost === null ? undefined : formatUsd(made.cost),
      // What happened on the way: which provider answered in the end, and why others did not.
      ...(made.attempts.length > 1 && { attempts: made.attempts.map(({ provider, status, reason }) => `${provider} ${reason ?? status}`) }),
      estimated: settlement?.estimated ? (untold ?? true) : undefined,
      beyond_text: beyond === undefined ? undefined : formatUsd(BigInt(beyond)),
      trace: call.trace?.id,
      ms: Math.round(ms * 10) / 10,
    };
    if (error?.code === 'internal_error') this.log.error({ ...facts, err: error.cause }, 'call');
    else logHotPath(this.log, facts, 'call');
  }
}

/** What a call cost, and what it took. */
interface Made {
  cost: Nano | null;
  attempts: readonly Attempt[];
}

const NOTHING_MADE: Made = { cost: null, attempts: [] };

/** A cause in a few words for the log. */
function describe(cause: unknown): string | undefined {
  if (cause === undefined || cause === null) return undefined;
  const code = (cause as { code?: unknown }).code;
  return cause instanceof Error
    ? `${typeof code === 'string' ? `${code}: ` : ''}${cause.message}`.slice(0, 300)
    : String(cause).slice(0, 300);
}
