import fc from 'fast-check';
import { event as awsEvent } from '../../test/support/aws-frames.js';
import { anObjectText, type JsonText } from '../../test/support/json-texts.js';
import { atOnce } from '../kernel/slices.js';
import { NO_USAGE } from '../kernel/usage.js';
import type { DialectName, SurfaceName } from './dialect.js';
import { readJson } from './kit/json.js';
import { conversationIn } from './registry.js';

/** A text as the content of a JSON string, with its quotes. */
const quoted = (text: string): string => JSON.stringify(text);
const json = (text: string): ReturnType<typeof JSON.parse> => JSON.parse(text);

interface Client {
  /** A conversation with a call, its result, and the tool that was called. */
  asks(args: JsonText, schema: JsonText): string;
  /** The arguments of the one call of a whole reply: as text, or as they stand in it. */
  called(reply: string): string;
  streamed(reply: string): string;
  /** How calls stand in its requests, and in whole replies. */
  sends: 'text' | 'object';
  gets: 'text' | 'object';
}

const HEAD = '"model":"p/m","max_tokens":99,"stream":false';
const dataOf = (stream: string): ReturnType<typeof JSON.parse>[] =>
  stream
    .split('\n')
    .filter((line) => line.startsWith('data: ') && !line.includes('[DONE]'))
    .map((line) => json(line.slice('data: '.length)));
/** What stands between a field's name and the field that follows it. */
const between = (text: string, before: string, after: string): string => {
  const start = text.lastIndexOf(before) + before.length;
  return text.slice(start, text.indexOf(after, start));
};

const chatTools = ({ spaced }: JsonText) => `"tools":[{"type":"function","function":{"name":"w","parameters":${spaced}}}]`;
const chatAsks =
  (write: (args: JsonText) => string): Client['asks'] =>
  (args, schema) =>
    `{${HEAD},"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":null,"tool_calls":[{"id":"t1","type":"function","function":{"name":"w","arguments":${write(args)}}}]},{"role":"tool","tool_call_id":"t1","content":${quoted(args.spaced)}}],${chatTools(schema)}}`;

const chat: Client = {
  asks: chatAsks(({ spaced }) => quoted(spaced)),
  called: (reply) => json(reply).choices[0].message.tool_calls[0].function.arguments,
  streamed: (reply) =>
    dataOf(reply)
      .flatMap(({ choices }) => choices[0]?.delta.tool_calls ?? [])
      .map((call: { function: { arguments?: string } }) => call.function.arguments ?? '')
      .join(''),
  sends: 'text',
  gets: 'text',
};
const CLIENTS: Readonly<Record<string, Client & { surface: SurfaceName }>> = {
  'openai-chat': { ...chat, surface: 'openai-chat' },
  'openai-chat with objects': { ...chat, asks: chatAsks(({ spaced }) => spaced), sends: 'object', surface: 'openai-chat' },
  'openai-responses': {
    surface: 'openai-responses',
    asks: (args, schema) =>
      `{${HEAD},"input":[{"role":"user","content":"Hi"},{"type":"function_call","call_id":"t1","name":"w","arguments":${quoted(args.spaced)}},{"type":"function_call_output","call_id":"t1","output":${quoted(args.spaced)}}],"tools":[{"type":"function","name":"w","parameters":${schema.spaced}}]}`,
    called: (reply) => json(reply).output[0].arguments,
    streamed: (reply) => dataOf(reply).at(-1).response.output[0].arguments,
    sends: 'text',
    gets: 'text',
  },
  'anthropic-messages': {
    surface: 'anthropic-messages',
    asks: (args, schema) =>
      `{${HEAD},"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"w","input":${args.spaced}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":${quoted(args.spaced)}}]}],"tools":[{"name":"w","input_schema":${schema.spaced}}]}`,
    called: (reply) => between(reply, '"input":', '}],"stop_reason"'),
    streamed: (reply) =>
      dataOf(reply)
        .map(({ delta }) => delta?.partial_json ?? '')
        .join(''),
    sends: 'object',
    gets: 'object',
  },
  'chat-complete': {
    surface: 'chat-complete',
    asks: chat.asks,
    called: (reply) => between(reply, '"arguments":{', '}],"finish"').replace(/^/, '{'),
    // Any character but the line end: a dot also stops at U+2028.
    streamed: (reply) => /event: tool_call\ndata: [^\n]*?"arguments":([^\n]*)\}\n/.exec(reply)?.[1] ?? '',
    sends: 'text',
    gets: 'object',
  },
};

