import { REPLY_FORMATS } from '../support/tool-replies.js';
import { caseRig, type Outcome, readCase } from './support/case-rig.js';

const rig = caseRig();

const LONG = '12345678901234567890';

describe('numbers that JavaScript cannot hold, as they were reported', () => {
  test.each(['bigint-anthropic-whole-to-chat', 'bigint-bedrock-whole-to-chat', 'bigint-ollama-whole-to-chat'])('%s', async (id) => {
    const { body } = await rig.run(readCase(id));
    expect(body.choices[0].message.tool_calls[0].function.arguments).toContain(LONG);
  });

  test('bigint-anthropic-whole-to-responses', async () => {
    const { body } = await rig.run(readCase('bigint-anthropic-whole-to-responses'));
    expect(body.output[0].arguments).toBe(`{"id":${LONG},"f":1.0}`);
  });

  test('bigint-gemini-stream-to-chat', async () => {
    const { events } = await rig.run(readCase('bigint-gemini-stream-to-chat'));
    const pieces = events.flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? []);
    expect(pieces.map((call: { function: { arguments: string } }) => call.function.arguments).join('')).toBe(`{"id":${LONG},"f":1.0}`);
  });

  test.each([
    ['bigint-history-chat-to-anthropic', `"input":{"id":${LONG}}`],
    ['bigint-history-chat-to-bedrock', `"input":{"id":${LONG}}`],
    ['bigint-history-chat-to-ollama', `"arguments":{"id":${LONG}}`],
    ['bigint-history-messages-to-chat', `"arguments":${JSON.stringify(`{"id":${LONG},"f":1.0}`)}`],
  ])('%s', async (id, sent) => {
    expect((await rig.run(readCase(id))).sent?.text).toContain(sent);
  });
});

/** A number that is written as it stands here. */
const raw = (number: string): unknown => (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(number);

const ARGUMENTS = { id: raw(LONG), f: raw('1.0'), e: raw('1e2'), z: raw('-0'), in: [raw('-9007199254740993')] };
const TEXT = JSON.stringify(ARGUMENTS);
const SAID = { calls: [{ id: 'c1', name: 'w', arguments: ARGUMENTS }], usage: { input: 9, cacheRead: 0, output: 1 } };
const SCHEMA = `{"type":"object","properties":{"2":{"type":"integer","maximum":${LONG}},"1":{"type":"number","minimum":1.0}},"required":["2"]}`;

interface Surface {
  path: string;
  asks(args: string): string;
  /** What the reply says of the call's arguments. */
  hears(seen: Outcome): string;
}

const CHAT_ASKS = (args: string) =>
  `{"max_tokens":99,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"c0","type":"function","function":{"name":"w","arguments":${JSON.stringify(args)}}}]},{"role":"tool","tool_call_id":"c0","content":"ok"}],"tools":[{"type":"function","function":{"name":"w","parameters":${SCHEMA}}}]`;
const SURFACES: Readonly<Record<string, Surface>> = {
  chat: {
    path: '/v1/chat/completions',
    asks: CHAT_ASKS,
    hears: ({ body, events }) =>
      body
        ? body.choices[0].message.tool_calls[0].function.arguments
        : events
            .flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? [])
            .map((call: { function: { arguments?: string } }) => call.function.arguments ?? '')
            .join(''),
  },
  responses: {
    path: '/v1/responses',
    asks: (args) =>
      `{"input":[{"role":"user","content":"Hi"},{"type":"function_call","call_id":"c0","name":"w","arguments":${JSON.stringify(args)}},{"type":"function_call_output","call_id":"c0","output":"ok"}],"tools":[{"type":"function","name":"w","parameters":${SCHEMA}}]`,
    hears: ({ body, events }) =>
      (body ?? events.at(-1).response).output.find(({ type }: { type: string }) => type === 'function_call').arguments,
  },
  messages: {
    path: '/v1/messages',
    asks: (args) =>
      `{"max_tokens":99,"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"c0","name":"w","input":${args}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"c0","content":"ok"}]}],"tools":[{"name":"w","input_schema":${SCHEMA}}]`,
    hears: ({ body, text, events }) =>
      body ? (/"input":(\{.*?\})\}/.exec(text)?.[1] ?? '') : events.map(({ delta }) => delta?.partial_json ?? '').join(''),
  },
  'chat/complete': {
    path: '/v1/chat/complete',
    asks: CHAT_ASKS,
    hears: ({ text }) => /"arguments":(\{.*?\})\}/.exec(text)?.[1] ?? '',
  },
};

describe.each(Object.entries(SURFACES))('%s', (_surface, { path, asks, hears }) => {
  test.each(
    Object.entries(REPLY_FORMATS).flatMap(([name, format]) => [[name, 'whole', format] as const, [name, 'streamed', format] as const]),
  )('%s, %s: arguments and schemas go both ways as they are', async (_name, how, format) => {
    const request = `${asks(TEXT)}${how === 'streamed' ? ',"stream":true' : ''}}`;
    const type = `${format.type} (dialect: ${format.dialect})`;
    const seen = await rig.send(path, type, format.model, request, format.says(SAID));
    expect([seen.status, hears(seen)]).toEqual([200, TEXT]);
    const sent = seen.sent!.text;
    expect([TEXT, JSON.stringify(TEXT)].some((text) => sent.includes(text))).toBe(true);
    expect(sent).toContain(SCHEMA);
  });
});
