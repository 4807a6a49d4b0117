import fc from 'fast-check';
import { conversation as conversationOf } from '../../test/support/conversations.js';
import { Random } from '../../test/support/random.js';
import { NO_USAGE, type Usage } from '../kernel/usage.js';
import { anthropicMessages, messagesSurface } from './anthropic-messages/index.js';
import type { Answer, AnswerPart, Conversation, FinishReason, ReasoningOrigin, ReplyEvent, Settings, Tool, Turn } from './canonical.js';
import { NO_SETTINGS } from './canonical.js';
import { chatCompleteSurface } from './chat-complete/index.js';
import type { CallRequest, ReplyIdentity, Surface, Upstream } from './dialect.js';
import { fold } from './kit/fold.js';
import { framesOf } from './kit/frames.js';
import { chatSurface, openaiChat } from './openai-chat/index.js';
import { completionsSurface, openaiCompletions } from './openai-completions/index.js';
import { openaiResponses, responsesSurface } from './openai-responses/index.js';
import type { Quirks } from './quirks.js';

/** What a format can say of an answer, and of a conversation. */
interface Format {
  surface: Surface;
  upstream: Upstream;
  model: string;
  /** Whose state of reasoning it carries as its own; null: it carries no reasoning. */
  state: ReasoningOrigin | null;
  calls: boolean;
  /** Blocks of reasoning that follow each other and are told apart in a stream. */
  blocks: number;
  /** Its own words for the end of an answer, with calls in it or none. */
  finishes: (calls: boolean) => Record<string, FinishReason>;
  /** What it can say of a tool's `strict`. */
  strict: (boolean | null)[];
  settings: (keyof Settings)[];
  quirks: Quirks;
  usage: Usage;
}

const USAGE: Usage = { ...NO_USAGE, input: 10, cacheRead: 20, cacheWrite5m: 0, cacheWrite1h: 0, output: 7, reasoning: null };

const CHAT: Format = {
  surface: chatSurface,
  upstream: openaiChat,
  model: 'anthropic/claude-sonnet-4.5',
  state: 'anthropic',
  calls: true,
  blocks: 1,
  finishes: () => ({ stop: 'stop', length: 'length', tool_calls: 'tool_calls', content_filter: 'content_filter' }),
  strict: [true, false, null],
  settings: ['temperature', 'topP', 'stop', 'seed', 'presencePenalty', 'frequencyPenalty', 'logprobs', 'topLogprobs', 'logitBias'],
  // The one form of the format that carries state.
  quirks: { thinking: 'openrouter' },
  usage: { ...USAGE, reasoning: 2 },
};
const RESPONSES: Format = {
  surface: responsesSurface,
  upstream: openaiResponses,
  model: 'some-model',
  state: 'openai',
  calls: true,
  blocks: 2,
  finishes: (calls) => ({ completed: calls ? 'tool_calls' : 'stop', max_output_tokens: 'length' }),
  strict: [true, false],
  settings: ['temperature', 'topP'],
  quirks: {},
  usage: { ...USAGE, reasoning: 2 },
};
const MESSAGES: Format = {
  surface: messagesSurface,
  upstream: anthropicMessages,
  model: 'claude-sonnet-4-5',
  state: 'anthropic',
  calls: true,
  blocks: 2,
  finishes: () => ({ end_turn: 'stop', max_tokens: 'length', tool_use: 'tool_calls' }),
  strict: [null],
  settings: ['topK', 'stop'],
  quirks: {},
  usage: { ...USAGE, cacheWrite5m: 3, cacheWrite1h: 4 },
};
const COMPLETIONS: Format = { ...CHAT, surface: completionsSurface, upstream: openaiCompletions, state: null, calls: false, usage: USAGE };