interface Provider {
  dialect: DialectName;
  /** How calls stand in its requests, and in its replies. */
  args: 'text' | 'object';
  /** The arguments of the call in a request. */
  sent(args: string): string;
  whole(args: string): string;
  stream(args: string): Buffer | string;
  /** The schema of the tool in a request. */
  schema(schema: string): string;
}

const sse = (...events: string[]): string => events.map((data) => `data: ${data}\n\n`).join('');
const halves = (text: string): [string, string] => [text.slice(0, text.length / 2), text.slice(text.length / 2)];
const ofMessage = (content: string, stop = '"tool_use"') =>
  `"id":"msg_1","type":"message","role":"assistant","model":"m","content":[${content}],"stop_reason":${stop},"stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":5}`;
const chunk = (delta: string, finish = 'null') =>
  `{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":${delta},"finish_reason":${finish}}]}`;
const completion = (args: string) =>
  `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"t9","type":"function","function":{"name":"w","arguments":${args}}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":5,"completion_tokens":5,"total_tokens":10}}`;
const chatStream = (first: string, ...more: string[]) =>
  sse(
    chunk(`{"role":"assistant","tool_calls":[{"index":0,"id":"t9","type":"function","function":{"name":"w","arguments":${first}}}]}`),
    ...more.map((args) => chunk(`{"tool_calls":[{"index":0,"function":{"arguments":${args}}}]}`)),
    chunk('{}', '"tool_calls"'),
    '[DONE]',
  );
const response = (args: string) =>
  `{"id":"resp_1","object":"response","created_at":1,"model":"m","status":"completed","output":[{"type":"function_call","id":"fc_1","call_id":"t9","name":"w","arguments":${args},"status":"completed"}],"usage":{"input_tokens":5,"output_tokens":5,"total_tokens":10}}`;
const candidate = (args: string) =>
  `{"responseId":"r","modelVersion":"m","candidates":[{"index":0,"content":{"role":"model","parts":[{"functionCall":{"name":"w","args":${args}}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":2,"totalTokenCount":7}}`;
const line = (args: string) =>
  `{"model":"m","message":{"role":"assistant","content":"","tool_calls":[{"function":{"name":"w","arguments":${args}}}]},"done":true,"done_reason":"stop","prompt_eval_count":5,"eval_count":3}`;
const openAiSchema = (schema: string) => `"parameters":${schema}`;
const asText = (args: string) => `"arguments":${quoted(args)}`;

