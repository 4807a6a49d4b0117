import { event as awsEvent } from './aws-frames.js';
import { chunk, delta, json, type Script, type UpstreamCall } from './upstream.js';

/** What a model says in one reply, in no vendor's words. */
export interface Said {
  reasoning?: {
    text: string;
    /** What the provider wants back as it is. */
    state: string;
  };
  text?: string;
  calls?: { id: string; name: string; arguments: object }[];
  usage: { input: number; cacheRead: number; output: number };
}

/** What a provider is sent of the conversation so far, in no vendor's words. */
export interface Heard {
  calls: { id: string; name: string; arguments: unknown }[];
  results: { id: string; text: string }[];
  states: string[];
  /** Kinds in the order they stand in. */
  order: ('state' | 'call' | 'result')[];
}

/** One wire format of providers: how it says a reply, and how it hears a conversation. */
export interface ReplyFormat {
  type: string;
  dialect: string;
  model: string;
  /** It has state of reasoning that it wants back. */
  stateful: boolean;
  says(said: Said): Script;
  hears(body: Record<string, unknown>): Heard;
}

type Json = ReturnType<typeof JSON.parse>;

const sse = (events: object[], named = false): string =>
  events.map((event) => `${named ? `event: ${(event as { type: string }).type}\n` : ''}data: ${JSON.stringify(event)}\n\n`).join('');

/** Streams these where the request asks for a stream. */
const either =
  (isStream: (call: UpstreamCall) => boolean, whole: object, stream: () => string | Buffer, type = 'text/event-stream'): Script =>
  (call, response) => {
    if (!isStream(call)) return json(200, whole)(call, response);
    response.writeHead(200, { 'content-type': type });
    response.end(stream());
  };

const byField = ({ body }: UpstreamCall) => body.stream === true;
const byPath = ({ path }: UpstreamCall) => /stream/i.test(path);

const halves = (text: string): string[] => [text.slice(0, text.length / 2), text.slice(text.length / 2)];

class Ears {
  readonly heard: Heard = { calls: [], results: [], states: [], order: [] };

  state(state: string): void {
    this.heard.states.push(state);
    this.heard.order.push('state');
  }

  call(id: string, name: string, args: unknown): void {
    this.heard.calls.push({ id, name, arguments: args });
    this.heard.order.push('call');
  }

  result(id: string, text: string): void {
    this.heard.results.push({ id, text });
    this.heard.order.push('result');
  }
}

/** A result's text, however it is wrapped. */
const plain = (content: Json): string =>
  typeof content === 'string' ? content : content.map(({ text }: { text: string }) => text).join('');

const chat: ReplyFormat = {
  type: 'openai',
  dialect: 'openai-chat',
  model: 'test-model',
  stateful: false,
  says({ text, calls = [], usage: { input, cacheRead, output } }) {
    const usage = {
      prompt_tokens: input + cacheRead,
      completion_tokens: output,
      total_tokens: input + cacheRead + output,
      prompt_tokens_details: { cached_tokens: cacheRead },
    };
    const toolCalls = calls.map(({ id, name, arguments: args }) => ({
      id,
      type: 'function',
      function: { name, arguments: JSON.stringify(args) },
    }));
    const finish = calls.length > 0 ? 'tool_calls' : 'stop';
    const message = { role: 'assistant', content: text ?? null, ...(calls.length > 0 && { tool_calls: toolCalls }) };
    const whole = {
      id: 'chatcmpl-1',
      object: 'chat.completion',
      created: 1_700_000_000,
      model: 'test-model-2026',
      choices: [{ index: 0, message, finish_reason: finish }],
      usage,
    };
    return either(byField, whole, () =>
      [
        delta({ role: 'assistant', content: '' }),
        ...(text === undefined ? [] : halves(text).map((content) => delta({ content }))),
        ...toolCalls.flatMap(({ function: { name, arguments: args }, ...call }, index) => [
          delta({ tool_calls: [{ index, ...call, function: { name, arguments: '' } }] }),
          ...halves(args).map((piece) => delta({ tool_calls: [{ index, function: { arguments: piece } }] })),
        ]),
        delta({}, finish),
        chunk({ choices: [], usage }),
        'data: [DONE]\n\n',
      ].join(''),
    );
  },
  hears({ messages }) {
    const ears = new Ears();
    for (const message of messages as Json[]) {
      for (const { id, function: called } of message.tool_calls ?? []) ears.call(id, called.name, JSON.parse(called.arguments) ?? {});
      if (message.role === 'tool') ears.result(message.tool_call_id, plain(message.content));
    }
    return ears.heard;
  },
};

