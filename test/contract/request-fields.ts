import type { SurfaceName } from '../../src/dialects/dialect.js';

/** One field of a request, or one of its values that is treated differently. */
export interface Field {
  /** Where it stands; what follows a blank or a colon tells values apart. */
  path: string;
  body: object;
  /** The same request without it. */
  without: object;
  /** Other names that a warning may call it by. */
  names?: readonly string[];
}

export interface SurfaceFields {
  surface: SurfaceName;
  title: string;
  fields: Field[];
  /** Interfaces that list the fields, in declarations of the vendor's SDK. */
  types: { file: string; name: string; at: string }[];
}

const SCHEMA = { type: 'object', properties: { a: { type: 'string' } }, required: ['a'], additionalProperties: false };
const PIXEL = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';

/** A field at the top of a request. */
type Given = Record<string, unknown>;
const over =
  (base: Given) =>
  (path: string, given: Given, more: { without?: Given; names?: readonly string[] } = {}): Field => ({
    path,
    body: { ...base, ...more.without, ...given },
    without: { ...base, ...more.without },
    ...(more.names && { names: more.names }),
  });

// ---- chat completions

const CHAT = over({ model: 'm', messages: [{ role: 'user', content: 'Hi' }] });
const chatFunction = { name: 'f', description: 'F.', parameters: SCHEMA };
const chatTool = { type: 'function', function: chatFunction };
const chatTools = { tools: [chatTool, { type: 'function', function: { ...chatFunction, name: 'g' } }] };

/** A message of the history, with something in it and without. */
const chatSaid = (path: string, message: Given, more: Given, names?: readonly string[]): Field =>
  CHAT(
    path,
    {
      messages: [
        { role: 'user', content: 'Hi' },
        { ...message, ...more },
        { role: 'user', content: 'On.' },
      ],
    },
    { without: { messages: [{ role: 'user', content: 'Hi' }, message, { role: 'user', content: 'On.' }] }, ...(names && { names }) },
  );