const PROVIDERS: Readonly<Record<string, Provider>> = {
  'openai-chat': {
    dialect: 'openai-chat',
    args: 'text',
    sent: asText,
    whole: (args) => completion(quoted(args)),
    stream: (args) => chatStream(quoted(''), ...halves(args).map(quoted)),
    schema: openAiSchema,
  },
  'openai-chat with objects': {
    dialect: 'openai-chat',
    args: 'object',
    sent: asText,
    whole: completion,
    stream: (args) => chatStream(args),
    schema: openAiSchema,
  },
  'openai-responses': {
    dialect: 'openai-responses',
    args: 'text',
    sent: asText,
    whole: (args) => response(quoted(args)),
    stream: (args) =>
      sse(
        '{"type":"response.created","response":{"id":"resp_1","model":"m","status":"in_progress","output":[]}}',
        '{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"fc_1","call_id":"t9","name":"w","arguments":""}}',
        ...halves(args).map(
          (half) => `{"type":"response.function_call_arguments.delta","output_index":0,"item_id":"fc_1","delta":${quoted(half)}}`,
        ),
        `{"type":"response.completed","response":${response(quoted(args))}}`,
      ),
    schema: openAiSchema,
  },
  'anthropic-messages': {
    dialect: 'anthropic-messages',
    args: 'object',
    sent: (args) => `"input":${args}`,
    whole: (args) => `{${ofMessage(`{"type":"tool_use","id":"t9","name":"w","input":${args}}`)}}`,
    stream: (args) =>
      sse(
        `{"type":"message_start","message":{${ofMessage('', 'null')}}}`,
        `{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t9","name":"w","input":${args}}}`,
        '{"type":"content_block_stop","index":0}',
        '{"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"output_tokens":5}}',
        '{"type":"message_stop"}',
      ),
    schema: (schema) => `"input_schema":${schema}`,
  },
  gemini: {
    dialect: 'gemini',
    args: 'object',
    sent: (args) => `"args":${args}`,
    whole: candidate,
    stream: (args) => sse(candidate(args)),
    schema: (schema) => `"parametersJsonSchema":${schema}`,
  },
  'bedrock-converse': {
    dialect: 'bedrock-converse',
    args: 'object',
    sent: (args) => `"input":${args}`,
    whole: (args) =>
      `{"output":{"message":{"role":"assistant","content":[{"toolUse":{"toolUseId":"t9","name":"w","input":${args}}}]}},"stopReason":"tool_use","usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7}}`,
    stream: (args) =>
      Buffer.concat([
        awsEvent('messageStart', '{"role":"assistant"}'),
        awsEvent('contentBlockStart', '{"contentBlockIndex":0,"start":{"toolUse":{"toolUseId":"t9","name":"w"}}}'),
        awsEvent('contentBlockDelta', `{"contentBlockIndex":0,"delta":{"toolUse":{"input":${args}}}}`),
        awsEvent('contentBlockStop', '{"contentBlockIndex":0}'),
        awsEvent('messageStop', '{"stopReason":"tool_use"}'),
        awsEvent('metadata', '{"usage":{"inputTokens":5,"outputTokens":2,"totalTokens":7}}'),
      ]),
    schema: (schema) => `"json":${schema}`,
  },
  ollama: {
    dialect: 'ollama',
    args: 'object',
    sent: (args) => `"arguments":${args}`,
    whole: line,
    stream: (args) => `${line(args)}\n`,
    schema: openAiSchema,
  },
  cohere: {
    dialect: 'cohere',
    args: 'text',
    sent: asText,
    whole: (args) =>
      `{"id":"c1","finish_reason":"TOOL_CALL","message":{"role":"assistant","tool_calls":[{"id":"t9","type":"function","function":{"name":"w","arguments":${quoted(args)}}}]},"usage":{"tokens":{"input_tokens":5,"output_tokens":2}}}`,
    stream: (args) =>
      sse(
        '{"type":"message-start","id":"c1"}',
        '{"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"t9","type":"function","function":{"name":"w","arguments":""}}}}}',
        ...halves(args).map(
          (half) => `{"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":${quoted(half)}}}}}}`,
        ),
        '{"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"tokens":{"input_tokens":5,"output_tokens":2}}}}',
      ),
    schema: openAiSchema,
  },
  'workers-ai': {
    dialect: 'workers-ai',
    args: 'object',
    sent: asText,
    whole: (args) =>
      `{"success":true,"result":{"tool_calls":[{"name":"w","arguments":${args}}],"usage":{"prompt_tokens":5,"completion_tokens":2}}}`,
    stream: (args) =>
      sse(
        `{"response":"","tool_calls":[{"name":"w","arguments":${args}}]}`,
        '{"response":"","usage":{"prompt_tokens":5,"completion_tokens":2}}',
        '[DONE]',
      ),
    schema: openAiSchema,
  },
};

