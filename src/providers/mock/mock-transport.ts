import { EgressError, type EgressRequest, type EgressSink, type Exchange, type Transport } from '../../platform/egress/index.js';
import { TooMuch } from './effort.js';
import { mockEmbeddings } from './mock-embeddings.js';
import { type MockReply, type MockTraits, mockReply } from './mock-reply.js';

/** What the model's name asks for beside the answer, parts joined by `+`: see docs/providers.md. A name without any of them answers at once. */
interface Script extends MockTraits {
  /** Before the head. */
  latencyMs: number;
  /** Between the head and what follows it. */
  firstByteMs: number;
  /** Between the events of a stream. */
  paceMs: number;
  errorStatus: number | null;
  retryAfterSeconds: number;
  hang: boolean;
  /** How the answer goes wrong. */
  fault: 'drop' | 'malformed' | 'truncated' | null;
  usage: boolean;
}

const MAX_WAIT_MS = 60_000;
const MAX_TOKENS = 1_000_000;

function readScript(model: string): Script {
  const parts = model.split('+');
  const number = (name: string, most: number, otherwise = 0) => {
    const given = parts.find((part) => part.startsWith(`${name}-`))?.slice(name.length + 1);
    return given !== undefined && /^\d+$/.test(given) ? Math.min(Number(given), most) : otherwise;
  };
  const status = number('error', 999);
  return {
    latencyMs: number('latency', MAX_WAIT_MS),
    firstByteMs: number('first-byte', MAX_WAIT_MS),
    paceMs: number('pace', MAX_WAIT_MS),
    errorStatus: status >= 400 && status <= 599 ? status : null,
    retryAfterSeconds: number('retry-after', 3_600, 1),
    hang: parts.includes('hang'),
    fault: (['drop', 'malformed', 'truncated'] as const).find((fault) => parts.includes(fault)) ?? null,
    usage: !parts.includes('no-usage'),
    overLimit: parts.includes('over-limit'),
    cachedTokens: number('cached', MAX_TOKENS),
    reasoningTokens: number('reasoning', MAX_TOKENS),
  };
}

/** A provider inside this process that speaks OpenAI's formats for chat and embeddings: for trying Weir out and for tests of those who use it. */
export class MockTransport implements Transport {
  send(request: EgressRequest, sink: EgressSink): Exchange {
    return new MockExchange(request, sink);
  }
}

class MockExchange implements Exchange {
  private timer: NodeJS.Timeout | NodeJS.Immediate | null = null;
  private cancelled = false;
  private limit: NodeJS.Timeout | null = null;
  private paused: (() => void) | null | 'yes' = null;

  constructor(
    request: EgressRequest,
    private readonly sink: EgressSink,
  ) {
    const body = JSON.parse(request.body);
    const embeds = request.path.endsWith('/embeddings');
    const script = readScript(body.model);
    this.after(0, () => {
      try {
        sink.onSending();
      } catch (error) {
        return sink.onError(new EgressError('unreachable', error));
      }
      if (script.hang) return;
      this.after(script.latencyMs, () => this.answer(body, script, embeds));
    });
  }

  cancel(): void {
    this.cancelled = true;
    if (this.limit) clearTimeout(this.limit);
    if (this.timer) {
      clearTimeout(this.timer as NodeJS.Timeout);
      clearImmediate(this.timer as NodeJS.Immediate);
    }
  }

  pause(): void {
    this.paused ??= 'yes';
  }

  resume(): void {
    const next = this.paused;
    this.paused = null;
    if (typeof next === 'function') next();
  }

  progress(): void {}

  endWithin(ms: number): void {
    this.limit = setTimeout(() => {
      this.cancel();
      this.sink.onError(new EgressError('interrupted', new Error('deadline'), true));
    }, ms).unref();
    this.resume();
  }

  private answer(
    body: { stream?: boolean; stream_options?: { include_usage?: boolean } } & Parameters<typeof mockReply>[0],
    script: Script,
    embeds: boolean,
  ): void {
    if (script.errorStatus !== null) {
      const retryAfter: Record<string, string> = script.errorStatus === 429 ? { 'retry-after': String(script.retryAfterSeconds) } : {};
      return this.refuse(script.errorStatus, `The mock was asked to fail with ${script.errorStatus}.`, retryAfter);
    }
    const streams = body.stream === true && !embeds;
    let chunks: Buffer[];
    try {
      chunks = embeds ? [json(mockEmbeddings(body as never))] : chatChunks(body, script, streams);
    } catch (error) {
      if (!(error instanceof TooMuch)) throw error;
      return this.refuse(400, error.message);
    }
    this.sink.onHead(200, { 'content-type': streams ? 'text/event-stream' : 'application/json' });
    const send = () => this.sendAll(spoilt(chunks, script.fault, streams), streams ? script.paceMs : 0, script.fault === 'drop');
    if (script.firstByteMs > 0) this.after(script.firstByteMs, send);
    else send();
  }