const messages: ReplyFormat = {
  type: 'anthropic',
  dialect: 'anthropic-messages',
  model: 'claude-opus-5',
  stateful: true,
  says({ reasoning, text, calls = [], usage: { input, cacheRead, output } }) {
    const content = [
      ...(reasoning ? [{ type: 'thinking', thinking: reasoning.text, signature: reasoning.state }] : []),
      ...(text === undefined ? [] : [{ type: 'text', text }]),
      ...calls.map(({ id, name, arguments: args }) => ({ type: 'tool_use', id, name, input: args })),
    ] as Json[];
    const message = {
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model: 'claude-opus-5',
      content,
      stop_reason: calls.length > 0 ? 'tool_use' : 'end_turn',
      stop_sequence: null,
      usage: { input_tokens: input, cache_read_input_tokens: cacheRead, cache_creation_input_tokens: 0, output_tokens: output },
    };
    const deltasOf = (block: Json): object[] => {
      if (block.type === 'text') return halves(block.text).map((half) => ({ type: 'text_delta', text: half }));
      if (block.type === 'tool_use')
        return halves(JSON.stringify(block.input)).map((half) => ({ type: 'input_json_delta', partial_json: half }));
      const thoughts = halves(block.thinking).map((half) => ({ type: 'thinking_delta', thinking: half }));
      return [...thoughts, { type: 'signature_delta', signature: block.signature }];
    };
    const empty = { text: { text: '' }, tool_use: { input: {} }, thinking: { thinking: '', signature: '' } } as Json;
    return either(byField, message, () =>
      sse(
        [
          {
            type: 'message_start',
            message: { ...message, content: [], stop_reason: null, usage: { ...message.usage, output_tokens: 1 } },
          },
          ...content.flatMap((block, index) => [
            { type: 'content_block_start', index, content_block: { ...block, ...empty[block.type] } },
            ...deltasOf(block).map((piece) => ({ type: 'content_block_delta', index, delta: piece })),
            { type: 'content_block_stop', index },
          ]),
          { type: 'message_delta', delta: { stop_reason: message.stop_reason, stop_sequence: null }, usage: { output_tokens: output } },
          { type: 'message_stop' },
        ],
        true,
      ),
    );
  },
  hears({ messages: turns }) {
    const ears = new Ears();
    for (const { content } of turns as Json[]) {
      for (const block of typeof content === 'string' ? [] : content) {
        if (block.type === 'thinking') ears.state(`${block.thinking}|${block.signature}`);
        if (block.type === 'redacted_thinking') ears.state(block.data);
        if (block.type === 'tool_use') ears.call(block.id, block.name, block.input);
        if (block.type === 'tool_result') ears.result(block.tool_use_id, plain(block.content));
      }
    }
    return ears.heard;
  },
};

const gemini: ReplyFormat = {
  type: 'gemini',
  dialect: 'gemini',
  model: 'gemini-3-flash',
  stateful: true,
  says({ reasoning, text, calls = [], usage: { input, cacheRead, output } }) {
    // The signature of a thought stands on the first call it led to.
    const parts = [
      ...(reasoning ? [{ text: reasoning.text, thought: true }] : []),
      ...(text === undefined ? [] : [{ text }]),
      ...calls.map(({ id, name, arguments: args }, index) => ({
        functionCall: { id, name, args },
        ...(reasoning && index === 0 && { thoughtSignature: reasoning.state }),
      })),
    ];
    const head = { responseId: 'r1', modelVersion: 'gemini-3-flash' };
    const usageMetadata = {
      promptTokenCount: input + cacheRead,
      cachedContentTokenCount: cacheRead,
      candidatesTokenCount: output,
      totalTokenCount: input + cacheRead + output,
    };
    const whole = { ...head, candidates: [{ index: 0, content: { role: 'model', parts }, finishReason: 'STOP' }], usageMetadata };
    return either(byPath, whole, () =>
      sse([
        ...parts.map((part) => ({ ...head, candidates: [{ index: 0, content: { role: 'model', parts: [part] } }] })),
        { ...head, candidates: [{ index: 0, content: { role: 'model', parts: [{ text: '' }] }, finishReason: 'STOP' }], usageMetadata },
      ]),
    );
  },
  hears({ contents }) {
    const ears = new Ears();
    for (const { functionCall, functionResponse, thoughtSignature } of (contents as Json[]).flatMap(({ parts }) => parts)) {
      if (thoughtSignature) ears.state(thoughtSignature);
      if (functionCall) ears.call(functionCall.id, functionCall.name, functionCall.args);
      if (functionResponse) ears.result(functionResponse.id, functionResponse.response.result ?? JSON.stringify(functionResponse.response));
    }
    return ears.heard;
  },
};

