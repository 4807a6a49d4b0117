import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatUsd } from '../../../src/kernel/money.js';
import { findSecrets } from '../../support/canary.js';
import { type CollectedSpan, Collector } from '../../support/collector.js';
import { createDatabase } from '../../support/database.js';
import { WeirProcess } from '../../support/process.js';
import { answer, json, type Script, ScriptedUpstream } from '../../support/upstream.js';
import {
  addUpstream,
  type BookedCall,
  booked,
  createTenant,
  eventually,
  startTestWeir,
  type TestTenant,
  type TestWeir,
} from '../../support/weir.js';

const canary = (prefix: string): string => `${prefix}${randomBytes(24).toString('base64url')}`;
const HEADER = canary('otlp-');
const USAGE = { prompt_tokens: 9, completion_tokens: 12, total_tokens: 21, prompt_tokens_details: { cached_tokens: 4 } };

let collector: Collector;
let upstream: ScriptedUpstream;
/** The operator lets it have the traces of calls. */
let traced: ScriptedUpstream;
let weir: TestWeir;
let tenant: TestTenant;

beforeAll(async () => {
  [collector, upstream, traced] = await Promise.all([Collector.start(), ScriptedUpstream.start(), ScriptedUpstream.start()]);
  weir = await startTestWeir({
    WEIR_EGRESS_ALLOW: `${upstream.hostPort},${traced.hostPort}`,
    WEIR_RETRIES: '2',
    WEIR_TRACE_PROVIDERS: traced.hostPort,
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${HEADER}`,
    OTEL_SERVICE_NAME: 'gateway of the test',
    OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
  });
});

beforeEach(async () => {
  tenant = await createTenant(weir);
  await addUpstream(tenant, upstream.baseUrl);
  upstream.calls.length = 0;
  upstream.script = answer('Hello from upstream', USAGE);
});

afterAll(async () => {
  await weir?.stop();
  await Promise.all([collector, upstream, traced].map((server) => server?.stop()));
});

/** Resolves with the spans of a call: the one of its request, then those of its attempts in order. */
async function trace(
  body: object = {},
  headers: Record<string, string> = {},
): Promise<{ status: number; id: string; spans: CollectedSpan[] }> {
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }], max_tokens: 100, ...body }),
  });
  await response.text();
  const id = response.headers.get('x-request-id')!;
  const root = () => collector.spans.find(({ kind, attributes }) => kind === 'server' && attributes['weir.call.id'] === id);
  await eventually(async () => root() !== undefined);
  const attempts = collector.spans
    .filter(({ parentSpanId }) => parentSpanId === root()!.spanId)
    .sort((a, b) => Number(a.attributes['weir.attempt.number']) - Number(b.attributes['weir.attempt.number']));
  return { status: response.status, id, spans: [root()!, ...attempts] };
}

const onlyBooked = async (): Promise<BookedCall> => {
  const all = await booked(weir, tenant);
  expect(all).toHaveLength(1);
  return all[0]!;
};

describe.each([false, true])('stream: %s', (stream) => {
  it('a call is one span, its request to the provider one below it, with the tokens and the cost that are booked', async () => {
    const { id, spans } = await trace({ stream }, { 'x-weir-session': 'session 1' });
    const [root, attempt] = spans;
    expect(spans).toHaveLength(2);
    expect(root).toMatchObject({
      name: 'POST /v1/chat/completions',
      parentSpanId: '',
      isError: false,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/v1/chat/completions',
        'http.response.status_code': 200,
        'weir.call.id': id,
        'weir.tenant.id': tenant.id,
        'weir.project.id': tenant.projectId,
        'weir.key.id': tenant.keyId,
        'weir.model': 'up/test-model',
        'weir.stream': stream,
        'weir.estimated': false,
      },
      resource: { 'service.name': 'gateway of the test', 'deployment.environment.name': 'test' },
    });
    expect(attempt).toMatchObject({
      kind: 'client',
      name: 'chat test-model',
      traceId: root!.traceId,
      isError: false,
      attributes: {
        'gen_ai.operation.name': 'chat',
        'gen_ai.provider.name': 'openai',
        'gen_ai.request.model': 'test-model',
        'gen_ai.request.max_tokens': 100,
        'gen_ai.request.stream': stream,
        'gen_ai.response.model': 'test-model-2026',
        'gen_ai.response.finish_reasons': ['stop'],
        'gen_ai.conversation.id': 'session 1',
        'server.address': '127.0.0.1',
        'server.port': Number(upstream.hostPort.split(':')[1]),
        'http.response.status_code': 200,
        'weir.attempt.number': 1,
        'weir.estimated': false,
      },
    });
    expect(root!.startedAt).toBeLessThanOrEqual(attempt!.startedAt);
    expect(attempt!.endedAt).toBeLessThanOrEqual(root!.endedAt);

    const entry = await onlyBooked();
    expect(attempt!.attributes).toMatchObject({
      'gen_ai.usage.input_tokens': entry.input + entry.cache_read,
      'gen_ai.usage.cache_read.input_tokens': 4,
      'gen_ai.usage.output_tokens': entry.output,
      'gen_ai.usage.cost_usd': Number(formatUsd(entry.amount!)),
      'weir.cost.usd': formatUsd(entry.amount!),
    });
    expect(entry).toMatchObject({ input: 5, cache_read: 4, output: 12 });
    // Whoever adds up spans counts it once.
    expect(Object.keys(root!.attributes).filter((name) => name.startsWith('gen_ai.'))).toEqual([]);
    expect(root!.attributes['weir.cost.usd']).toBe(formatUsd(entry.amount!));
    expect(root!.events.map(({ name }) => name)).toEqual(['weir.hold', 'weir.settle']);
  });

  it('each attempt is a span of its own, and the cost is on the one that is booked', async () => {
    const scripts: Script[] = [json(503, { error: { message: 'down', type: 'server_error' } }), answer()];
    upstream.script = (call, response) => scripts.shift()!(call, response);
    const { spans } = await trace({ stream });
    const entry = await onlyBooked();
    expect(spans.map(({ isError, attributes }) => [isError, attributes['error.type'], attributes['http.response.status_code']])).toEqual([
      [false, undefined, 200],
      [true, 'upstream_error', 503],
      [false, undefined, 200],
    ]);
    const [, failed, second] = spans;
    expect(failed!.endedAt).toBeLessThanOrEqual(second!.startedAt);
    expect(failed!.attributes).toMatchObject({ 'weir.attempt.number': 1, 'weir.attempt.reason': 'upstream_error' });
    expect(failed!.attributes['gen_ai.usage.cost_usd']).toBeUndefined();
    expect(second!.attributes).toMatchObject({ 'weir.attempt.number': 2, 'gen_ai.usage.cost_usd': Number(formatUsd(entry.amount!)) });
  });
});

it('the hold and the booking are events with their amounts, and what the budget has left', async () => {
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '1.00', period: 'month' });
  const { spans } = await trace();
  const { amount } = await onlyBooked();
  const [hold, settle] = spans[0]!.events;
  const held = Number(hold!.attributes['weir.hold.usd']);
  expect(held).toBeGreaterThan(Number(formatUsd(amount!)));
  expect(Number(hold!.attributes['weir.budget.remaining_usd'])).toBeCloseTo(1 - held, 9);
  expect(settle!.attributes).toMatchObject({
    'weir.settle.state': 'settled',
    'weir.settle.booked': true,
    'weir.cost.usd': formatUsd(amount!),
    'weir.budget.remaining_usd': formatUsd(1_000_000_000n - amount!),
  });
});

it('a call that is refused has no attempt, and its error', async () => {
  await tenant.admin('POST', '/v1/organization/budgets', { scope: { kind: 'tenant' }, limit: '0.00001', period: 'month' });
  const { status, spans } = await trace();
  expect(status).toBe(402);
  expect(spans).toHaveLength(1);
  expect(spans[0]).toMatchObject({
    isError: false,
    events: [],
    attributes: { 'error.type': 'request_exceeds_budget', 'http.response.status_code': 402 },
  });
});

describe('the trace of a client', () => {
  const PARENT = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7' };
  const headers = (flags: string) => ({
    traceparent: `00-${PARENT.traceId}-${PARENT.spanId}-${flags}`,
    tracestate: 'vendor=opaque',
    baggage: 'user=alice',
  });

  it('goes on, and no provider is told of it', async () => {
    const { spans } = await trace({}, headers('01'));
    expect(spans[0]).toMatchObject({ traceId: PARENT.traceId, parentSpanId: PARENT.spanId, traceState: 'vendor=opaque' });
    expect(spans[1]!.traceId).toBe(PARENT.traceId);
    const { headers: sent } = upstream.calls[0]!;
    expect(Object.keys(sent)).not.toEqual(expect.arrayContaining([expect.stringMatching(/trace|baggage/)]));
    expect(JSON.stringify(sent)).not.toContain(PARENT.traceId);
  });

  it('is passed on to a provider that the operator has named, never with baggage', async () => {
    await addUpstream(tenant, traced.baseUrl, 'traced');
    const { spans } = await trace({ model: 'traced/test-model' }, headers('01'));
    const { headers: sent } = traced.calls.at(-1)!;
    expect(sent['traceparent']).toBe(`00-${PARENT.traceId}-${spans[1]!.spanId}-01`);
    expect(sent['tracestate']).toBe('vendor=opaque');
    expect(sent['baggage']).toBeUndefined();
  });

  it('is not recorded where the client does not record it', async () => {
    const before = collector.spans.length;
    await fetch(`${weir.publicUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json', ...headers('00') },
      body: JSON.stringify({ model: 'up/test-model', messages: [{ role: 'user', content: 'Hello' }] }),
    });
    await trace();
    expect(collector.spans.slice(before).filter(({ traceId }) => traceId === PARENT.traceId)).toEqual([]);
  });
});