  private refuse(status: number, message: string, headers: Record<string, string> = {}): void {
    this.sink.onHead(status, { 'content-type': 'application/json', ...headers });
    this.sendAll([json({ error: { message, type: 'mock_error', code: null, param: null } })], 0, false);
  }

  /** Sends the chunks one by one, and then the end or, with `drop`, nothing but a broken connection. */
  private sendAll(chunks: Buffer[], paceMs: number, drop: boolean): void {
    const next = (index: number): void => {
      if (this.cancelled) return;
      if (this.paused) {
        this.paused = () => next(index);
        return;
      }
      if (index < chunks.length) {
        this.sink.onData(chunks[index]!);
        return this.after(paceMs, () => next(index + 1));
      }
      if (drop) this.sink.onError(new EgressError('interrupted', new Error('the mock was asked to drop the connection')));
      else this.sink.onEnd();
    };
    next(0);
  }

  private after(ms: number, run: () => void): void {
    const guarded = () => {
      // What has run would keep all of the exchange alive.
      this.timer = null;
      if (this.cancelled) return;
      try {
        run();
      } catch (error) {
        this.cancelled = true;
        this.sink.onError(new EgressError('interrupted', error));
      }
    };
    this.timer = ms > 0 ? setTimeout(guarded, ms) : setImmediate(guarded);
  }
}

const json = (value: object): Buffer => Buffer.from(JSON.stringify(value));

function chatChunks(
  body: { stream_options?: { include_usage?: boolean } } & Parameters<typeof mockReply>[0],
  script: Script,
  streams: boolean,
): Buffer[] {
  const reply = mockReply(body, script);
  if (streams) return encodeStream(reply, script.usage && body.stream_options?.include_usage === true);
  const { usage, ...whole } = encodeReply(reply);
  return [json(script.usage ? { ...whole, usage } : whole)];
}

/** What of an answer is sent when it goes wrong. */
function spoilt(chunks: Buffer[], fault: Script['fault'], streams: boolean): Buffer[] {
  const half = streams ? chunks.slice(0, Math.ceil(chunks.length / 2)) : [chunks[0]!.subarray(0, chunks[0]!.length / 2)];
  switch (fault) {
    case null:
      return chunks;
    case 'drop':
    case 'truncated':
      return half;
    case 'malformed':
      return streams ? [...half, Buffer.from('data: {"choices":[{"delta":\n\n'), ...chunks.slice(half.length)] : half;
  }
}

const CREATED = 1_767_225_600;

function encodeReply({ model, pieces, toolCalls, finishReason, usage }: MockReply) {
  const message = {
    role: 'assistant',
    content: toolCalls.length > 0 ? null : pieces.join(''),
    ...(toolCalls.length > 0 && { tool_calls: toolCalls.map(encodeToolCall) }),
  };
  return {
    id: 'chatcmpl-mock',
    object: 'chat.completion',
    created: CREATED,
    model,
    choices: [{ index: 0, message, logprobs: null, finish_reason: finishReason }],
    usage,
  };
}

const encodeToolCall = (call: MockReply['toolCalls'][number]) => ({
  id: call.id,
  type: 'function',
  function: { name: call.name, arguments: call.arguments },
});

function encodeStream({ model, pieces, toolCalls, finishReason, usage }: MockReply, includeUsage: boolean): Buffer[] {
  const head = { id: 'chatcmpl-mock', object: 'chat.completion.chunk', created: CREATED, model };
  const event = (payload: object) =>
    Buffer.from(`data: ${JSON.stringify({ ...head, ...payload, ...(includeUsage && !('usage' in payload) && { usage: null }) })}\n\n`);
  const delta = (content: object, finish: string | null = null) =>
    event({ choices: [{ index: 0, delta: content, logprobs: null, finish_reason: finish }] });
  return [
    delta({ role: 'assistant', content: toolCalls.length > 0 ? null : '' }),
    ...pieces.map((content) => delta({ content })),
    ...toolCalls.map((call, index) => delta({ tool_calls: [{ index, ...encodeToolCall(call) }] })),
    delta({}, finishReason),
    ...(includeUsage ? [event({ choices: [], usage })] : []),
    Buffer.from('data: [DONE]\n\n'),
  ];
}
