import type { DialectName, SurfaceName } from '../../src/dialects/dialect.js';
import { awsEvent } from '../support/aws-frames.js';
import { bytesOf, RECORDINGS } from '../support/recordings.js';

/** What a provider may send, before it is changed. */
export interface Replies {
  whole: Buffer[];
  stream: Buffer[];
  refusal: Buffer[];
}

const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const sse = (...events: unknown[]): Buffer =>
  Buffer.from(events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join(''));
const named = (...events: object[]): Buffer =>
  Buffer.from(events.map((event) => `event: ${(event as { type: string }).type}\ndata: ${JSON.stringify(event)}\n\n`).join(''));
const lines = (...values: unknown[]): Buffer => Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
const converse = (...events: [type: string, payload: unknown][]): Buffer =>
  Buffer.concat(events.map(([type, payload]) => awsEvent({ ':message-type': 'event', ':event-type': type }, JSON.stringify(payload))));

const CHAT_HEAD = { id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'm' };
const CHAT_USAGE = {
  prompt_tokens: 20,
  completion_tokens: 9,
  total_tokens: 29,
  prompt_tokens_details: { cached_tokens: 4, cache_write_tokens: 2 },
  completion_tokens_details: { reasoning_tokens: 3 },
};
const CHAT_CALL = { index: 0, id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":' } };
const chunk = (delta: object, more: object = {}) => ({ ...CHAT_HEAD, choices: [{ index: 0, delta, finish_reason: null, ...more }] });

const CHAT: Replies = {
  whole: [
    json({
      ...CHAT_HEAD,
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: 'Hi',
            reasoning_content: 'Hm',
            refusal: null,
            annotations: [{ type: 'url_citation', url_citation: { url: 'https://a.b', title: 't', start_index: 0, end_index: 2 } }],
            reasoning_details: [{ type: 'reasoning.text', text: 'Hm', signature: 's', format: 'anthropic-claude-v1', index: 0 }],
            tool_calls: [{ ...CHAT_CALL, function: { name: 'weather', arguments: '{}' } }],
          },
          logprobs: { content: [{ token: 'Hi', logprob: -0.1, bytes: [72, 105], top_logprobs: [] }] },
          finish_reason: 'tool_calls',
        },
      ],
      usage: CHAT_USAGE,
    }),
  ],
  stream: [
    sse(
      chunk({ role: 'assistant', content: '', reasoning_content: 'Hm' }),
      chunk({ content: 'Hi' }),
      chunk({ content: [{ type: 'thinking', thinking: [{ type: 'text', text: 'x' }] }] }),
      chunk({ tool_calls: [CHAT_CALL] }),
      chunk({ tool_calls: [{ index: 0, function: { arguments: '"Bonn"}' } }] }),
      chunk({}, { finish_reason: 'tool_calls' }),
      { ...CHAT_HEAD, choices: [], usage: CHAT_USAGE },
      '[DONE]',
    ),
  ],
  refusal: [json({ error: { message: 'no', type: 'invalid_request_error', param: null, code: 'context_length_exceeded' } })],
};

const COMPLETIONS: Replies = {
  whole: [json({ ...CHAT_HEAD, object: 'text_completion', choices: [{ index: 0, text: 'Hi', finish_reason: 'stop' }], usage: CHAT_USAGE })],
  stream: [
    sse(
      { ...CHAT_HEAD, choices: [{ index: 0, text: 'Hi', finish_reason: null }] },
      { ...CHAT_HEAD, choices: [{ index: 0, text: '', finish_reason: 'stop' }], usage: CHAT_USAGE },
      '[DONE]',
    ),
  ],
  refusal: CHAT.refusal,
};