const IDENTITY: ReplyIdentity = { id: 'x1', createdAt: 5, model: 'p/m' };
const ASKED = { model: 'p/m', messages: [{ role: 'user', content: 'Hi' }], input: 'Hi', prompt: 'Hi', max_tokens: 9 };
const promptOf = (surface: Surface): CallRequest =>
  surface.decodeRequest({ ...ASKED, stream: true, stream_options: { include_usage: true } }, 64);

const word = fc.string({ minLength: 1, maxLength: 8, unit: 'binary' });
const json = fc.dictionary(fc.string({ maxLength: 4 }), fc.nat(9), { minKeys: 1, maxKeys: 2 }).map((value) => JSON.stringify(value));

const answers = ({ state, calls, blocks, finishes }: Format) =>
  fc
    .record({
      reasoning: fc.array(fc.record({ text: word, signature: word }), { maxLength: state === null ? 0 : blocks }),
      text: fc.option(word, { nil: null }),
      calls: fc.uniqueArray(fc.record({ id: word, name: word, args: json }), { maxLength: calls ? 3 : 0, selector: ({ id }) => id }),
      native: fc.constantFrom(...Object.keys(finishes(false))),
    })
    .map((drawn): Answer => {
      const parts: AnswerPart[] = [
        ...drawn.reasoning.map((fields) => ({ type: 'reasoning' as const, origin: state, redacted: null, id: null, ...fields })),
        ...(drawn.text === null ? [] : [{ type: 'text' as const, text: drawn.text }]),
        ...drawn.calls.map(({ id, name, args }) => ({ type: 'tool_call' as const, id, name, arguments: args })),
      ];
      const finish = finishes(drawn.calls.length > 0)[drawn.native]!;
      const choice = { parts, annotations: [], logprobs: null, finish, native: drawn.native, stopSequence: null };
      return { id: null, model: 'served', choices: [choice] };
    });

/** An answer in pieces, as some stream of it has them: arguments of its calls interleave. */
const eventsOf = ({ model, choices: [choice] }: Answer, seed: number): ReplyEvent[] => {
  const random = new Random(seed);
  const pieces = (text: string): string[] => {
    const at = random.int(0, [...text].length);
    return [[...text].slice(0, at).join(''), [...text].slice(at).join('')];
  };
  const events: ReplyEvent[] = [{ type: 'start', id: null, model }];
  const queues: ReplyEvent[][] = [];
  choice!.parts.forEach((part, block) => {
    if (part.type === 'text') for (const text of pieces(part.text)) events.push({ type: 'text', choice: 0, text });
    if (part.type === 'reasoning') {
      for (const text of pieces(part.text)) events.push({ type: 'reasoning', choice: 0, block, text });
      const { origin, signature, redacted, id } = part;
      if (origin !== null) events.push({ type: 'reasoning_state', choice: 0, block, origin, signature, redacted, id });
    }
    if (part.type === 'tool_call') {
      const call = queues.length;
      events.push({ type: 'tool_call', choice: 0, call, id: part.id, name: part.name });
      queues.push(pieces(part.arguments).map((text) => ({ type: 'arguments', choice: 0, call, text })));
    }
  });
  while (queues.some((queue) => queue.length > 0)) {
    const queue = random.pick(queues);
    if (queue.length > 0) events.push(queue.shift()!);
  }
  return events;
};

function stream({ surface, usage }: Pick<Format, 'surface' | 'usage'>, answer: Answer, seed: number): Buffer {
  const encoder = surface.streamEncoder(promptOf(surface), IDENTITY);
  const { finish, native } = answer.choices[0]!;
  const written = eventsOf(answer, seed).map((event) => encoder.push(event));
  const finishes = [{ type: 'finish' as const, choice: 0, reason: finish, native }];
  return Buffer.from(written.join('') + encoder.end({ finishes, usage, usageRaw: null, costUsd: null }));
}

function readStream(upstream: Upstream, bytes: Buffer): ReplyEvent[] {
  const decoder = upstream.streamDecoder();
  const events = [...framesOf('sse', bytes).flatMap((frame) => decoder.push(frame)), ...decoder.end()];
  expect(decoder.complete).toBe(true);
  return events;
}

