import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';
import protobuf from 'protobufjs';

/** What a collector takes, of https://github.com/open-telemetry/opentelemetry-proto: the fields that Weir sends. */
const PROTO = `
  syntax = "proto3";
  message ExportTraceServiceRequest { repeated ResourceSpans resource_spans = 1; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  message ScopeSpans { repeated Span spans = 2; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; string name = 5; int32 kind = 6;
    fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9; repeated Event events = 11;
    Status status = 15;
  }
  message Event { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; }
  message Status { string message = 2; int32 code = 3; }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4; ArrayValue array_value = 5; } }
  message ArrayValue { repeated AnyValue values = 1; }`;
const REQUEST = protobuf.parse(PROTO).root.lookupType('ExportTraceServiceRequest');

type Value = string | number | boolean | Value[];
type Attributes = Record<string, Value>;

export interface CollectedSpan {
  traceId: string;
  spanId: string;
  /** Empty: it has none. */
  parentSpanId: string;
  traceState: string;
  name: string;
  kind: 'server' | 'client';
  /** Unix time in ms. */
  startedAt: number;
  endedAt: number;
  attributes: Attributes;
  events: { name: string; attributes: Attributes }[];
  isError: boolean;
  resource: Attributes;
}

/** Takes traces on loopback as any collector does: OTLP over HTTP, in protobuf. */
export class Collector {
  readonly spans: CollectedSpan[] = [];
  /** All that arrived, byte for byte, and its headers. */
  readonly bodies: Buffer[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  /** What it answers. */
  status = 200;
  private silence: Silence | null = null;

  private constructor(private readonly server: Server) {}

  static async start(): Promise<Collector> {
    const server = createServer();
    const collector = new Collector(server);
    server.on('request', async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const sent = Buffer.concat(chunks);
      const body = request.headers['content-encoding'] === 'gzip' ? gunzipSync(sent) : sent;
      collector.bodies.push(body);
      collector.headers.push(request.headers);
      await collector.silence?.over();
      if (collector.status === 200) collector.spans.push(...spansIn(body));
      response.writeHead(request.url === '/v1/traces' ? collector.status : 404, { 'content-type': 'application/x-protobuf' }).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** From now on it takes requests and does not answer them, until the silence ends. */
  silent(): Silence {
    this.silence = new Silence();
    return this.silence;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

class Silence {
  /** Requests that got an answer all the same. */
  answered = 0;
  private hear!: () => void;
  /** Resolves with the first request. */
  readonly received = new Promise<void>((resolve) => (this.hear = resolve));
  end!: () => void;
  private readonly ended = new Promise<void>((resolve) => (this.end = resolve));

  async over(): Promise<void> {
    this.hear();
    await this.ended;
    this.answered++;
  }
}

interface SentAttribute {
  key: string;
  value: SentValue;
}
interface SentValue {
  value: 'stringValue' | 'boolValue' | 'intValue' | 'doubleValue' | 'arrayValue';
  arrayValue: { values: SentValue[] };
  [field: string]: unknown;
}
interface SentSpan {
  traceId: Buffer;
  spanId: Buffer;
  parentSpanId: Buffer;
  traceState: string;
  name: string;
  kind: number;
  startTimeUnixNano: { toString(): string };
  endTimeUnixNano: { toString(): string };
  attributes: SentAttribute[];
  events: { name: string; attributes: SentAttribute[] }[];
  status: { code: number; message: string } | null;
}
interface Sent {
  resourceSpans: { resource: { attributes: SentAttribute[] }; scopeSpans: { spans: SentSpan[] }[] }[];
}

function spansIn(body: Buffer): CollectedSpan[] {
  const { resourceSpans } = REQUEST.decode(body) as unknown as Sent;
  return resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) => spans.map((span) => spanOf(span, attributesOf(resource.attributes)))),
  );
}

const spanOf = (span: SentSpan, resource: Attributes): CollectedSpan => ({
  traceId: span.traceId.toString('hex'),
  spanId: span.spanId.toString('hex'),
  parentSpanId: span.parentSpanId.toString('hex'),
  traceState: span.traceState,
  name: span.name,
  kind: ({ 2: 'server', 3: 'client' } as const)[span.kind]!,
  startedAt: Number(span.startTimeUnixNano) / 1e6,
  endedAt: Number(span.endTimeUnixNano) / 1e6,
  attributes: attributesOf(span.attributes),
  events: span.events.map(({ name, attributes }) => ({ name, attributes: attributesOf(attributes) })),
  isError: span.status?.code === 2,
  resource,
});

const attributesOf = (list: SentAttribute[]): Attributes => Object.fromEntries(list.map(({ key, value }) => [key, plainOf(value)]));

function plainOf(value: SentValue): Value {
  if (value.value === 'arrayValue') return value.arrayValue.values.map(plainOf);
  if (value.value === 'intValue') return Number(value.intValue);
  return value[value.value] as Value;
}