const converse: ReplyFormat = {
  type: 'bedrock',
  dialect: 'bedrock-converse',
  model: 'us.anthropic.claude-opus-5',
  stateful: true,
  says({ reasoning, text, calls = [], usage: { input, cacheRead, output } }) {
    const content = [
      ...(reasoning ? [{ reasoningContent: { reasoningText: { text: reasoning.text, signature: reasoning.state } } }] : []),
      ...(text === undefined ? [] : [{ text }]),
      ...calls.map(({ id, name, arguments: args }) => ({ toolUse: { toolUseId: id, name, input: args } })),
    ] as Json[];
    const stopReason = calls.length > 0 ? 'tool_use' : 'end_turn';
    const usage = {
      inputTokens: input,
      outputTokens: output,
      cacheReadInputTokens: cacheRead,
      cacheWriteInputTokens: 0,
      totalTokens: input + cacheRead + output,
    };
    const deltasOf = (block: Json): object[] => {
      if (block.text) return halves(block.text).map((half) => ({ text: half }));
      if (block.toolUse) return halves(JSON.stringify(block.toolUse.input)).map((half) => ({ toolUse: { input: half } }));
      const thought = block.reasoningContent.reasoningText;
      const thoughts = halves(thought.text).map((half) => ({ reasoningContent: { text: half } }));
      return [...thoughts, { reasoningContent: { signature: thought.signature } }];
    };
    const aws = (type: string, payload: object) => awsEvent(type, JSON.stringify(payload));
    const start = ({ toolUse }: Json, contentBlockIndex: number) =>
      toolUse
        ? [aws('contentBlockStart', { contentBlockIndex, start: { toolUse: { toolUseId: toolUse.toolUseId, name: toolUse.name } } })]
        : [];
    return either(
      byPath,
      { output: { message: { role: 'assistant', content } }, stopReason, usage, metrics: { latencyMs: 1 } },
      () =>
        Buffer.concat([
          aws('messageStart', { role: 'assistant' }),
          ...content.flatMap((block, contentBlockIndex) => [
            ...start(block, contentBlockIndex),
            ...deltasOf(block).map((piece) => aws('contentBlockDelta', { contentBlockIndex, delta: piece })),
            aws('contentBlockStop', { contentBlockIndex }),
          ]),
          aws('messageStop', { stopReason }),
          aws('metadata', { usage, metrics: { latencyMs: 1 } }),
        ]),
      'application/vnd.amazon.eventstream',
    );
  },
  hears({ messages: turns }) {
    const ears = new Ears();
    for (const { reasoningContent, toolUse, toolResult } of (turns as Json[]).flatMap(({ content }) => content)) {
      const thought = reasoningContent?.reasoningText;
      // What other models than Claude think has none.
      if (thought?.signature) ears.state(`${thought.text}|${thought.signature}`);
      if (reasoningContent?.redactedContent) ears.state(reasoningContent.redactedContent);
      if (toolUse) ears.call(toolUse.toolUseId, toolUse.name, toolUse.input);
      if (toolResult) ears.result(toolResult.toolUseId, plain(toolResult.content));
    }
    return ears.heard;
  },
};