/** Without the ids that the surface gives to what it writes. */
const anonymous = ({ model, choices }: Answer): Answer => ({
  id: null,
  model,
  choices: choices.map((choice) => ({
    ...choice,
    parts: choice.parts.map((part) => (part.type === 'reasoning' ? { ...part, id: null } : part)),
  })),
});

const usageIn = (events: ReplyEvent[]) => events.findLast((event) => event.type === 'usage')?.usage;

const name = fc.stringMatching(/^[a-zA-Z][a-zA-Z0-9_-]{0,8}$/);
const schema = fc.constantFrom(
  { type: 'object', properties: {} },
  { type: 'object', properties: { z: { type: 'string' }, a: { type: 'integer' } }, required: ['z'] },
);
/** As every vendor takes it. */
const STRICT = { type: 'object', properties: { z: { type: 'string' } }, required: ['z'], additionalProperties: false };
const parameters: Record<string, fc.Arbitrary<unknown>> = {
  temperature: fc.constantFrom(0, 0.5, 1),
  topP: fc.constantFrom(0.1, 1),
  topK: fc.integer({ min: 1, max: 40 }),
  stop: fc.uniqueArray(name, { minLength: 1, maxLength: 3 }),
  seed: fc.nat(),
  presencePenalty: fc.constantFrom(-1, 0.5),
  frequencyPenalty: fc.constantFrom(-1, 0.5),
  logprobs: fc.constant(true),
  topLogprobs: fc.nat(5),
  logitBias: fc.constant({ 50256: -100 }),
};

/** Turns as every client has them: instructions first, then the user and the model in turn, each call with its result. */
const turns = (state: ReasoningOrigin | null): fc.Arbitrary<Turn[]> => {
  const text = word.filter((value) => value.trim() !== '');
  const image = fc.constant({ type: 'image' as const, source: { kind: 'base64' as const, mediaType: 'image/png', data: 'iVBORw==' } });
  const user = fc
    .record({ text, images: fc.array(image, { maxLength: 2 }) })
    .map((drawn): Turn => ({ role: 'user', parts: [{ type: 'text', text: drawn.text }, ...drawn.images] }));
  const said = fc.record({
    text,
    thought: fc.option(fc.record({ text, signature: name }), { nil: null }),
    calls: fc.array(fc.record({ name, json, text }), { maxLength: 2 }),
  });
  return fc
    .record({ system: fc.option(text, { nil: null }), exchanges: fc.array(fc.tuple(user, said), { maxLength: 3 }), last: user })
    .map(({ system, exchanges, last }) => {
      const all: Turn[] = system === null ? [] : [{ role: 'system', developer: false, parts: [{ type: 'text', text: system }] }];
      exchanges.forEach(([asked, answer], at) => {
        const { thought } = answer;
        const calls = answer.calls.map((call, index) => ({ ...call, id: `call_${at}_${index}` }));
        const reasoning = { type: 'reasoning' as const, origin: state, redacted: null, id: null };
        all.push(asked, {
          role: 'assistant',
          parts: [
            ...(thought && state !== null ? [{ ...reasoning, ...thought }] : []),
            { type: 'text', text: answer.text },
            ...calls.map((call) => ({ type: 'tool_call' as const, id: call.id, name: call.name, arguments: call.json })),
          ],
        });
        for (const call of calls)
          all.push({ role: 'tool', callId: call.id, name: null, parts: [{ type: 'text', text: call.text }], isError: false });
      });
      return [...all, last];
    });
};

