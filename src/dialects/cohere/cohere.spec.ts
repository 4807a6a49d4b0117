import fc from 'fast-check';
import { conversation as conversationOf } from '../../../test/support/conversations.js';
import { NO_USAGE } from '../../kernel/usage.js';
import { type Conversation, NO_SETTINGS, type ReplyEvent, type ToolTurn, type Turn } from '../canonical.js';
import { ProviderRefusal, type UpstreamParams } from '../dialect.js';
import { fold } from '../kit/fold.js';
import { cohere } from './index.js';

const conversation = (turns: Turn[], more: Partial<Conversation> = {}): Conversation => conversationOf({ turns, ...more });

const encoded = (one: Conversation, more: Partial<UpstreamParams> = {}) => {
  const request = cohere.encodeRequest(one, { model: 'command-a-03-2025', maxOutputTokens: 100, thinkingLevel: null, quirks: {}, ...more });
  return { ...request, body: JSON.parse(request.body) };
};

const user = (text: string): Turn => ({ role: 'user', parts: [{ type: 'text', text }] });
const system = (text: string): Turn => ({ role: 'system', developer: true, parts: [{ type: 'text', text }] });
const thought = (text: string, origin: 'anthropic' | null = null) =>
  ({ type: 'reasoning', text, origin, signature: null, redacted: null, id: null }) as const;
const planned = (plan: string) => ({ ...thought(''), origin: 'cohere', signature: plan }) as const;
const call = (id: string, json = '{}') => ({ type: 'tool_call', id, name: 'f', arguments: json }) as const;
const result = (callId: string, parts: ToolTurn['parts']): Turn => ({ role: 'tool', callId, name: null, parts, isError: false });
const messagesOf = (turns: Turn[], model = 'command-a-03-2025') => encoded(conversation(turns), { model }).body.messages;

const THINKER = 'command-a-reasoning-08-2025';