const chatAnswer = { role: 'assistant', content: 'Hello.' };
const chatCall = { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":"1"}' } };

const CHAT_FIELDS: Field[] = [
  CHAT('messages', { messages: [{ role: 'user', content: 'Bye' }] }),
  CHAT('audio', { audio: { format: 'mp3', voice: 'alloy' } }),
  CHAT('modalities: text', { modalities: ['text'] }),
  CHAT('modalities: text, audio', { modalities: ['text', 'audio'], audio: { format: 'mp3', voice: 'alloy' } }),
  CHAT('frequency_penalty', { frequency_penalty: 0.5 }),
  CHAT('presence_penalty', { presence_penalty: 0.5 }),
  CHAT('functions', { functions: [chatFunction] }),
  CHAT('function_call', { function_call: { name: 'f' } }, { without: { functions: [chatFunction] }, names: ['tool'] }),
  CHAT('logit_bias', { logit_bias: { '50': 5 } }),
  CHAT('logprobs', { logprobs: true }),
  CHAT('top_logprobs', { top_logprobs: 3 }, { without: { logprobs: true } }),
  CHAT('max_completion_tokens', { max_completion_tokens: 77 }),
  CHAT('max_tokens', { max_tokens: 77 }),
  CHAT('metadata', { metadata: { a: 'b' } }),
  CHAT('moderation', { moderation: { model: 'omni' } }),
  CHAT('n', { n: 2 }),
  CHAT('parallel_tool_calls', { parallel_tool_calls: false }, { without: chatTools }),
  CHAT('prediction', { prediction: { type: 'content', content: 'x' } }),
  CHAT('prompt_cache_key', { prompt_cache_key: 'k' }),
  CHAT('prompt_cache_options', { prompt_cache_options: { mode: 'explicit' } }),
  CHAT('prompt_cache_retention', { prompt_cache_retention: '24h' }),
  CHAT('reasoning_effort', { reasoning_effort: 'low' }, { names: ['thinking'] }),
  CHAT('reasoning_effort: none', { reasoning_effort: 'none' }, { names: ['thinking'] }),
  CHAT('response_format: text', { response_format: { type: 'text' } }),
  CHAT('response_format: json_object', { response_format: { type: 'json_object' } }),
  CHAT('response_format: json_schema', {
    response_format: { type: 'json_schema', json_schema: { name: 'a', schema: SCHEMA, strict: true } },
  }),
  CHAT('safety_identifier', { safety_identifier: 'u1' }),
  CHAT('user', { user: 'u1' }),
  CHAT('seed', { seed: 7 }),
  CHAT('service_tier: flex', { service_tier: 'flex' }),
  CHAT('service_tier: auto', { service_tier: 'auto' }),
  CHAT('stop', { stop: ['END'] }),
  CHAT('store: true', { store: true }),
  CHAT('store: false', { store: false }),
  CHAT('stream', { stream: true }),
  CHAT('stream_options.include_usage', { stream_options: { include_usage: true } }, { without: { stream: true } }),
  CHAT('stream_options.include_obfuscation', { stream_options: { include_obfuscation: false } }, { without: { stream: true } }),
  CHAT('temperature', { temperature: 0.5 }),
  CHAT('temperature: 1.7', { temperature: 1.7 }),
  CHAT('top_p', { top_p: 0.5 }),
  CHAT('tools', chatTools),
  CHAT(
    'tools.function.strict',
    { tools: [{ ...chatTool, function: { ...chatFunction, strict: true } }] },
    { without: { tools: [chatTool] } },
  ),
  CHAT('tools.custom', { tools: [{ type: 'custom', custom: { name: 'f', description: 'F.' } }] }),
  CHAT('tool_choice: none', { tool_choice: 'none' }, { without: chatTools }),
  CHAT('tool_choice: required', { tool_choice: 'required' }, { without: chatTools, names: ['tool'] }),
  CHAT('tool_choice: named', { tool_choice: { type: 'function', function: { name: 'f' } } }, { without: chatTools, names: ['tool'] }),
  CHAT('verbosity', { verbosity: 'low' }),
  CHAT('web_search_options', { web_search_options: {} }),
  CHAT('unknown_field', { unknown_field: 1 }),
  chatSaid('messages[user].role', { role: 'user', content: 'Ho' }, { role: 'system' }),
  chatSaid('messages[user].content', { role: 'user', content: 'Ho' }, { content: 'He' }),
  chatSaid('messages[user].name', { role: 'user', content: 'Ho' }, { name: 'ada' }),
  chatSaid('messages[system].name', { role: 'system', content: 'Ho' }, { name: 'ada' }),
  chatSaid(
    'messages[user].content.image_url.detail',
    { role: 'user', content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}` } }] },
    {
      content: [{ type: 'image_url', image_url: { url: `data:image/png;base64,${PIXEL}`, detail: 'low' } }],
    },
  ),
  chatSaid(
    'messages[user].content.input_audio',
    { role: 'user', content: 'Ho' },
    {
      content: [{ type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } }],
    },
    ['audio'],
  ),
  chatSaid('messages[assistant].role', chatAnswer, { role: 'user' }),
  chatSaid('messages[assistant].content', chatAnswer, { content: 'Hey.' }),
  chatSaid('messages[assistant].name', chatAnswer, { name: 'ada' }),
  chatSaid('messages[assistant].audio', { role: 'assistant', content: 'Hello.' }, { audio: { id: 'audio_1' } }),
  chatSaid('messages[assistant].refusal', chatAnswer, { refusal: 'I will not.' }),
  chatSaid('messages[assistant].annotations', chatAnswer, {
    annotations: [{ type: 'url_citation', url_citation: { url: 'https://a.example', title: 'A', start_index: 0, end_index: 5 } }],
  }),
  CHAT('messages[assistant].tool_calls', {
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: null, tool_calls: [chatCall] },
      { role: 'tool', tool_call_id: 'c1', content: 'x' },
    ],
  }),
  CHAT('messages[assistant].function_call', {
    messages: [
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: null, function_call: chatCall.function },
      { role: 'function', name: 'f', content: 'x' },
    ],
  }),
];

// ---- Responses

const RESPONSES = over({ model: 'm', input: 'Hi' });
const responsesTool = { type: 'function', name: 'f', description: 'F.', parameters: SCHEMA, strict: false };
const responsesTools = { tools: [responsesTool, { ...responsesTool, name: 'g' }] };
const hosted = (type: string, more: Given = {}): Field =>
  RESPONSES(`tools: ${type}`, { tools: [responsesTool, { type, ...more }] }, { without: { tools: [responsesTool] }, names: [type] });
const said = (path: string, content: Given, more: Given, message: Given = {}): Field => {
  const input = (extra: Given, onMessage: Given) => [
    { role: 'user', content: 'Hi' },
    { type: 'message', id: 'msg_1', status: 'completed', role: 'assistant', content: [{ ...content, ...extra }], ...onMessage },
    { role: 'user', content: 'On.' },
  ];
  return RESPONSES(path, { input: input(more, message) }, { without: { input: input({}, {}) } });
};

const RESPONSES_FIELDS: Field[] = [
  RESPONSES('input', { input: 'Bye' }),
  RESPONSES('access_programs', { access_programs: { a: true } }),
  RESPONSES('background: true', { background: true }),
  RESPONSES('background: false', { background: false }),
  RESPONSES('context_management', { context_management: [{ type: 'compaction', compact_threshold: 1000 }] }),
  RESPONSES('conversation', { conversation: 'conv_1' }),
  RESPONSES('image', { image: { quality: 'low' } }),
  RESPONSES('include: reasoning.encrypted_content', { include: ['reasoning.encrypted_content'] }),
  RESPONSES('include: message.output_text.logprobs', { include: ['message.output_text.logprobs'] }, { names: ['logprobs'] }),
  RESPONSES('include: file_search_call.results', { include: ['file_search_call.results'] }),
  RESPONSES('instructions', { instructions: 'Be brief.' }),
  RESPONSES('max_output_tokens', { max_output_tokens: 77 }),
  RESPONSES('max_tool_calls', { max_tool_calls: 3 }),
  RESPONSES('metadata', { metadata: { a: 'b' } }),
  RESPONSES('moderation', { moderation: { model: 'omni' } }),
  RESPONSES('parallel_tool_calls', { parallel_tool_calls: false }, { without: responsesTools }),
  RESPONSES('previous_response_id', { previous_response_id: 'resp_1' }),
  RESPONSES('prompt', { prompt: { id: 'p' } }),
  RESPONSES('prompt_cache_key', { prompt_cache_key: 'k' }),
  RESPONSES('prompt_cache_options', { prompt_cache_options: { mode: 'explicit' } }),
  RESPONSES('prompt_cache_retention', { prompt_cache_retention: '24h' }),
  RESPONSES('reasoning.effort', { reasoning: { effort: 'low' } }, { names: ['thinking'] }),
  RESPONSES('reasoning.effort: none', { reasoning: { effort: 'none' } }, { names: ['thinking'] }),
  RESPONSES('reasoning.summary', { reasoning: { summary: 'auto' } }, { names: ['thinking'] }),
  RESPONSES('reasoning.generate_summary', { reasoning: { generate_summary: 'auto' } }, { names: ['thinking'] }),
  RESPONSES('reasoning.context', { reasoning: { context: 'all_turns' } }),
  RESPONSES('reasoning.mode', { reasoning: { mode: 'pro' } }),
  RESPONSES('safety_identifier', { safety_identifier: 'u1' }),
  RESPONSES('user', { user: 'u1' }),
  RESPONSES('service_tier: flex', { service_tier: 'flex' }),
  RESPONSES('service_tier: auto', { service_tier: 'auto' }),
  RESPONSES('store: true', { store: true }),
  RESPONSES('store: false', { store: false }),
  RESPONSES('stream', { stream: true }),
  RESPONSES('stream_options', { stream_options: { include_obfuscation: false } }, { without: { stream: true } }),
  RESPONSES('temperature', { temperature: 0.5 }),
  RESPONSES('top_p', { top_p: 0.5 }),
  RESPONSES('top_logprobs', { top_logprobs: 3 }),
  RESPONSES('text.format: text', { text: { format: { type: 'text' } } }),
  RESPONSES('text.format: json_object', { text: { format: { type: 'json_object' } } }, { names: ['json', 'response_format'] }),
  RESPONSES(
    'text.format: json_schema',
    { text: { format: { type: 'json_schema', name: 'a', schema: SCHEMA, strict: true } } },
    { names: ['response_format'] },
  ),
  RESPONSES('text.verbosity', { text: { verbosity: 'low' } }),
  RESPONSES('tools', responsesTools),
  RESPONSES('tools: custom', { tools: [{ type: 'custom', name: 'f' }] }),
  hosted('web_search'),
  hosted('file_search', { vector_store_ids: ['vs_1'] }),
  hosted('code_interpreter', { container: { type: 'auto' } }),
  hosted('image_generation'),
  hosted('mcp', { server_label: 's', server_url: 'https://a.example' }),
  RESPONSES('tool_choice: none', { tool_choice: 'none' }, { without: responsesTools }),
  RESPONSES('tool_choice: required', { tool_choice: 'required' }, { without: responsesTools, names: ['tool'] }),
  RESPONSES('tool_choice: named', { tool_choice: { type: 'function', name: 'f' } }, { without: responsesTools, names: ['tool'] }),
  RESPONSES('truncation: auto', { truncation: 'auto' }),
  RESPONSES('truncation: disabled', { truncation: 'disabled' }),
  RESPONSES('unknown_field', { unknown_field: 1 }),
  said(
    'input[assistant].annotations',
    { type: 'output_text', text: 'Hello.', annotations: [] },
    {
      annotations: [{ type: 'url_citation', url: 'https://a.example', title: 'A', start_index: 0, end_index: 5 }],
    },
  ),
  said(
    'input[assistant].logprobs',
    { type: 'output_text', text: 'Hello.', annotations: [] },
    { logprobs: [{ token: 'a', logprob: -1, bytes: [97], top_logprobs: [] }] },
  ),
  said('input[assistant].refusal', { type: 'output_text', text: 'Hello.', annotations: [] }, { type: 'refusal', refusal: 'I will not.' }),
  said('input[assistant].phase', { type: 'output_text', text: 'Hello.', annotations: [] }, {}, { phase: 'commentary' }),
];

// ---- Messages

const MESSAGES = over({ model: 'm', max_tokens: 2000, messages: [{ role: 'user', content: 'Hi' }] });
const messagesTool = { name: 'f', description: 'F.', input_schema: SCHEMA };
const messagesTools = { tools: [messagesTool, { ...messagesTool, name: 'g' }] };
const offered = (type: string, name: string): Field =>
  MESSAGES(`tools: ${type}`, { tools: [messagesTool, { type, name }] }, { without: { tools: [messagesTool] } });
const onTool = (field: string, value: unknown): Field =>
  MESSAGES(`tools.${field}`, { tools: [{ ...messagesTool, [field]: value }] }, { without: { tools: [messagesTool] } });
const block = (path: string, role: string, without: Given, more: Given): Field => {
  const messages = (content: Given) => [
    { role: 'user', content: 'Hi' },
    { role, content: [content] },
    { role: 'user', content: 'On.' },
  ];
  return MESSAGES(path, { messages: messages({ ...without, ...more }) }, { without: { messages: messages(without) } });
};
const DOCUMENT = { type: 'document', source: { type: 'base64', media_type: 'application/pdf', data: 'AAAA' } };

const MESSAGES_FIELDS: Field[] = [
  MESSAGES('max_tokens', { max_tokens: 77 }),
  MESSAGES('messages', { messages: [{ role: 'user', content: 'Bye' }] }),
  MESSAGES('cache_control', { cache_control: { type: 'ephemeral' } }),
  MESSAGES('container', { container: 'c' }),
  MESSAGES('diagnostics', { diagnostics: { previous_message_id: 'msg_1' } }),
  MESSAGES('inference_geo', { inference_geo: 'us' }),
  MESSAGES('metadata.user_id', { metadata: { user_id: 'u1' } }, { names: ['user'] }),
  MESSAGES('output_config.effort', { output_config: { effort: 'low' } }, { names: ['thinking'] }),
  MESSAGES('output_config.format', { output_config: { format: { type: 'json_schema', schema: SCHEMA } } }, { names: ['response_format'] }),
  MESSAGES('service_tier: auto', { service_tier: 'auto' }),
  MESSAGES('service_tier: standard_only', { service_tier: 'standard_only' }),
  MESSAGES('speed', { speed: 'fast' }),
  MESSAGES('stop_sequences', { stop_sequences: ['END'] }, { names: ['stop'] }),
  MESSAGES('stream', { stream: true }),
  MESSAGES('system', { system: 'Be brief.' }),
  MESSAGES('temperature', { temperature: 0.5 }),
  MESSAGES('top_k', { top_k: 5 }),
  MESSAGES('top_p', { top_p: 0.5 }),
  MESSAGES('thinking: enabled', { thinking: { type: 'enabled', budget_tokens: 1024 } }),
  MESSAGES('thinking: adaptive', { thinking: { type: 'adaptive' } }),
  MESSAGES('thinking: disabled', { thinking: { type: 'disabled' } }),
  MESSAGES(
    'thinking.display: omitted',
    { thinking: { type: 'enabled', budget_tokens: 1024, display: 'omitted' } },
    { without: { thinking: { type: 'enabled', budget_tokens: 1024 } }, names: ['thinking'] },
  ),
  MESSAGES('tools', messagesTools),
  onTool('name', 'h'),
  onTool('description', 'G.'),
  onTool('input_schema', { type: 'object', properties: { b: { type: 'string' } } }),
  onTool('type', 'custom'),
  onTool('strict', true),
  onTool('cache_control', { type: 'ephemeral' }),
  onTool('input_examples', [{ a: '1' }]),
  onTool('eager_input_streaming', true),
  onTool('defer_loading', true),
  onTool('allowed_callers', ['direct']),
  offered('web_search_20250305', 'web_search'),
  offered('web_fetch_20250910', 'web_fetch'),
  offered('code_execution_20250825', 'code_execution'),
  offered('bash_20250124', 'bash'),
  MESSAGES('tool_choice: any', { tool_choice: { type: 'any' } }, { without: messagesTools, names: ['tool'] }),
  MESSAGES('tool_choice: tool', { tool_choice: { type: 'tool', name: 'f' } }, { without: messagesTools, names: ['tool'] }),
  MESSAGES('tool_choice: none', { tool_choice: { type: 'none' } }, { without: messagesTools }),
  MESSAGES(
    'tool_choice.disable_parallel_tool_use',
    { tool_choice: { type: 'auto', disable_parallel_tool_use: true } },
    { without: { ...messagesTools, tool_choice: { type: 'auto' } }, names: ['parallel_tool_calls'] },
  ),
  MESSAGES('user_profile_id', { user_profile_id: 'u' }),
  MESSAGES('workspace_id', { workspace_id: 'w' }),
  MESSAGES('unknown_field', { unknown_field: 1 }),
  block('messages[user].cache_control', 'user', { type: 'text', text: 'Ho' }, { cache_control: { type: 'ephemeral' } }),
  block('messages[user].document.citations', 'user', DOCUMENT, { citations: { enabled: true } }),
  block('messages[user].document.context', 'user', DOCUMENT, { context: 'C' }),
  block('messages[user].document.title', 'user', DOCUMENT, { title: 'T' }),
  block(
    'messages[user].search_result.citations',
    'user',
    { type: 'search_result', title: 'T', source: 's', content: [{ type: 'text', text: 'x' }] },
    { citations: { enabled: true } },
  ),
  block(
    'messages[assistant].citations',
    'assistant',
    { type: 'text', text: 'Hello.' },
    {
      citations: [{ type: 'web_search_result_location', url: 'https://a.example', title: 'A', encrypted_index: 'e', cited_text: 'x' }],
    },
  ),
];

const OPENAI_CHAT = 'openai/resources/chat/completions/completions.d.ts';
const OPENAI_RESPONSES = 'openai/resources/responses/responses.d.ts';
const ANTHROPIC_MESSAGES = '@anthropic-ai/sdk/resources/messages/messages.d.ts';

export const SURFACES: SurfaceFields[] = [
  {
    surface: 'openai-chat',
    title: 'Chat completions',
    fields: CHAT_FIELDS,
    types: [
      { file: OPENAI_CHAT, name: 'ChatCompletionCreateParamsBase', at: '' },
      { file: OPENAI_CHAT, name: 'ChatCompletionAssistantMessageParam', at: 'messages[assistant]' },
      { file: OPENAI_CHAT, name: 'ChatCompletionUserMessageParam', at: 'messages[user]' },
      { file: OPENAI_CHAT, name: 'ChatCompletionStreamOptions', at: 'stream_options' },
    ],
  },
  {
    surface: 'openai-responses',
    title: 'Responses',
    fields: RESPONSES_FIELDS,
    types: [
      { file: OPENAI_RESPONSES, name: 'ResponseCreateParamsBase', at: '' },
      { file: OPENAI_RESPONSES, name: 'ResponseTextConfig', at: 'text' },
      { file: 'openai/resources/shared.d.ts', name: 'Reasoning', at: 'reasoning' },
    ],
  },
  {
    surface: 'anthropic-messages',
    title: 'Messages',
    fields: MESSAGES_FIELDS,
    types: [
      { file: ANTHROPIC_MESSAGES, name: 'MessageCreateParamsBase', at: '' },
      { file: ANTHROPIC_MESSAGES, name: 'OutputConfig', at: 'output_config' },
      { file: ANTHROPIC_MESSAGES, name: 'Metadata', at: 'metadata' },
      { file: ANTHROPIC_MESSAGES, name: 'Tool', at: 'tools' },
    ],
  },
];

/** Fields that are not sent where nothing is lost by it. */
export const NOTHING_LOST: { surface: SurfaceName[]; path: RegExp; columns: RegExp; said: string; why: string }[] = [
  {
    surface: ['openai-chat', 'openai-responses'],
    path: /^(response_format: text|text\.format: text|background: false|truncation: disabled)$/,
    columns: /./,
    said: '`response_format` and `text.format` of type `text`, `background: false`, `truncation: disabled`',
    why: 'this is the default behavior.',
  },
  {
    surface: ['openai-chat', 'openai-responses'],
    path: /^stream_options/,
    columns: /./,
    said: '`stream_options`',
    why: 'Weir writes the stream itself. It sends the usage if the request asks for it, and adds no padding.',
  },
  {
    surface: ['openai-responses'],
    path: /^(store: false|metadata|include: reasoning\.encrypted_content)$/,
    columns: /./,
    said: '`store: false`, `metadata` and `include: reasoning.encrypted_content` of Responses',
    why: 'Weir keeps nothing, returns the metadata in the reply, and always returns the state of reasoning.',
  },
  {
    surface: ['openai-responses'],
    path: /^top_logprobs$/,
    columns: /./,
    said: '`top_logprobs` of Responses',
    why: 'it has an effect only with `include: message.output_text.logprobs`. In that case Weir maps it or names it in a warning.',
  },
  {
    surface: ['openai-responses'],
    path: /^input\[assistant\]\.(logprobs|phase)$/,
    columns: /./,
    said: '`logprobs` and `phase` of earlier answers',
    why: 'they are notes on a text for clients and for models of OpenAI. Weir sends the text.',
  },
  {
    surface: ['openai-chat', 'openai-responses', 'anthropic-messages'],
    path: /^service_tier: (auto|standard_only)$/,
    columns: /./,
    said: '`service_tier: auto` and `standard_only`',
    why: 'the provider has only one tier, or chooses the tier.',
  },
  {
    surface: ['openai-chat', 'openai-responses', 'anthropic-messages'],
    path: /^(reasoning_effort: none|reasoning\.effort: none|thinking: disabled)$/,
    columns: /gpt-4\.1|completions|haiku|2\.0|llama|command-r$|Workers/,
    said: 'thinking that is turned off, for models without thinking',
    why: 'they do not think.',
  },
  {
    surface: ['anthropic-messages'],
    path: /^tools\.type$/,
    columns: /./,
    said: '`type: custom` of a tool of Messages',
    why: 'a tool without a type has the same meaning.',
  },
  {
    surface: ['anthropic-messages'],
    path: /^thinking: adaptive$/,
    columns: /gpt-5/,
    said: '`thinking` of type `adaptive`, for models that reason by default',
    why: 'these models decide how much they think.',
  },
  {
    surface: ['anthropic-messages'],
    path: /^thinking\.display: omitted$/,
    columns: /^(chat|Responses), gpt-5/,
    said: '`thinking.display: omitted`, for OpenAI',
    why: 'OpenAI shows reasoning only if the request asks for it.',
  },
  {
    surface: ['anthropic-messages'],
    path: /cache_control$/,
    columns: /./,
    said: '`cache_control`, if the format or the model has no cache marks',
    why: 'the answer is the same. Such providers cache prompts automatically, or not at all.',
  },
];
