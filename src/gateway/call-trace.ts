import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import type { Caller } from '../api-keys/index.js';
import type { CallRequest } from '../dialects/index.js';
import type { WeirError } from '../kernel/errors.js';
import { type Id, publicId } from '../kernel/ids.js';
import { formatUsd, type Nano, usdNumber } from '../kernel/money.js';
import { asText, inputTotal, outputTotal } from '../kernel/usage.js';
import type { Booking, Settlement } from '../ledger/index.js';
import { CONFIG, type Config } from '../platform/config/index.js';
import { type Attributes, type Span, Tracing } from '../platform/telemetry/index.js';
import type { Hold } from '../quotas/index.js';
import type { Target, TargetPlan } from '../routing/index.js';
import type { Outcome } from './attempts/outcome.js';

/** By endpoint, where it is no chat. */
const OPERATIONS: Readonly<Record<string, string>> = {
  completions: 'text_completion',
  embeddings: 'embeddings',
  'messages.count_tokens': 'count_tokens',
};

/** How OpenTelemetry names providers, by type; others are named by their type. */
const PROVIDERS: Readonly<Record<string, string>> = {
  'azure-openai': 'azure.ai.openai',
  bedrock: 'aws.bedrock',
  gemini: 'gcp.gemini',
  'google-vertex-ai': 'gcp.vertex_ai',
  mistral: 'mistral_ai',
  moonshot: 'moonshot_ai',
  xai: 'x_ai',
};

const DEFAULT_PORT: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** Makes the traces of calls, where there is a collector. */
@Injectable()
export class CallTraces {
  constructor(
    @Inject(Tracing) private readonly tracing: Tracing | null,
    @Inject(CONFIG) private readonly config: Pick<Config, 'tracedProviders'>,
  ) {}

  /** @param arrivedAt the head of its request, by `performance.now()`. */
  begin(call: TracedCall, request: FastifyRequest, arrivedAt: number): CallTrace | null {
    const { tracing } = this;
    if (!tracing) return null;
    let trace: CallTrace | null = null;
    tracing.safely(() => {
      trace = new CallTrace(tracing, this.config.tracedProviders, call, request, arrivedAt);
    });
    return trace;
  }
}

/** What is told of a call. */
interface TracedCall {
  id: Id;
  endpoint: string;
  caller: Pick<Caller, 'tenantId' | 'projectId' | 'apiKeyId'>;
  prompt: Pick<CallRequest, 'model' | 'stream'>;
  options: { session: string | null };
}

/** A request to a provider that is not booked yet. */
interface OpenAttempt {
  span: Span;
  /** Null: it goes on. */
  endedAt: number | null;
  error: string | null;
}

/**
 * The spans of one call: one for its request, with an event for each hold and each booking, and below it one for each request to a provider. They
 * have ids, models, counts and amounts: nothing of what was said, and no text of an error.
 */
export class CallTrace {
  /** To find the call by; undefined: it is not sampled. */
  readonly id: string | undefined;
  private readonly clockOffset = Date.now() - performance.now();
  private readonly root: Span;
  private attempt: OpenAttempt | null = null;
  private cost: Nano | null = null;
  private isEstimated = false;

  constructor(
    private readonly tracing: Tracing,
    private readonly tracedProviders: ReadonlySet<string>,
    private readonly call: TracedCall,
    { method, routeOptions, headers }: FastifyRequest,
    arrivedAt: number,
  ) {
    const { caller, prompt } = call;
    const attributes = {
      'http.request.method': method,
      'http.route': routeOptions.url,
      'weir.call.id': publicId('call', call.id),
      'weir.tenant.id': publicId('tenant', caller.tenantId),
      'weir.project.id': publicId('project', caller.projectId),
      'weir.key.id': publicId('apiKey', caller.apiKeyId),
      'weir.model': prompt.model,
      'weir.stream': prompt.stream,
    };
    const start = { name: `${method} ${routeOptions.url}`, attributes, startedAt: this.clockOffset + arrivedAt };
    this.root = tracing.server(start, headers);
    this.id = this.root.isRecording() ? this.root.spanContext().traceId : undefined;
  }

  private get now(): number {
    return this.clockOffset + performance.now();
  }

  held({ callId, amount, remaining, maxOutputTokens }: Hold): void {
    this.tracing.safely(() => {
      const facts = { 'weir.hold.id': publicId('call', callId), 'weir.hold.max_output_tokens': maxOutputTokens };
      const amounts = { ...usd('weir.hold.usd', amount), ...usd('weir.budget.remaining_usd', remaining) };
      this.root.addEvent('weir.hold', { ...facts, ...amounts }, this.now);
    });
  }