describe('a request to Cohere', () => {
  test('has no more than was asked for, and its limit', () => {
    const { path, body } = encoded(conversation([user('hello')]));
    expect(path).toBe('/chat');
    expect(body).toEqual({
      model: 'command-a-03-2025',
      messages: [{ role: 'user', content: 'hello' }],
      max_tokens: 100,
      stream: false,
    });
  });

  test('joins the first system turns, leaves later ones in their place, and says one alone as the user', () => {
    expect(messagesOf([system('a'), system('b'), user('hello'), system('c')])).toEqual([
      { role: 'system', content: 'a\n\nb' },
      { role: 'user', content: 'hello' },
      { role: 'user', content: '<system>\nc\n</system>' },
    ]);
    expect(messagesOf([system('a')])).toEqual([{ role: 'user', content: 'a' }]);
  });

  test('hands a plan for tools back as the plan', () => {
    const turns: Turn[] = [
      user('hello'),
      { role: 'assistant', parts: [planned('I will look.'), call('1', '')] },
      result('1', [{ type: 'text', text: 'x' }]),
    ];
    expect(messagesOf(turns).slice(1)).toEqual([
      {
        role: 'assistant',
        tool_plan: 'I will look.',
        tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{}' } }],
      },
      { role: 'tool', tool_call_id: '1', content: 'x' },
    ]);
  });

  test('hands thoughts back to models that think, and those of other families to none', () => {
    const turns: Turn[] = [
      user('hello'),
      { role: 'assistant', parts: [thought('hm'), thought('no', 'anthropic'), { type: 'text', text: 'yes' }] },
    ];
    expect(messagesOf(turns, THINKER)[1]).toEqual({
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'hm' },
        { type: 'text', text: 'yes' },
      ],
    });
    expect(messagesOf(turns)[1]).toEqual({ role: 'assistant', content: 'yes' });
  });

  test('has images of results after all results', () => {
    const image = { type: 'image', source: { kind: 'url', url: 'https://x.test/a.png', mediaType: null } } as const;
    const turns: Turn[] = [
      user('hello'),
      { role: 'assistant', parts: [call('1'), call('2')] },
      result('1', [image]),
      result('2', [{ type: 'text', text: 'b' }]),
    ];
    expect(messagesOf(turns).slice(2)).toEqual([
      { role: 'tool', tool_call_id: '1', content: '' },
      { role: 'tool', tool_call_id: '2', content: 'b' },
      { role: 'user', content: [{ type: 'image_url', image_url: { url: 'https://x.test/a.png' } }] },
    ]);
  });

  test('refuses a result without its call, and what Cohere cannot read', () => {
    expect(() => messagesOf([user('hello'), result('lost', [])])).toThrow('"lost"');
    expect(() => messagesOf([{ role: 'user', parts: [{ type: 'audio', data: '', format: 'wav' }] }])).toThrow('no audio');
    expect(() => encoded(conversation([user('hello')], { choices: 2 }))).toThrow('one answer at a time');
  });

  test.each<[Conversation['toolChoice'], string | undefined, string[]]>([
    [null, undefined, ['f', 'g']],
    [{ type: 'auto' }, undefined, ['f', 'g']],
    [{ type: 'none' }, 'NONE', ['f', 'g']],
    [{ type: 'required' }, 'REQUIRED', ['f', 'g']],
    [{ type: 'tool', name: 'g' }, 'REQUIRED', ['g']],
    [{ type: 'allowed', names: ['f'], required: false }, undefined, ['f']],
  ])('tells the choice %j by a word and by what it shows', (toolChoice, word, shown) => {
    const tools = ['f', 'g'].map((name) => ({ name, description: null, parameters: null, strict: null }));
    const { body } = encoded(conversation([user('hello')], { tools, toolChoice }));
    expect(body.tool_choice).toBe(word);
    expect(body.tools.map((tool: { function: { name: string } }) => tool.function.name)).toEqual(shown);
  });

  test('brings numbers that Cohere does not take to the nearest it does, and says so', () => {
    const { body, warnings } = encoded(
      conversation([user('hello')], { settings: { ...NO_SETTINGS, temperature: 1.5, topP: 0.5, topK: 3 } }),
    );
    expect(body).toMatchObject({ temperature: 1, p: 0.5, k: 3 });
    expect(warnings).toEqual(['"temperature" was changed to 1: this provider takes 0 to 1.']);
  });

  test('asks for JSON by its schema', () => {
    const schema = { type: 'object' };
    const format = { type: 'json_schema', name: 'x', description: null, schema, strict: null } as const;
    expect(encoded(conversation([user('hello')], { format })).body.response_format).toEqual({ type: 'json_object', schema });
  });

  test('asks models that think for as much as is wanted, and the others for nothing', () => {
    const turns = [user('hello')];
    const thinkingOf = (more: Partial<UpstreamParams>) => {
      const { body, thinkingLevel } = encoded(conversation(turns), more);
      return [body.thinking, thinkingLevel];
    };
    expect(thinkingOf({ model: THINKER })).toEqual([undefined, null]);
    expect(thinkingOf({ model: THINKER, thinkingLevel: 'off' })).toEqual([{ type: 'disabled' }, 'off']);
    expect(thinkingOf({ model: THINKER, thinkingLevel: 'low' })).toEqual([{ type: 'enabled', token_budget: 2048 }, 'low']);
    expect(thinkingOf({ thinkingLevel: 'low' })).toEqual([undefined, null]);
  });
});