const CLAUDE_USAGE = {
  input_tokens: 10,
  output_tokens: 5,
  cache_read_input_tokens: 2,
  cache_creation_input_tokens: 3,
  cache_creation: { ephemeral_5m_input_tokens: 1, ephemeral_1h_input_tokens: 2 },
};
const MESSAGE = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  model: 'claude',
  content: [
    { type: 'thinking', thinking: 'Hm', signature: 'sig' },
    { type: 'redacted_thinking', data: 'zzz' },
    { type: 'text', text: 'Hi', citations: [{ type: 'web_search_result_location', url: 'https://a.b', title: 't' }] },
    { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Bonn' } },
  ],
  stop_reason: 'tool_use',
  stop_sequence: null,
  usage: CLAUDE_USAGE,
};
const MESSAGES: Replies = {
  whole: [json(MESSAGE)],
  stream: [
    named(
      { type: 'message_start', message: { ...MESSAGE, content: [], stop_reason: null } },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '', signature: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'Hm' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 'sig' } },
      { type: 'content_block_stop', index: 0 },
      { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'Hi' } },
      { type: 'content_block_stop', index: 1 },
      { type: 'content_block_start', index: 2, content_block: { type: 'tool_use', id: 'toolu_1', name: 'weather', input: {} } },
      { type: 'content_block_delta', index: 2, delta: { type: 'input_json_delta', partial_json: '{"city":"Bonn"}' } },
      { type: 'content_block_stop', index: 2 },
      { type: 'message_delta', delta: { stop_reason: 'tool_use', stop_sequence: null }, usage: CLAUDE_USAGE },
      { type: 'message_stop' },
    ),
  ],
  refusal: [json({ type: 'error', error: { type: 'overloaded_error', message: 'later' } })],
};