  /** A request to a provider is about to be made. @param number among those of the call, from 1. */
  begin({ reference, target }: TargetPlan, number: number, maxOutputTokens: number, { callId }: Hold): void {
    this.tracing.safely(() => {
      this.close();
      const { call, tracing, root } = this;
      const operation = OPERATIONS[call.endpoint] ?? 'chat';
      const server = addressOf(target);
      const { session } = call.options;
      const attributes: Attributes = {
        'gen_ai.operation.name': operation,
        'gen_ai.provider.name': PROVIDERS[target.type] ?? target.type,
        'gen_ai.request.model': target.model,
        'gen_ai.request.stream': call.prompt.stream,
        'weir.hold.id': publicId('call', callId),
        'weir.tenant.id': publicId('tenant', call.caller.tenantId),
        'weir.key.id': publicId('apiKey', call.caller.apiKeyId),
        'weir.model': reference,
        'weir.attempt.number': number,
        ...(maxOutputTokens > 0 && { 'gen_ai.request.max_tokens': maxOutputTokens }),
        ...(server && { 'server.address': server.host, 'server.port': server.port }),
        ...(session !== null && { 'gen_ai.conversation.id': session }),
      };
      const span = tracing.client({ name: `${operation} ${target.model}`, attributes, startedAt: this.now }, root);
      this.attempt = { span, endedAt: null, error: null };
    });
  }

  /** Headers that pass the trace on to a provider that the operator has named; no other is told of it. */
  headersTo(target: Target): string[] {
    if (!this.attempt || this.tracedProviders.size === 0) return [];
    const server = addressOf(target);
    const isNamed = server !== null && this.tracedProviders.has(`${server.host}:${server.port}`);
    return isNamed ? this.tracing.headersOf(this.attempt.span) : [];
  }

  /** It is over. The last one before a booking stays open for what it is booked at. */
  ended({ error, attempts, firstByteMs }: Outcome): void {
    this.tracing.safely(() => {
      if (!this.attempt) return;
      const { status = null, reason = error?.code ?? null } = attempts.at(-1) ?? {};
      this.attempt.endedAt = this.now;
      this.attempt.error = reason;
      this.attempt.span.setAttributes({
        ...(status !== null && { 'http.response.status_code': status }),
        ...(reason !== null && { 'weir.attempt.reason': reason }),
        ...(firstByteMs !== null && { 'weir.call.first_byte_ms': firstByteMs }),
      });
    });
  }

  settled(settlement: Settlement, { booked, remaining }: Booking): void {
    this.tracing.safely(() => {
      const { id, state, amount, estimated, usage, servedModel, finishReason } = settlement;
      this.root.addEvent(
        'weir.settle',
        {
          'weir.hold.id': publicId('call', id),
          'weir.settle.state': state,
          'weir.settle.booked': booked,
          'weir.estimated': estimated,
          ...usd('weir.cost.usd', amount),
          ...usd('weir.budget.remaining_usd', remaining),
        },
        this.now,
      );
      if (amount !== null) this.cost = (this.cost ?? 0n) + amount;
      this.isEstimated ||= estimated;
      const { cacheRead, cacheWrite5m, cacheWrite1h } = asText(usage);
      const cacheWrite = cacheWrite5m + cacheWrite1h;
      this.attempt?.span.setAttributes({
        ...(state === 'settled' && {
          'gen_ai.usage.input_tokens': inputTotal(usage),
          'gen_ai.usage.output_tokens': outputTotal(usage),
          ...(cacheRead > 0 && { 'gen_ai.usage.cache_read.input_tokens': cacheRead }),
          ...(cacheWrite > 0 && { 'gen_ai.usage.cache_write.input_tokens': cacheWrite }),
          ...(usage.reasoning !== null && { 'gen_ai.usage.reasoning.output_tokens': usage.reasoning }),
        }),
        ...(amount !== null && { 'gen_ai.usage.cost_usd': usdNumber(amount) }),
        ...usd('weir.cost.usd', amount),
        ...(servedModel !== null && { 'gen_ai.response.model': servedModel }),
        ...(finishReason !== null && { 'gen_ai.response.finish_reasons': [finishReason] }),
        'weir.estimated': estimated,
      });
      this.close();
    });
  }

  /** The reply is complete, or its client is gone. */
  end(status: number, error: WeirError | null, further: Attributes = {}): void {
    this.tracing.safely(() => {
      this.close();
      const { root, cost, isEstimated } = this;
      root.setAttributes({
        'http.response.status_code': status,
        'weir.estimated': isEstimated,
        ...usd('weir.cost.usd', cost),
        ...(error && { 'error.type': error.code }),
        ...further,
      });
      // What a client did wrong is no failure of the server.
      if (error && status >= 500) this.tracing.fail(root, error.code, this.now);
      else root.end(this.now);
    });
  }

  private close(): void {
    if (!this.attempt) return;
    const { span, endedAt, error } = this.attempt;
    this.attempt = null;
    if (error === null) span.end(endedAt ?? this.now);
    else this.tracing.fail(span, error, endedAt ?? this.now);
  }
}

/** An exact amount; none where it is not known. */
const usd = (name: string, amount: Nano | null): Attributes => (amount === null ? {} : { [name]: formatUsd(amount) });

/** Null: it has none, as the mock provider. */
function addressOf({ origin }: Target): { host: string; port: number | undefined } | null {
  const url = URL.parse(origin);
  return url && { host: url.hostname, port: url.port === '' ? DEFAULT_PORT[url.protocol] : Number(url.port) };
}