const MODELS: Partial<Record<DialectName, string>> = {
  'anthropic-messages': 'claude-sonnet-4-5',
  gemini: 'gemini-3-pro',
  'bedrock-converse': 'anthropic.claude-sonnet-4-5-20250929-v1:0',
};

const PAIRS = Object.keys(CLIENTS).flatMap((client) => Object.keys(PROVIDERS).map((provider) => [client, provider] as const));

function open(client: string, { dialect }: Provider, request: string) {
  const { surface } = CLIENTS[client]!;
  const format = conversationIn(surface);
  const value = readJson(request) as Record<string, unknown>;
  const prompt = { ...format.decodeRequest(value, request.length), source: { text: request, value } };
  const model = MODELS[dialect] ?? 'm';
  const provider = { dialects: [dialect], thinkingLevel: null, quirks: {} };
  const { translation } = format.open(prompt, provider, { id: 'x1', createdAt: 5, model });
  const sent = translation.encodeRequest({ model, maxOutputTokens: 99, thinkingLevel: null, quirks: {} });
  return { translation, sent: sent.body, isSame: surface === dialect };
}

const aSchema = (): fc.Arbitrary<JsonText> =>
  anObjectText().map(({ spaced, compact }) => ({
    spaced: `{ "type" : "object", "properties": {"2":{"type":"integer","maximum":12345678901234567890},"1":{"type":"number","default":1.0}},"x-more":${spaced}}`,
    compact: `{"type":"object","properties":{"2":{"type":"integer","maximum":12345678901234567890},"1":{"type":"number","default":1.0}},"x-more":${compact}}`,
  }));
/** Not none: formats differ in how they write that. */
const someArgs = (): fc.Arbitrary<JsonText> => anObjectText().filter(({ compact }) => compact !== '{}');
const NO_ARGS: JsonText = { spaced: '{}', compact: '{}' };
const RUNS = { numRuns: 40 };

describe.each(PAIRS)('from %s to %s', (client, name) => {
  const provider = PROVIDERS[name]!;
  const { asks, sends, gets, called, streamed } = CLIENTS[client]!;
  const takesText = provider.sent('{}').includes('"{}"');

  test('arguments and schemas of the history reach the provider as they came', () => {
    fc.assert(
      fc.property(someArgs(), aSchema(), (args, schema) => {
        const request = asks(args, schema);
        const { sent, isSame } = open(client, provider, request);
        if (isSame) return expect(sent.replace('"model":"m"', '"model":"p/m"')).toContain(request.slice(1, -1).slice(HEAD.length));
        expect(sent).toContain(provider.sent(takesText && sends === 'text' ? args.spaced : args.compact));
        expect(sent).toContain(provider.schema(schema.compact));
      }),
      RUNS,
    );
  });

  test('arguments of a reply reach the client as they came', () => {
    fc.assert(
      fc.property(someArgs(), ({ spaced: written, compact }) => {
        // An event is one line.
        const spaced = written.replace(/[\r\n]/g, ' ');
        const given = gets === 'text' && provider.args === 'text' ? spaced : compact;
        const { translation, isSame } = open(client, provider, asks(NO_ARGS, NO_ARGS));
        const whole = atOnce(translation.readWhole(Buffer.from(provider.whole(spaced)), {}))
          .render(NO_USAGE)
          .toString();
        // A message passes as its provider wrote it.
        expect(called(whole)).toBe(isSame && provider.args === 'object' && gets === 'object' ? spaced : given);
        const reader = translation.streams!.read(Number.POSITIVE_INFINITY);
        const pieces = [
          ...atOnce(reader.push(Buffer.from(provider.stream(spaced)))),
          ...atOnce(reader.finish()),
          reader.tail(NO_USAGE, null),
        ];
        expect(reader.complete).toBe(true);
        const stream = Buffer.concat(pieces).toString();
        const inPieces = client === 'anthropic-messages' && provider.args === 'text' ? spaced : given;
        if (!(isSame && gets === 'object')) expect(streamed(stream)).toBe(inPieces);
      }),
      RUNS,
    );
  });
});