it('nothing of what was said, and no key, is in what the collector gets', async () => {
  const secrets = {
    'the prompt': canary('prompt '),
    'a system prompt': canary('system '),
    'a tool': canary('tool_'),
    'the answer': canary('answer '),
    'the words of an error': canary('refused '),
    'the key of the tenant': tenant.apiKey,
    'the key of the provider': 'sk-up-secret-of-the-provider',
    'the key of the collector': HEADER,
  };
  const body = {
    messages: [
      { role: 'system', content: secrets['a system prompt'] },
      { role: 'user', content: secrets['the prompt'] },
    ],
    tools: [{ type: 'function', function: { name: secrets['a tool'], parameters: { type: 'object', properties: {} } } }],
  };
  for (const stream of [false, true]) {
    upstream.script = answer(secrets['the answer']);
    expect((await trace({ ...body, stream })).status).toBe(200);
    upstream.script = json(400, {
      error: { message: `${secrets['the words of an error']} ${secrets['the prompt']}`, type: 'invalid_request_error' },
    });
    expect((await trace({ ...body, stream })).status).toBe(400);
  }
  const emitted = collector.bodies.map((bytes, at) => ({ where: `export ${at}`, text: bytes.toString('latin1') }));
  expect(findSecrets(secrets, emitted)).toEqual([]);
  // The receiver is shown its own key, in a header.
  expect(collector.headers.every((sent) => sent['x-collector-key'] === HEADER)).toBe(true);
});