const conversations = ({ state, settings, strict }: Format): fc.Arbitrary<Conversation> => {
  const tool: fc.Arbitrary<Tool> = fc
    .record({
      name,
      description: fc.option(word, { nil: null }),
      parameters: schema,
      strict: fc.constantFrom(...strict),
    })
    .map((drawn) => (drawn.strict ? { ...drawn, parameters: STRICT } : drawn));
  return fc
    .record({
      turns: turns(state),
      tools: fc.uniqueArray(tool, { maxLength: 3, selector: (one) => one.name }),
      choice: fc.constantFrom('auto', 'none', 'required', 'tool', null),
      parallel: fc.constantFrom(false, null),
      settings: fc.record(Object.fromEntries(settings.map((one) => [one, parameters[one]!])), { requiredKeys: [] }),
      stream: fc.boolean(),
    })
    .map(({ choice, parallel, ...drawn }) => {
      const [first] = drawn.tools;
      const toolChoice = !first || choice === null ? null : choice === 'tool' ? { type: choice, name: first.name } : { type: choice };
      return conversationOf({
        ...drawn,
        settings: { ...NO_SETTINGS, ...drawn.settings },
        toolChoice: toolChoice as Conversation['toolChoice'],
        parallelToolCalls: toolChoice && choice !== 'none' ? parallel : null,
      });
    });
};

describe.each([
  ['chat', CHAT],
  ['Responses', RESPONSES],
  ['Messages', MESSAGES],
  ['completions', COMPLETIONS],
])('%s', (_name, format) => {
  const { surface, upstream, usage } = format;

  test('an answer that is written is read as it was, whole and streamed, in whatever pieces it came', () =>
    fc.assert(
      fc.property(answers(format), fc.nat(), (answer, seed) => {
        const whole = upstream.decodeAnswer(Buffer.from(surface.encodeAnswer(answer, usage, IDENTITY, null, promptOf(surface))), {});
        const streamed = readStream(upstream, stream(format, answer, seed));
        expect(anonymous(fold(whole))).toEqual(answer);
        expect(anonymous(fold(streamed))).toEqual(answer);
        expect([usageIn(whole), usageIn(streamed)]).toEqual([usage, usage]);
      }),
    ));
});

describe.each([
  ['chat', CHAT],
  ['Responses', RESPONSES],
  ['Messages', MESSAGES],
])('%s', (_name, format) => {
  const { surface, upstream, model, quirks } = format;

  test('a conversation that is written is read as it was', () =>
    fc.assert(
      fc.property(conversations(format), (conversation) => {
        const { body, warnings } = upstream.encodeRequest(conversation, { model, maxOutputTokens: 9_999, thinkingLevel: null, quirks });
        expect(warnings).toEqual([]);
        const prompt = surface.decodeRequest(JSON.parse(body), Buffer.byteLength(body));
        expect([prompt.model, prompt.maxOutputTokens]).toEqual([model, 9_999]);
        expect(surface.decodeConversation(prompt)).toEqual(conversation);
      }),
    ));
});

test('chat/complete says in the events of a stream what it says in a whole answer', () =>
  fc.assert(
    fc.property(answers(CHAT), fc.nat(), (answer, seed) => {
      const whole = JSON.parse(chatCompleteSurface.encodeAnswer(answer, USAGE, IDENTITY, null, promptOf(chatCompleteSurface)));
      const events = framesOf('sse', stream({ surface: chatCompleteSurface, usage: USAGE }, answer, seed)).map(({ data }) =>
        JSON.parse(data),
      );
      const all = (type: string) => events.filter((event) => event.type === type);
      const { id, model, reason, native_reason, message } = all('finish')[0];
      const { type: _, ...usage } = all('usage')[0];
      expect({
        id,
        model,
        text: all('delta')
          .map(({ text }) => text ?? '')
          .join(''),
        reasoning: all('delta')
          .map(({ reasoning }) => reasoning ?? '')
          .join(''),
        tool_calls: all('tool_call').map(({ type, ...call }) => call),
        finish: reason,
        native_finish: native_reason,
        message,
        usage,
      }).toEqual({ ...whole, reasoning: whole.reasoning ?? '', usage: { ...whole.usage, cost_usd: null } });
    }),
  ));