const responses: ReplyFormat = {
  type: 'openai',
  dialect: 'openai-responses',
  model: 'gpt-5.4',
  stateful: true,
  says({ reasoning, text, calls = [], usage: { input, cacheRead, output } }) {
    const output_ = [
      ...(reasoning
        ? [
            {
              type: 'reasoning',
              id: 'rs_1',
              summary: [{ type: 'summary_text', text: reasoning.text }],
              encrypted_content: reasoning.state,
            },
          ]
        : []),
      ...(text === undefined
        ? []
        : [
            {
              type: 'message',
              id: 'msg_1',
              role: 'assistant',
              status: 'completed',
              content: [{ type: 'output_text', text, annotations: [], logprobs: [] }],
            },
          ]),
      ...calls.map(({ id, name, arguments: args }) => ({
        type: 'function_call',
        id: `fc_${id}`,
        call_id: id,
        name,
        arguments: JSON.stringify(args),
        status: 'completed',
      })),
    ] as Json[];
    const replyTo = ({ text: form, tools = [], tool_choice = 'auto', instructions = null, metadata = {} }: Json) => ({
      id: 'resp_1',
      object: 'response',
      created_at: 1_700_000_000,
      completed_at: 1_700_000_001,
      status: 'completed',
      background: false,
      error: null,
      frequency_penalty: 0,
      incomplete_details: null,
      instructions,
      max_output_tokens: null,
      max_tool_calls: null,
      metadata,
      model: 'gpt-5.4-2026-03-05',
      output: output_,
      parallel_tool_calls: true,
      presence_penalty: 0,
      previous_response_id: null,
      prompt_cache_key: null,
      reasoning: { effort: null, summary: null },
      safety_identifier: null,
      service_tier: 'default',
      store: true,
      temperature: 1,
      text: { format: { type: 'text' }, ...form },
      tool_choice,
      tools: tools.map((tool: Json) => (tool.type === 'function' ? { description: null, parameters: null, strict: true, ...tool } : tool)),
      top_logprobs: 0,
      top_p: 1,
      truncation: 'disabled',
      usage: {
        input_tokens: input + cacheRead,
        input_tokens_details: { cached_tokens: cacheRead },
        output_tokens: output,
        output_tokens_details: { reasoning_tokens: 0 },
        total_tokens: input + cacheRead + output,
      },
    });
    return (call, response) => {
      const whole = replyTo(call.body);
      const begun = { ...whole, completed_at: null, status: 'in_progress', output: [], usage: null };
      const events = () => [
        { type: 'response.created', response: begun },
        { type: 'response.in_progress', response: begun },
        ...output_.flatMap((item, output_index) => [
          { type: 'response.output_item.added', output_index, item: emptied(item) },
          ...piecesOf(item).map((piece) => ({ ...piece, item_id: item.id, output_index })),
          { type: 'response.output_item.done', output_index, item },
        ]),
        { type: 'response.completed', response: whole },
      ];
      const stream = () =>
        sse(
          events().map((event, sequence_number) => ({ ...event, sequence_number })),
          true,
        );
      return either(byField, whole, stream)(call, response);
    };
  },
  hears({ input }) {
    const ears = new Ears();
    for (const item of input as Json[]) {
      if (item.type === 'reasoning') ears.state(`${plain(item.summary)}|${item.encrypted_content}`);
      if (item.type === 'function_call') ears.call(item.call_id, item.name, JSON.parse(item.arguments));
      if (item.type === 'function_call_output') ears.result(item.call_id, plain(item.output));
    }
    return ears.heard;
  },
};

function emptied(item: Json): object {
  if (item.type === 'reasoning') return { ...item, summary: [], encrypted_content: '' };
  if (item.type === 'message') return { ...item, status: 'in_progress', content: [] };
  return { ...item, status: 'in_progress', arguments: '' };
}

function piecesOf(item: Json): object[] {
  if (item.type === 'function_call')
    return [
      ...halves(item.arguments).map((half) => ({ type: 'response.function_call_arguments.delta', delta: half })),
      { type: 'response.function_call_arguments.done', name: item.name, arguments: item.arguments },
    ];
  const place = item.type === 'message' ? { content_index: 0 } : { summary_index: 0 };
  const words =
    item.type === 'message'
      ? { part: 'response.content_part', text: 'response.output_text' }
      : { part: 'response.reasoning_summary_part', text: 'response.reasoning_summary_text' };
  const [part] = item.type === 'message' ? item.content : item.summary;
  return [
    { type: `${words.part}.added`, ...place, part: { ...part, text: '' } },
    ...halves(part.text).map((half) => ({ type: `${words.text}.delta`, ...place, delta: half, logprobs: [] })),
    { type: `${words.text}.done`, ...place, text: part.text, logprobs: [] },
    { type: `${words.part}.done`, ...place, part },
  ];
}

/** Cohere's plan is its state. Everything else of its conversations is as in chat. */
export function hearsCohere(body: Record<string, unknown>): Heard {
  const ears = new Ears();
  for (const message of body['messages'] as Json[]) {
    if (message.tool_plan) ears.state(message.tool_plan);
    const { calls, results } = chat.hears({ messages: [message] });
    for (const { id, name, arguments: args } of calls) ears.call(id, name, args);
    for (const { id, text } of results) ears.result(id, text);
  }
  return ears.heard;
}

/** By the name of the provider that speaks it in tests. */
export const REPLY_FORMATS = { chat, messages, gemini, converse, responses } satisfies Record<string, ReplyFormat>;
