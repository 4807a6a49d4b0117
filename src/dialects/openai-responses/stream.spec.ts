import fc from 'fast-check';
import { ResponseStream } from 'openai/lib/responses/ResponseStream';
import { WeirError } from '../../kernel/errors.js';
import { NO_USAGE } from '../../kernel/usage.js';
import type { FinishReason, ReplyEvent } from '../canonical.js';
import { fold } from '../kit/fold.js';
import { framesOf } from '../kit/frames.js';
import { openaiResponses, responsesSurface } from './index.js';
import { stateIn } from './state.js';

type Wire = Record<string, unknown>;

const IDENTITY = { id: 'abc', createdAt: 1_700_000_000, model: 'm' };
const USAGE = { ...NO_USAGE, input: 1, cacheRead: 2, cacheWrite5m: 3, cacheWrite1h: 0, output: 5, reasoning: 4 };
const CUSTOM = { tools: [{ type: 'custom', name: 'patch' }] };

const prompt = (body: Wire = {}) => responsesSurface.decodeRequest({ model: 'p/m', input: 'x', stream: true, ...body }, 1);

function render(events: ReplyEvent[], reason: FinishReason = 'stop', body: Wire = {}): string {
  const encoder = responsesSurface.streamEncoder(prompt(body), IDENTITY);
  const text = events.map((event) => encoder.push(event)).join('');
  const finish = { type: 'finish', choice: 0, reason, native: null } as const;
  return text + encoder.end({ finishes: [finish], usage: USAGE, usageRaw: null, costUsd: 0.5 });
}

const parse = (sse: string): Wire[] => framesOf('sse', Buffer.from(sse)).map(({ data }) => JSON.parse(data));
const typesOf = (sse: string) => parse(sse).map(({ type }) => String(type).replace('response.', ''));
const finalOf = (sse: string) => parse(sse).at(-1)!['response'] as Wire & { output: Wire[] };
const sdk = (sse: string) =>
  ResponseStream.fromReadableStream(new Blob(parse(sse).map((event) => `${JSON.stringify(event)}\n`)).stream()).finalResponse();

const START: ReplyEvent = { type: 'start', id: 'x', model: 'served' };
const text = (value: string, phase?: string): ReplyEvent => ({ type: 'text', choice: 0, text: value, ...(phase && { phase }) });
const call = (number: number, name = 'f'): ReplyEvent => ({ type: 'tool_call', choice: 0, call: number, id: `c${number}`, name });
const args = (number: number, value: string): ReplyEvent => ({ type: 'arguments', choice: 0, call: number, text: value });
const reasoning = (value: string, block = 0): ReplyEvent => ({ type: 'reasoning', choice: 0, block, text: value });
const state = (signature: string, block = 0): ReplyEvent => ({
  type: 'reasoning_state',
  choice: 0,
  block,
  origin: 'anthropic',
  signature,
  redacted: null,
  id: null,
});

test('a stream tells the whole life of a response', async () => {
  const sse = render(
    [START, reasoning('hm'), state('sig'), text('hel'), text('lo'), call(0), args(0, '{"a":'), args(0, '1}')],
    'tool_calls',
  );
  expect(typesOf(sse)).toEqual([
    'created',
    'in_progress',
    'output_item.added',
    'reasoning_summary_part.added',
    'reasoning_summary_text.delta',
    'reasoning_summary_text.done',
    'reasoning_summary_part.done',
    'output_item.done',
    'output_item.added',
    'content_part.added',
    'output_text.delta',
    'output_text.delta',
    'output_text.done',
    'content_part.done',
    'output_item.done',
    'output_item.added',
    'function_call_arguments.delta',
    'function_call_arguments.delta',
    'function_call_arguments.done',
    'output_item.done',
    'completed',
  ]);
  expect(sse).not.toContain('[DONE]');
  const final = finalOf(sse);
  expect(final).toMatchObject({
    id: 'resp_abc',
    object: 'response',
    status: 'completed',
    model: 'served',
    store: false,
    usage: {
      input_tokens: 6,
      input_tokens_details: { cached_tokens: 2, cache_write_tokens: 3 },
      output_tokens: 5,
      output_tokens_details: { reasoning_tokens: 4 },
      total_tokens: 11,
      cost: 0.5,
    },
  });
  expect(final.output.map(({ type }) => type)).toEqual(['reasoning', 'message', 'function_call']);
  const response = await sdk(sse);
  expect(response.output_text).toBe('hello');
  expect(response.output[2]).toMatchObject({ call_id: 'c0', name: 'f', arguments: '{"a":1}', status: 'completed' });
});