describe('a reply of Cohere', () => {
  const whole = (reply: unknown): ReplyEvent[] => cohere.decodeAnswer(Buffer.from(JSON.stringify(reply)), {});
  const stream = (...frames: object[]) => {
    const decoder = cohere.streamDecoder();
    const events = frames.flatMap((frame) => decoder.push({ event: null, data: JSON.stringify(frame) }));
    return { events: [...events, ...decoder.end()], complete: decoder.complete };
  };
  const end = (delta: object) => ({ type: 'message-end', delta });

  test.each([
    ['COMPLETE', 'stop'],
    ['STOP_SEQUENCE', 'stop'],
    ['MAX_TOKENS', 'length'],
    ['TOOL_CALL', 'tool_calls'],
    ['ERROR', 'error'],
    ['TIMEOUT', 'error'],
    ['NEW', 'stop'],
  ])('that ends with %s ends with %s', (native, reason) => {
    expect(stream(end({ finish_reason: native })).events).toEqual([{ type: 'finish', choice: 0, reason, native }]);
  });

  test('that failed at its end says why, with its usage', () => {
    const tokens = { input_tokens: 3, output_tokens: 1 };
    const { events } = stream(end({ finish_reason: 'ERROR', error: 'it broke', usage: { tokens } }));
    expect(events).toMatchObject([
      { type: 'usage', usage: { input: 3, output: 1 } },
      { type: 'finish', reason: 'error', message: 'it broke' },
    ]);
  });

  test('cut before its end is not complete', () => {
    const { events, complete } = stream(
      { type: 'message-start', id: 'x' },
      { type: 'content-delta', index: 0, delta: { message: { content: { text: 'a' } } } },
    );
    expect(complete).toBe(false);
    expect(events.map(({ type }) => type)).toEqual(['start', 'text']);
  });

  test('passes over what is not known, and what follows the end', () => {
    const decoder = cohere.streamDecoder();
    expect(decoder.push({ event: null, data: '{"type":"citation-start","delta":{}}' })).toEqual([]);
    expect(decoder.push({ event: null, data: '[DONE]' })).toEqual([]);
  });

  test('that is an error instead is a refusal', () => {
    expect(() => whole({ id: 'x', message: 'no' })).toThrow(ProviderRefusal);
    expect(() => stream({ id: 'x', message: 'no' })).toThrow(ProviderRefusal);
    expect(() => whole({ id: 'x' })).toThrow('no message');
  });

  test.each([
    [
      { tokens: { input_tokens: 10, output_tokens: 2 }, cached_tokens: 4, billed_units: { input_tokens: 1 } },
      { input: 6, cacheRead: 4, output: 2 },
    ],
    [{ billed_units: { input_tokens: 10, output_tokens: 2 } }, { input: 10, cacheRead: 0, output: 2 }],
    [
      { tokens: { input_tokens: 2 }, cached_tokens: 4 },
      { input: 0, cacheRead: 4, output: 0 },
    ],
    [{ tokens: { input_tokens: -1 } }, null],
    [{ tokens: {} }, null],
  ])('counts %j', (usage, counted) => {
    const [event] = stream(end({ usage })).events;
    const expected = counted && { ...NO_USAGE, ...counted };
    expect(event).toEqual({ type: 'usage', usage: expected, raw: usage, final: true });
  });

  test('folds to the same from a stream as from the whole', () => {
    const pieces = fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(pieces, pieces, fc.array(pieces, { maxLength: 3 }), (plan, text, calls) => {
        const said = (message: object, index?: number) => ({ index, delta: { message } });
        const streamed = stream(
          { type: 'message-start', id: 'i' },
          ...plan.map((tool_plan) => ({ type: 'tool-plan-delta', ...said({ tool_plan }) })),
          { type: 'content-start', ...said({ content: { type: 'text', text: '' } }, 0) },
          ...text.map((piece) => ({ type: 'content-delta', ...said({ content: { text: piece } }, 0) })),
          ...calls.flatMap((json, at) => [
            { type: 'tool-call-start', ...said({ tool_calls: { id: `${at}`, function: { name: 'f', arguments: '' } } }, at) },
            ...json.map((piece) => ({ type: 'tool-call-delta', ...said({ tool_calls: { function: { arguments: piece } } }, at) })),
          ]),
          end({ finish_reason: 'COMPLETE' }),
        );
        const reply = {
          id: 'i',
          message: {
            tool_plan: plan.join(''),
            content: [{ type: 'text', text: text.join('') }],
            tool_calls: calls.map((json, at) => ({ id: `${at}`, function: { name: 'f', arguments: json.join('') } })),
          },
          finish_reason: 'COMPLETE',
        };
        expect(fold(streamed.events)).toEqual(fold(whole(reply)));
      }),
    );
  });

  test.each([
    [401, 'invalid api token', 'auth'],
    [404, "model 'x' not found", 'model_not_found'],
    [429, 'You are past the limit of 100 calls / minute', 'rate_limit'],
    [429, 'Trial keys are limited to 1000 API calls / month', 'billing'],
    [400, 'too many tokens: the prompt is longer than the model takes', 'context_length'],
    [422, 'no', 'unprocessable'],
    [503, 'busy', 'server'],
  ])('refused with %d and "%s" is of its class', (status, message, kind) => {
    const body = Buffer.from(JSON.stringify({ id: 'x', message }));
    expect(cohere.decodeRefusal(status, body, {})).toEqual({ class: kind, message });
  });

  test('refused in no form at all is still classified', () => {
    expect(cohere.decodeRefusal(502, Buffer.from('<html>'), {})).toEqual({ class: 'server', message: null });
  });
});
