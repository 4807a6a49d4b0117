import { EgressError, type EgressRequest, type EgressSink, type Exchange, type Transport } from '../../platform/egress/index.js';
import { type MockReply, mockReply } from './mock-reply.js';

/**
 * What the model's name asks for beside the answer, parts joined by `+`, e.g. `mock/latency-300+pace-20`:
 * `latency-MS` waits before the head · `pace-MS` waits between the events of a stream · `error-STATUS` fails · `hang` never answers ·
 * `drop` breaks off in the middle. Any other name answers at once.
 */
interface Script {
  latencyMs: number;
  paceMs: number;
  errorStatus: number | null;
  hang: boolean;
  drop: boolean;
}

const MAX_WAIT_MS = 60_000;

function readScript(model: string): Script {
  const parts = model.split('+');
  const number = (name: string) => Number(parts.find((part) => part.startsWith(`${name}-`))?.slice(name.length + 1));
  const status = number('error');
  return {
    latencyMs: Math.min(number('latency') || 0, MAX_WAIT_MS),
    paceMs: Math.min(number('pace') || 0, MAX_WAIT_MS),
    errorStatus: status >= 400 && status <= 599 ? status : null,
    hang: parts.includes('hang'),
    drop: parts.includes('drop'),
  };
}

/** A provider inside this process that speaks OpenAI's chat format: for trying Weir out and for tests of those who use it. */
export class MockTransport implements Transport {
  send(request: EgressRequest, sink: EgressSink): Exchange {
    return new MockExchange(request, sink);
  }
}

class MockExchange implements Exchange {
  private timer: NodeJS.Timeout | NodeJS.Immediate | null = null;
  private cancelled = false;
  private paused: (() => void) | null | 'yes' = null;

  constructor(
    request: EgressRequest,
    private readonly sink: EgressSink,
  ) {
    const body = JSON.parse(request.body);
    const script = readScript(body.model);
    this.after(0, () => {
      try {
        sink.onSending();
      } catch (error) {
        return sink.onError(new EgressError('unreachable', error));
      }
      if (script.hang) return;
      this.after(script.latencyMs, () => this.answer(body, script));
    });
  }

  cancel(): void {
    this.cancelled = true;
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

  private answer(
    body: { stream?: boolean; stream_options?: { include_usage?: boolean } } & Parameters<typeof mockReply>[0],
    script: Script,
  ): void {
    if (script.errorStatus !== null) {
      const error = {
        error: { message: `The mock was asked to fail with ${script.errorStatus}.`, type: 'mock_error', code: null, param: null },
      };
      this.sink.onHead(script.errorStatus, { 'content-type': 'application/json' });
      return this.sendAll([Buffer.from(JSON.stringify(error))], 0, false);
    }
    const reply = mockReply(body);
    this.sink.onHead(200, { 'content-type': body.stream ? 'text/event-stream' : 'application/json' });
    if (!body.stream) return this.sendAll([Buffer.from(JSON.stringify(encodeReply(reply)))], 0, script.drop);
    this.sendAll(encodeStream(reply, body.stream_options?.include_usage === true), script.paceMs, script.drop);
  }

  /** Sends the chunks one by one; with `drop`, half of them and then nothing but a broken connection. */
  private sendAll(chunks: Buffer[], paceMs: number, drop: boolean): void {
    const count = drop ? Math.floor(chunks.length / 2) : chunks.length;
    const next = (index: number): void => {
      if (this.cancelled) return;
      if (this.paused) {
        this.paused = () => next(index);
        return;
      }
      if (index < count) {
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
      if (!this.cancelled) run();
    };
    this.timer = ms > 0 ? setTimeout(guarded, ms) : setImmediate(guarded);
  }
}

const CREATED = 1_767_225_600;

function encodeReply({ model, pieces, toolCalls, finishReason, usage }: MockReply): object {
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