test('event lines are named as their data, numbers have no holes, and an item keeps its id', () => {
  const sse = render([START, text('a', 'commentary'), text('b', 'final_answer'), call(0), args(0, '{}')]);
  for (const frame of framesOf('sse', Buffer.from(sse))) expect(frame.event).toBe(JSON.parse(frame.data).type);
  const events = parse(sse);
  expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index));
  const ids = new Map<unknown, Set<unknown>>();
  for (const { output_index, item_id, item } of events) {
    if (output_index === undefined) continue;
    const seen = ids.get(output_index) ?? new Set();
    ids.set(output_index, seen.add(item_id ?? (item as Wire)['id']));
  }
  expect([...ids.values()].map(({ size }) => size)).toEqual([1, 1, 1]);
});

test('nothing is sent before there is content', () => {
  const encoder = responsesSurface.streamEncoder(prompt(), IDENTITY);
  expect(encoder.push(START)).toBe('');
});

test('an answer of calls alone has no message, and one of nothing has no item', () => {
  expect(finalOf(render([START, call(0), args(0, '{}')])).output.map(({ type }) => type)).toEqual(['function_call']);
  expect(finalOf(render([START])).output).toEqual([]);
});

test('parallel calls may interleave, and items end in their order', async () => {
  const sse = render([call(0), call(1), args(1, '{"b"'), args(0, '{}'), args(1, ':1}'), text('after')]);
  const ended = parse(sse).filter(({ type }) => type === 'response.output_item.done');
  expect(ended.map(({ output_index }) => output_index)).toEqual([0, 1, 2]);
  expect((await sdk(sse)).output).toMatchObject([{ arguments: '{}' }, { arguments: '{"b":1}' }, { type: 'message' }]);
});

test.each([
  ['length', 'max_output_tokens'],
  ['content_filter', 'content_filter'],
] as const)('an answer ended by %s is incomplete by %s, with what there is of it', async (reason, cause) => {
  const sse = render([text('hel')], reason);
  expect(typesOf(sse).at(-1)).toBe('incomplete');
  expect(finalOf(sse)).toMatchObject({
    status: 'incomplete',
    incomplete_details: { reason: cause },
    output: [{ status: 'incomplete', content: [{ text: 'hel' }] }],
    usage: { total_tokens: 11 },
  });
  expect((await sdk(sse)).status).toBe('incomplete');
});

test('a failure is the last event, with what there was so far', () => {
  const encoder = responsesSurface.streamEncoder(prompt(), IDENTITY);
  const sse = encoder.push(text('hel')) + encoder.fail(new WeirError('upstream_interrupted'));
  expect(typesOf(sse).at(-1)).toBe('failed');
  expect(finalOf(sse)).toMatchObject({
    status: 'failed',
    error: { code: 'server_error' },
    output: [{ content: [{ text: 'hel' }] }],
  });
});

test('the free text of a custom tool comes out of its arguments', async () => {
  const sse = render([call(0, 'patch'), args(0, '{"input":"a\\n'), args(0, 'b"}')], 'tool_calls', CUSTOM);
  expect(finalOf(sse).output).toEqual([
    { type: 'custom_tool_call', id: 'ctc_abci0', status: 'completed', call_id: 'c0', name: 'patch', input: 'a\nb' },
  ]);
  expect((await sdk(sse)).output[0]).toMatchObject({ input: 'a\nb' });
});