describe('a collector that does not take them', () => {
  /** Its own, as spans that wait would go on waiting. */
  let away: Collector;
  let other: TestWeir;
  let isOver = false;

  beforeAll(async () => {
    away = await Collector.start();
    other = await startTestWeir({
      WEIR_EGRESS_ALLOW: upstream.hostPort,
      OTEL_EXPORTER_OTLP_ENDPOINT: away.url,
      OTEL_EXPORTER_OTLP_TIMEOUT: '500',
    });
    tenant = await createTenant(other);
    await addUpstream(tenant, upstream.baseUrl);
  });

  afterAll(async () => {
    if (!isOver) await other?.stop();
    await away?.stop();
  });

  const figure = async (name: string): Promise<number> => {
    const text = await (await fetch(`${other.adminUrl}/metrics`)).text();
    return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1]);
  };
  const calls = async (count: number) => {
    const own = await createTenant(other);
    await addUpstream(own, upstream.baseUrl);
    const body = { model: 'up/test-model', messages: [{ role: 'user' as const, content: 'Hello' }], max_tokens: 100 };
    await Promise.all(Array.from({ length: count }, () => own.openai.chat.completions.create(body)));
    return booked(other, own);
  };

  it('holds no call up: they end and are booked while it says nothing', async () => {
    const silence = away.silent();
    const entries = await calls(20);
    await silence.received;
    entries.push(...(await calls(20)));
    expect(silence.answered).toBe(0);
    expect(entries.filter(({ status, http_status }) => status === 'completed' && http_status === 200)).toHaveLength(40);
    silence.end();
  });

  it('is a figure, and what comes once it works again arrives', async () => {
    away.status = 400;
    const dropped = await figure('weir_trace_spans_dropped_total');
    await calls(1);
    await eventually(async () => (await figure('weir_trace_spans_dropped_total')) >= dropped + 2);
    away.status = 200;
    const [entry] = await calls(1);
    await eventually(async () => away.spans.some(({ attributes }) => attributes['weir.call.id'] === entry!.id));
    expect(await figure('weir_trace_spans_exported_total')).toBeGreaterThanOrEqual(2);
  });

  it('gets what is left at the end', async () => {
    const [entry] = await calls(1);
    isOver = true;
    await other.stop();
    expect(away.spans.some(({ attributes }) => attributes['weir.call.id'] === entry!.id)).toBe(true);
  });
});

it('the line of a call in the log has the id of its trace', async () => {
  const home = mkdtempSync(join(tmpdir(), 'weir-trace-'));
  const database = await createDatabase();
  const started = WeirProcess.spawn({
    DATABASE_URL: database.url,
    WEIR_HOME: home,
    WEIR_DEMO: '1',
    WEIR_LOG_LEVEL: 'info',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
  });
  const ready = await started.ready();
  const response = await fetch(`${ready.public}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ready.api_key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'mock/echo', messages: [{ role: 'user', content: 'Hello' }] }),
  });
  const id = response.headers.get('x-request-id');
  await response.text();
  await started.kill('SIGINT');
  const lines = started.stderr.split('\n').filter((line) => line.includes('"msg":"call"'));
  const line = lines.map((text) => JSON.parse(text) as { call: string; trace?: string }).find(({ call }) => call === id);
  const span = collector.spans.find(({ attributes }) => attributes['weir.call.id'] === id);
  expect(span).toBeDefined();
  expect(line!.trace).toBe(span!.traceId);
  await database.drop();
  rmSync(home, { recursive: true, force: true });
});