const RESPONSE_ITEMS = [
  { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Hm' }], encrypted_content: 'enc' },
  {
    type: 'message',
    id: 'msg_1',
    role: 'assistant',
    status: 'completed',
    content: [{ type: 'output_text', text: 'Hi', annotations: [{ type: 'url_citation', url: 'https://a.b', title: 't' }], logprobs: [] }],
  },
  { type: 'function_call', id: 'fc_1', call_id: 'call_1', name: 'weather', arguments: '{"city":"Bonn"}', status: 'completed' },
  { type: 'image_generation_call', id: 'ig_1', result: 'aGk=', output_format: 'png', status: 'completed' },
];
const RESPONSE = {
  id: 'resp_1',
  object: 'response',
  created_at: 1,
  status: 'completed',
  model: 'gpt-5',
  error: null,
  incomplete_details: null,
  output: RESPONSE_ITEMS,
  usage: {
    input_tokens: 20,
    input_tokens_details: { cached_tokens: 4 },
    output_tokens: 9,
    output_tokens_details: { reasoning_tokens: 3 },
    total_tokens: 29,
  },
};
const started = { ...RESPONSE, status: 'in_progress', output: [], usage: null };
const RESPONSES: Replies = {
  whole: [json(RESPONSE)],
  stream: [
    named(
      ...[
        { type: 'response.created', response: started },
        { type: 'response.output_item.added', output_index: 0, item: { ...RESPONSE_ITEMS[0], summary: [] } },
        { type: 'response.reasoning_summary_text.delta', output_index: 0, summary_index: 0, delta: 'Hm' },
        { type: 'response.output_item.done', output_index: 0, item: RESPONSE_ITEMS[0] },
        { type: 'response.output_item.added', output_index: 1, item: { ...RESPONSE_ITEMS[1], content: [] } },
        {
          type: 'response.content_part.added',
          output_index: 1,
          content_index: 0,
          part: { type: 'output_text', text: '', annotations: [] },
        },
        { type: 'response.output_text.delta', output_index: 1, content_index: 0, delta: 'Hi' },
        { type: 'response.output_item.done', output_index: 1, item: RESPONSE_ITEMS[1] },
        { type: 'response.output_item.added', output_index: 2, item: { ...RESPONSE_ITEMS[2], arguments: '' } },
        { type: 'response.function_call_arguments.delta', output_index: 2, delta: '{"city":' },
        { type: 'response.function_call_arguments.delta', output_index: 2, delta: '"Bonn"}' },
        { type: 'response.output_item.done', output_index: 2, item: RESPONSE_ITEMS[2] },
        { type: 'response.completed', response: RESPONSE },
      ].map((event, sequence_number) => ({ ...event, sequence_number })),
    ),
  ],
  refusal: CHAT.refusal,
};

const CANDIDATE = {
  index: 0,
  content: {
    role: 'model',
    parts: [
      { text: 'Hm', thought: true },
      { text: 'Hi', thoughtSignature: 'sig' },
      { functionCall: { id: 'c1', name: 'weather', args: { city: 'Bonn' } }, thoughtSignature: 'sig' },
      { inlineData: { mimeType: 'image/png', data: 'aGk=' } },
    ],
  },
  finishReason: 'STOP',
  logprobsResult: { chosenCandidates: [{ token: 'Hi', logProbability: -0.1 }], topCandidates: [{ candidates: [] }] },
};
const GEMINI_USAGE = {
  promptTokenCount: 20,
  candidatesTokenCount: 6,
  thoughtsTokenCount: 3,
  cachedContentTokenCount: 4,
  totalTokenCount: 29,
  toolUsePromptTokenCount: 0,
};
const GEMINI: Replies = {
  whole: [
    json({ candidates: [CANDIDATE], usageMetadata: GEMINI_USAGE, modelVersion: 'gemini', responseId: 'r' }),
    json({ promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: GEMINI_USAGE }),
  ],
  stream: [
    sse(
      { candidates: [{ index: 0, content: { role: 'model', parts: CANDIDATE.content.parts.slice(0, 2) } }], usageMetadata: GEMINI_USAGE },
      { candidates: [{ ...CANDIDATE, content: { role: 'model', parts: CANDIDATE.content.parts.slice(2) } }], usageMetadata: GEMINI_USAGE },
    ),
  ],
  refusal: [
    json({
      error: {
        code: 429,
        message: 'no',
        status: 'RESOURCE_EXHAUSTED',
        details: [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.4s' }],
      },
    }),
  ],
};

const CONVERSE_USAGE = { inputTokens: 10, outputTokens: 5, totalTokens: 15, cacheReadInputTokens: 2, cacheWriteInputTokens: 3 };
const CONVERSE: Replies = {
  whole: [
    json({
      output: {
        message: {
          role: 'assistant',
          content: [
            { reasoningContent: { reasoningText: { text: 'Hm', signature: 'sig' } } },
            { text: 'Hi' },
            { toolUse: { toolUseId: 't1', name: 'weather', input: { city: 'Bonn' } } },
          ],
        },
      },
      stopReason: 'tool_use',
      usage: CONVERSE_USAGE,
      metrics: { latencyMs: 1 },
    }),
  ],
  stream: [
    converse(
      ['messageStart', { role: 'assistant' }],
      ['contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { text: 'Hm' } } }],
      ['contentBlockDelta', { contentBlockIndex: 0, delta: { reasoningContent: { signature: 'sig' } } }],
      ['contentBlockDelta', { contentBlockIndex: 1, delta: { text: 'Hi' } }],
      ['contentBlockStop', { contentBlockIndex: 1 }],
      ['contentBlockStart', { contentBlockIndex: 2, start: { toolUse: { toolUseId: 't1', name: 'weather' } } }],
      ['contentBlockDelta', { contentBlockIndex: 2, delta: { toolUse: { input: '{"city":"Bonn"}' } } }],
      ['messageStop', { stopReason: 'tool_use' }],
      ['metadata', { usage: CONVERSE_USAGE }],
    ),
    Buffer.concat([
      converse(['messageStart', { role: 'assistant' }]),
      awsEvent({ ':message-type': 'exception', ':exception-type': 'throttlingException' }, '{"message":"slow"}'),
    ]),
    awsEvent({ ':message-type': 'error', ':error-code': 'InternalFailure', ':error-message': 'no' }, ''),
  ],
  refusal: [json({ message: 'no' })],
};

const OLLAMA_LAST = { model: 'm', done: true, done_reason: 'stop', prompt_eval_count: 10, eval_count: 5, total_duration: 1 };
const OLLAMA_CALL = { function: { name: 'weather', arguments: { city: 'Bonn' } } };
const OLLAMA: Replies = {
  whole: [json({ ...OLLAMA_LAST, message: { role: 'assistant', content: 'Hi', thinking: 'Hm', tool_calls: [OLLAMA_CALL] } })],
  stream: [
    lines(
      { model: 'm', message: { role: 'assistant', content: '', thinking: 'Hm' }, done: false },
      { model: 'm', message: { role: 'assistant', content: 'Hi', tool_calls: [OLLAMA_CALL] }, done: false },
      { ...OLLAMA_LAST, message: { role: 'assistant', content: '' } },
    ),
  ],
  refusal: [json({ error: "model 'm' not found" })],
};

const COHERE_USAGE = {
  billed_units: { input_tokens: 10, output_tokens: 5 },
  tokens: { input_tokens: 20, output_tokens: 5 },
  cached_tokens: 2,
};
const COHERE_CALL = { id: 'c1', type: 'function', function: { name: 'weather', arguments: '{"city":"Bonn"}' } };
const COHERE: Replies = {
  whole: [
    json({
      id: 'c',
      message: {
        role: 'assistant',
        tool_plan: 'I will',
        tool_calls: [COHERE_CALL],
        content: [
          { type: 'thinking', thinking: 'Hm' },
          { type: 'text', text: 'Hi' },
        ],
      },
      finish_reason: 'TOOL_CALL',
      usage: COHERE_USAGE,
    }),
  ],
  stream: [
    named(
      ...[
        { type: 'message-start', id: 'c', delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [] } } },
        { type: 'content-start', index: 0, delta: { message: { content: { type: 'text', text: '' } } } },
        { type: 'content-delta', index: 0, delta: { message: { content: { text: 'Hi' } } } },
        { type: 'content-end', index: 0 },
        { type: 'tool-plan-delta', delta: { message: { tool_plan: 'I will' } } },
        {
          type: 'tool-call-start',
          index: 0,
          delta: { message: { tool_calls: { ...COHERE_CALL, function: { name: 'w', arguments: '' } } } },
        },
        { type: 'tool-call-delta', index: 0, delta: { message: { tool_calls: { function: { arguments: '{}' } } } } },
        { type: 'tool-call-end', index: 0 },
        { type: 'message-end', delta: { finish_reason: 'TOOL_CALL', usage: COHERE_USAGE } },
      ],
    ),
  ],
  refusal: [json({ id: 'x', message: 'no' })],
};

const WORKERS: Replies = {
  whole: [
    json({ result: { response: 'Hi', tool_calls: [{ name: 'weather', arguments: { city: 'Bonn' } }], usage: CHAT_USAGE }, success: true }),
    CHAT.whole[0]!,
  ],
  stream: [sse({ response: 'Hi' }, { response: '', usage: CHAT_USAGE }, '[DONE]'), CHAT.stream[0]!],
  refusal: [json({ success: false, errors: [{ code: 5007, message: 'no' }], result: {}, messages: [] })],
};

const BUILT_IN: Record<DialectName, Replies> = {
  'openai-chat': CHAT,
  'openai-completions': COMPLETIONS,
  'openai-responses': RESPONSES,
  'anthropic-messages': MESSAGES,
  gemini: GEMINI,
  'bedrock-converse': CONVERSE,
  ollama: OLLAMA,
  cohere: COHERE,
  'workers-ai': WORKERS,
};

const DIALECT_OF: Record<string, DialectName> = {
  'chat.completions': 'openai-chat',
  completions: 'openai-completions',
  responses: 'openai-responses',
  messages: 'anthropic-messages',
  generateContent: 'gemini',
  streamGenerateContent: 'gemini',
  converse: 'bedrock-converse',
  'converse-stream': 'bedrock-converse',
  'api/chat': 'ollama',
  'v2/chat': 'cohere',
};

const most = 60_000;

/** Built in, and recorded where recordings lie beside the checkout. */
export const REPLIES: Readonly<Record<DialectName, Replies>> = (() => {
  const all = {} as Record<DialectName, Replies>;
  for (const [name, { whole, stream, refusal }] of Object.entries(BUILT_IN))
    all[name as DialectName] = { whole: [...whole], stream: [...stream], refusal: [...refusal] };
  for (const { api, stream, http_status, files } of RECORDINGS) {
    const dialect = DIALECT_OF[api];
    const bytes = bytesOf(files.response);
    if (dialect && bytes.length < most) all[dialect][http_status === 200 ? (stream ? 'stream' : 'whole') : 'refusal'].push(bytes);
  }
  return all;
})();

/** What providers of embeddings send, of every format. */
export const VECTORS: readonly Buffer[] = [
  json({ data: [{ index: 0, embedding: [0.1, -2] }, { embedding: 'zczMPQ==' }], model: 'm', usage: { prompt_tokens: 3, total_tokens: 3 } }),
  json({ embeddings: [{ values: [0.1] }], usageMetadata: { promptTokenCount: 1 } }),
  json({ embeddings: { float: [[0.1]], base64: ['zczMPQ=='] }, meta: { billed_units: { input_tokens: 3 } } }),
  json({ embeddings: [[0.1]], prompt_eval_count: 3, model: 'm' }),
  json({ predictions: [{ embeddings: { values: [0.1], statistics: { token_count: 3, truncated: false } } }] }),
  json({ embedding: [0.1], inputTextTokenCount: 3 }),
  json({ success: true, result: { data: [[0.1]], shape: [1, 1] } }),
  ...RECORDINGS.filter(({ api }) => /embed/i.test(api)).map(({ files }) => bytesOf(files.response)),
];

const TOOL = { type: 'object', properties: { city: { type: 'string', enum: ['Bonn'] } }, required: ['city'], additionalProperties: false };
const PNG = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const PDF = 'data:application/pdf;base64,JVBERi0xLjQ=';

const CHAT_REQUEST = {
  model: 'up/m',
  messages: [
    { role: 'system', content: 'Be brief.' },
    { role: 'developer', content: [{ type: 'text', text: 'No jokes.' }] },
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Weather?', cache_control: { type: 'ephemeral', ttl: '1h' } },
        { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG}`, detail: 'low' } },
        { type: 'image_url', image_url: { url: 'https://a.b/c.png' } },
        { type: 'file', file: { filename: 'a.pdf', file_data: PDF } },
        { type: 'input_audio', input_audio: { data: 'aGk=', format: 'wav' } },
      ],
    },
    {
      role: 'assistant',
      content: 'Let me see',
      reasoning_content: 'Hm',
      reasoning_details: [{ type: 'reasoning.text', text: 'Hm', signature: 's', format: 'anthropic-claude-v1', index: 0 }],
      tool_calls: [
        {
          id: 'call_1',
          type: 'function',
          function: { name: 'weather', arguments: '{"city":"Bonn"}' },
          extra_content: { google: { thought_signature: 's' } },
        },
      ],
    },
    { role: 'tool', tool_call_id: 'call_1', content: 'rain' },
    { role: 'user', name: 'ann', content: 'Thanks' },
  ],
  tools: [{ type: 'function', function: { name: 'weather', description: 'Tells it.', parameters: TOOL, strict: true } }],
  tool_choice: { type: 'function', function: { name: 'weather' } },
  parallel_tool_calls: false,
  response_format: { type: 'json_schema', json_schema: { name: 'out', schema: TOOL, strict: true } },
  reasoning_effort: 'high',
  temperature: 0.5,
  top_p: 0.9,
  stop: ['x'],
  seed: 7,
  n: 1,
  presence_penalty: 0.1,
  frequency_penalty: 0.1,
  logit_bias: { '1': 2 },
  logprobs: true,
  top_logprobs: 2,
  max_completion_tokens: 100,
  user: 'u',
  service_tier: 'auto',
  verbosity: 'low',
  metadata: { a: 'b' },
  stream_options: { include_usage: true },
};

const MESSAGES_REQUEST = {
  model: 'up/m',
  max_tokens: 2000,
  system: [{ type: 'text', text: 'Be brief.', cache_control: { type: 'ephemeral' } }],
  messages: [
    {
      role: 'user',
      content: [
        { type: 'text', text: 'Weather?' },
        { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
        { type: 'image', source: { type: 'url', url: 'https://a.b/c.png' } },
        { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'JVBERi0xLjQ=' }, title: 'a' },
        { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'hi' } },
      ],
    },
    {
      role: 'assistant',
      content: [
        { type: 'thinking', thinking: 'Hm', signature: 'sig' },
        { type: 'redacted_thinking', data: 'zzz' },
        { type: 'text', text: 'Let me see' },
        { type: 'tool_use', id: 'toolu_1', name: 'weather', input: { city: 'Bonn' } },
      ],
    },
    {
      role: 'user',
      content: [
        {
          type: 'tool_result',
          tool_use_id: 'toolu_1',
          is_error: false,
          content: [
            { type: 'text', text: 'rain' },
            { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG } },
          ],
        },
      ],
    },
  ],
  tools: [{ name: 'weather', description: 'Tells it.', input_schema: TOOL, strict: true, cache_control: { type: 'ephemeral', ttl: '1h' } }],
  tool_choice: { type: 'auto', disable_parallel_tool_use: true },
  thinking: { type: 'enabled', budget_tokens: 1024 },
  output_config: { effort: 'high', format: { type: 'json_schema', schema: TOOL } },
  stop_sequences: ['x'],
  temperature: 1,
  top_k: 3,
  metadata: { user_id: 'u' },
};

const RESPONSES_REQUEST = {
  model: 'up/m',
  instructions: 'Be brief.',
  input: [
    { role: 'developer', content: 'No jokes.' },
    {
      type: 'message',
      role: 'user',
      content: [
        { type: 'input_text', text: 'Weather?' },
        { type: 'input_image', image_url: `data:image/png;base64,${PNG}`, detail: 'low' },
        { type: 'input_file', filename: 'a.pdf', file_data: PDF },
      ],
    },
    { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Hm' }], encrypted_content: 'enc' },
    { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'Let me see', annotations: [] }] },
    { type: 'function_call', call_id: 'call_1', name: 'weather', arguments: '{"city":"Bonn"}' },
    { type: 'function_call_output', call_id: 'call_1', output: [{ type: 'input_text', text: 'rain' }] },
    { type: 'custom_tool_call', call_id: 'call_2', name: 'free', input: 'x' },
    { type: 'custom_tool_call_output', call_id: 'call_2', output: 'y' },
    { type: 'web_search_call', id: 'ws_1', status: 'completed' },
  ],
  tools: [
    { type: 'function', name: 'weather', description: 'Tells it.', parameters: TOOL, strict: true },
    { type: 'custom', name: 'free', description: 'Text.', format: { type: 'text' } },
  ],
  tool_choice: { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'weather' }] },
  parallel_tool_calls: true,
  text: { format: { type: 'json_schema', name: 'out', schema: TOOL, strict: true }, verbosity: 'low' },
  reasoning: { effort: 'high', summary: 'auto' },
  include: ['reasoning.encrypted_content'],
  max_output_tokens: 100,
  temperature: 0.5,
  top_logprobs: 2,
  store: false,
  truncation: 'disabled',
  metadata: { a: 'b' },
  safety_identifier: 'u',
};

const COMPLETIONS_REQUEST = {
  model: 'up/m',
  prompt: 'Once',
  max_tokens: 10,
  n: 1,
  stop: 'x',
  suffix: null,
  echo: false,
  logprobs: 2,
  temperature: 0.5,
  best_of: 1,
  user: 'u',
};

const SURFACES: Record<string, SurfaceName> = {
  'chat.completions': 'openai-chat',
  completions: 'openai-completions',
  responses: 'openai-responses',
  messages: 'anthropic-messages',
};

/** What clients send. */
export const REQUESTS: Readonly<Record<SurfaceName, Record<string, unknown>[]>> = (() => {
  const all: Record<SurfaceName, Record<string, unknown>[]> = {
    'openai-chat': [CHAT_REQUEST, { model: 'up/m', messages: [{ role: 'user', content: 'Hi' }] }],
    'openai-completions': [COMPLETIONS_REQUEST],
    'openai-responses': [RESPONSES_REQUEST, { model: 'up/m', input: 'Hi' }],
    'anthropic-messages': [MESSAGES_REQUEST, { model: 'up/m', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] }],
    'chat-complete': [
      {
        model: 'up/m',
        messages: [{ role: 'user', content: 'Hi' }],
        tools: [{ name: 'weather', description: 'Tells it.', parameters: TOOL }],
      },
      { ...CHAT_REQUEST, n: undefined },
    ],
  };
  for (const { api, files } of RECORDINGS) {
    const surface = SURFACES[api];
    if (!surface || !files.request) continue;
    const bytes = bytesOf(files.request);
    if (bytes.length < most) all[surface].push(JSON.parse(bytes.toString()));
  }
  return all;
})();

export const EMBEDDING_REQUESTS: readonly Record<string, unknown>[] = [
  { model: 'up/m', input: ['a', 'b'], dimensions: 8, encoding_format: 'base64', user: 'u', input_type: 'search_query' },
  { model: 'up/m', input: [[1, 2], [3]] },
];