test("another vendor's state goes to the client with the reasoning or the call it belongs to", () => {
  const sse = render([reasoning('hm'), state('sig'), { ...call(0), signature: 'gsig' } as ReplyEvent, args(0, '{}')]);
  const [thought, callState] = finalOf(sse).output.map(({ encrypted_content }) => stateIn(String(encrypted_content)));
  expect(thought).toEqual({ origin: 'anthropic', signature: 'sig', redacted: null, id: null, call: false });
  expect(callState).toEqual({ origin: 'gemini', signature: 'gsig', redacted: null, id: null, call: true });
});

test('citations, refusals, log probabilities and images are items and parts of the response', async () => {
  const sse = render([
    text('hi'),
    { type: 'annotation', choice: 0, annotation: { url: 'https://x.test', title: null, start: 0, end: 2 } },
    { type: 'logprobs', choice: 0, content: [{ token: 'hi', logprob: -1 }] },
    { type: 'refusal', choice: 0, text: 'No.' },
    { type: 'image', choice: 0, mediaType: 'image/png', data: 'AAAA' },
  ]);
  expect(finalOf(sse).output).toMatchObject([
    {
      content: [
        { type: 'output_text', annotations: [{ type: 'url_citation', url: 'https://x.test' }], logprobs: [{ token: 'hi' }] },
        { type: 'refusal', refusal: 'No.' },
      ],
    },
    { type: 'image_generation_call', result: 'AAAA' },
  ]);
  expect((await sdk(sse)).output).toHaveLength(2);
});

// ---- laws ------------------------------------------------------------------------------------------------------------------------------

const piece = fc.string({ minLength: 1, maxLength: 8 });
const block = fc.oneof(
  piece.map((value) => [text(value)]),
  fc.tuple(piece, fc.constantFrom('commentary', 'final_answer')).map(([value, phase]) => [text(value, phase)]),
  piece.map((value): ReplyEvent[] => [{ type: 'refusal', choice: 0, text: value }]),
  fc.constant('call' as const),
  fc.tuple(piece, piece),
);

/** Events of any answer of this format. */
const answers = fc.array(block, { maxLength: 6 }).map((blocks) => {
  const events: ReplyEvent[] = [START];
  for (const [index, one] of blocks.entries()) {
    if (one === 'call') events.push(call(index), args(index, `{"n":${index}`), args(index, '}'));
    else if (typeof one[0] !== 'string') events.push(...(one as ReplyEvent[]));
    else {
      const state = { origin: 'openai', signature: one[1] as string, redacted: null, id: null } as const;
      events.push(reasoning(one[0], index), { type: 'reasoning_state', choice: 0, block: index, ...state });
    }
  }
  return events;
});

/** Ids of ours are added on the way. */
const partsOf = (events: ReplyEvent[]) =>
  (fold(events).choices[0]?.parts ?? []).map((part) => (part.type === 'reasoning' ? { ...part, id: null } : part));

test('what is written is what is read, streamed or whole, and both are the same', async () => {
  await fc.assert(
    fc.asyncProperty(answers, async (events) => {
      const sse = render(events);
      const decoder = openaiResponses.streamDecoder();
      const streamed = framesOf('sse', Buffer.from(sse)).flatMap((frame) => decoder.push(frame));
      expect(decoder.complete).toBe(true);
      expect(partsOf(streamed)).toEqual(partsOf(events));

      const json = responsesSurface.encodeAnswer(fold(events), USAGE, IDENTITY, null, prompt());
      const whole = openaiResponses.decodeAnswer(Buffer.from(json), {});
      expect(partsOf(whole)).toEqual(partsOf(events));
      expect(JSON.parse(json).output).toEqual(finalOf(sse).output);
      await sdk(sse);
    }),
    { numRuns: 100 },
  );
});
