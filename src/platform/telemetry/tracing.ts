import type { Attributes, Context, Span, TextMapPropagator, Tracer } from '@opentelemetry/api';
import type { Sampler, TracerProvider } from '@opentelemetry/sdk-trace';
import { Alarm } from './alarm.js';
import type { Logger } from './logger.js';
import type { Metrics } from './metrics.js';
import { SpanQueue } from './span-queue.js';

export type { Attributes, Span } from '@opentelemetry/api';

/** A name of a model may be as long as its client likes. */
const MAX_VALUE_LENGTH = 512;

type Decision = 'always_on' | 'always_off' | 'traceidratio';

/** Where traces of calls are sent, by OpenTelemetry's own variables. */
export interface TracingOptions {
  /** Takes OTLP over HTTP. */
  url: string;
  /** Of the requests to it: they may carry a key. */
  headers: Readonly<Record<string, { reveal(): string }>>;
  timeoutMs: number;
  serviceName: string;
  /** Of the process, beside its name. */
  resource: Readonly<Record<string, string>>;
  sampler: Decision | `parentbased_${Decision}`;
  /** The part of traces that is kept, where the sampler goes by it: from 0 to 1. */
  ratio: number;
  /** A call belongs to the trace of its client, where its request names one. */
  joinsClients: boolean;
}

/** The headers of a request, by their names in small letters. */
type Headers = Readonly<Record<string, string | string[] | undefined>>;

interface SpanStart {
  name: string;
  attributes: Attributes;
  /** Unix time in ms. */
  startedAt: number;
}

/** Makes spans and sends them to the collector. OpenTelemetry's packages are loaded by `open` alone. */
export class Tracing {
  private constructor(
    private readonly api: typeof import('@opentelemetry/api'),
    private readonly provider: TracerProvider,
    private readonly tracer: Tracer,
    private readonly propagator: TextMapPropagator,
    private readonly joinsClients: boolean,
    private readonly alarm: Alarm,
  ) {}

  static open(options: TracingOptions, metrics: Metrics, log: Logger): Tracing {
    const api: typeof import('@opentelemetry/api') = require('@opentelemetry/api');
    const core: typeof import('@opentelemetry/core') = require('@opentelemetry/core');
    const resources: typeof import('@opentelemetry/resources') = require('@opentelemetry/resources');
    const sdk: typeof import('@opentelemetry/sdk-trace') = require('@opentelemetry/sdk-trace');
    const otlp: typeof import('@opentelemetry/exporter-trace-otlp-proto') = require('@opentelemetry/exporter-trace-otlp-proto');
    const headers = Object.fromEntries(Object.entries(options.headers).map(([name, value]) => [name, value.reveal()]));
    const exporter = new otlp.OTLPTraceExporter({ url: options.url, headers, timeoutMillis: options.timeoutMs });
    const queue = new SpanQueue(
      exporter,
      new Alarm(log, 'spans are dropped: the collector does not take them', 'the collector takes spans again'),
    );
    metrics.watchTotal('weir_trace_spans_exported_total', 'Spans that the collector took.', () => queue.exported);
    metrics.watchTotal(
      'weir_trace_spans_dropped_total',
      'Spans dropped because the collector did not take them in time.',
      () => queue.dropped,
    );
    metrics.watch('weir_trace_spans_waiting', 'Spans that wait to be sent to the collector.', () => queue.size);
    const provider = new sdk.TracerProvider({
      resource: resources.resourceFromAttributes({ ...options.resource, 'service.name': options.serviceName }),
      sampler: samplerOf(options, sdk),
      spanLimits: { attributeValueLengthLimit: MAX_VALUE_LENGTH },
      spanProcessors: [queue],
    });
    const tracer = provider.getTracer('weir');
    return new Tracing(
      api,
      provider,
      tracer,
      new core.W3CTraceContextPropagator(),
      options.joinsClients,
      new Alarm(log, 'a call could not be traced', 'calls are traced again'),
    );
  }

  /** What fails here fails nothing else. */
  safely(step: () => void): void {
    try {
      step();
    } catch (error) {
      this.alarm.raise(error);
    }
  }

  /** Of a request that a client sent: a child of the span that its headers name, where they do. */
  server(start: SpanStart, headers: Headers): Span {
    const { api, propagator } = this;
    const parent = this.joinsClients ? propagator.extract(api.ROOT_CONTEXT, headers, api.defaultTextMapGetter) : api.ROOT_CONTEXT;
    return this.start(start, api.SpanKind.SERVER, parent);
  }

  /** Of a request that is sent to another server. */
  client(start: SpanStart, parent: Span): Span {
    return this.start(start, this.api.SpanKind.CLIENT, this.contextOf(parent));
  }

  /** Headers that tell the receiver of a request which span it belongs to, names and values in turn. */
  headersOf(span: Span): string[] {
    const headers: string[] = [];
    this.propagator.inject(this.contextOf(span), headers, { set: (to, name, value) => void to.push(name, value) });
    return headers;
  }

  /** Ends a span that went wrong. @param type of the error; no message, which may have words of the request. */
  fail(span: Span, type: string, endedAt: number): void {
    span.setAttribute('error.type', type).setStatus({ code: this.api.SpanStatusCode.ERROR });
    span.end(endedAt);
  }

  /** Sends what waits, within three seconds. */
  close(): Promise<void> {
    return this.provider.shutdown();
  }

  private start({ name, attributes, startedAt }: SpanStart, kind: number, parent: Context): Span {
    return this.tracer.startSpan(name, { kind, attributes, startTime: startedAt }, parent);
  }

  private contextOf(span: Span): Context {
    return this.api.trace.setSpan(this.api.ROOT_CONTEXT, span);
  }
}

function samplerOf({ sampler, ratio }: TracingOptions, sdk: typeof import('@opentelemetry/sdk-trace')): Sampler {
  const plain = sampler.replace('parentbased_', '');
  const root =
    plain === 'always_off'
      ? new sdk.AlwaysOffSampler()
      : plain === 'traceidratio'
        ? new sdk.TraceIdRatioBasedSampler(ratio)
        : new sdk.AlwaysOnSampler();
  return plain === sampler ? root : new sdk.ParentBasedSampler({ root });
}
