import { bytesOf, type Recording } from '../../support/recordings.js';
import { type Heard, hearsCohere, REPLY_FORMATS } from '../../support/tool-replies.js';

type Json = ReturnType<typeof JSON.parse>;

/** How one recorded API writes a turn of the model, read without any code of Weir's. */
interface Native {
  /** What a request of this API tells of calls, results and states. */
  hears(body: Json): Heard;
  /** A request that holds nothing but the model's turn of a reply, given as its JSON documents. */
  turnOf(documents: Json[]): Json;
  /** A whole reply that says a model's turn of a recorded request. */
  replyOf(request: Json): Json;
  /** The model's turns of a request, as far as they are held against a recording word for word. */
  modelTurnsOf(request: Json): Json;
}

const { chat, messages, gemini, converse, responses } = REPLY_FORMATS;

const NOTHING = () => undefined;

const isModel = ({ role }: Json) => role === 'assistant' || role === 'model';

const NATIVE: Record<string, Native> = {
  messages: {
    hears: messages.hears,
    turnOf: (documents) => ({ messages: [{ content: documents.length === 1 ? documents[0].content : anthropicBlocks(documents) }] }),
    replyOf: ({ messages: turns, model }) => ({
      id: 'msg_1',
      type: 'message',
      role: 'assistant',
      model,
      content: turns.find(isModel).content,
      stop_reason: 'tool_use',
      stop_sequence: null,
      usage: { input_tokens: 1, output_tokens: 1 },
    }),
    modelTurnsOf: ({ messages: turns }) => turns.filter(isModel),
  },
  converse: {
    hears: converse.hears,
    turnOf: ([{ output }]) => ({ messages: [output.message] }),
    replyOf: ({ messages: turns }) => ({
      output: { message: turns.find(isModel) },
      stopReason: 'tool_use',
      usage: { inputTokens: 1, outputTokens: 1, totalTokens: 2 },
    }),
    modelTurnsOf: ({ messages: turns }) => turns.filter(isModel),
  },
  gemini: {
    hears: gemini.hears,
    turnOf: (documents) => ({
      contents: documents.flatMap(({ candidates }) => candidates ?? []).flatMap(({ content }) => (content?.parts ? [content] : [])),
    }),
    replyOf: ({ contents }) => ({
      candidates: [{ index: 0, content: contents.find(isModel), finishReason: 'STOP' }],
      usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 1, totalTokenCount: 2 },
    }),
    modelTurnsOf: ({ contents }) => contents.filter(isModel),
  },
  responses: {
    hears: responses.hears,
    turnOf: (documents) => ({
      input:
        documents.length === 1
          ? documents[0].output
          : documents.filter(({ type }) => type === 'response.output_item.done').map(({ item }) => item),
    }),
    replyOf: ({ input, model }) => ({
      id: 'resp_1',
      object: 'response',
      created_at: 1,
      status: 'completed',
      model,
      output: input.filter(({ type }: Json) => type === 'function_call' || type === 'reasoning'),
      usage: { input_tokens: 1, output_tokens: 1, total_tokens: 2 },
    }),
    modelTurnsOf: NOTHING,
  },
  'chat.completions': {
    hears: chat.hears,
    turnOf: (documents) => ({ messages: [documents[0].choices?.[0]?.message ?? chatMessage(documents)] }),
    replyOf: ({ messages: turns, model }) => ({
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model,
      choices: [{ index: 0, message: turns.find(isModel), finish_reason: 'tool_calls' }],
      usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
    }),
    modelTurnsOf: NOTHING,
  },
  'v2/chat': {
    hears: hearsCohere,
    turnOf: (documents) => ({ messages: [documents.length === 1 ? documents[0].message : cohereMessage(documents)] }),
    replyOf: NOTHING,
    modelTurnsOf: NOTHING,
  },
};

export function nativeOf({ api }: Recording): Native {
  return NATIVE[/generateContent/i.test(api) ? 'gemini' : api.replace('-stream', '')]!;
}

/** What the recorded model said. */
export function saidIn(recording: Recording): Heard {
  const { hears, turnOf } = nativeOf(recording);
  return hears(turnOf(documentsOf(recording)));
}

function documentsOf({ files, stream }: Recording): Json[] {
  const text = bytesOf(files.response).toString();
  if (!stream) return [JSON.parse(text)];
  return text.split(/\r?\n/).flatMap((line) => (/^data: ?\{/.test(line) ? [JSON.parse(line.replace(/^data: ?/, ''))] : []));
}

function anthropicBlocks(events: Json[]): Json[] {
  const blocks: Json[] = [];
  for (const { type, index, content_block, delta } of events) {
    if (type === 'content_block_start') blocks[index] = { json: '', ...content_block };
    if (type !== 'content_block_delta') continue;
    const block = blocks[index];
    block.thinking += delta.thinking ?? '';
    block.signature = delta.signature ?? block.signature;
    block.json += delta.partial_json ?? '';
  }
  return blocks.map(({ json, ...block }) => (block.type === 'tool_use' ? { ...block, input: JSON.parse(json || '{}') } : block));
}

function chatMessage(chunks: Json[]): Json {
  const calls: Json[] = [];
  for (const { index, id, function: called } of chunks.flatMap(({ choices }) => choices?.[0]?.delta?.tool_calls ?? [])) {
    calls[index ?? 0] ??= { id, function: { name: called.name, arguments: '' } };
    calls[index ?? 0].function.arguments += called.arguments ?? '';
  }
  return { role: 'assistant', tool_calls: calls };
}

function cohereMessage(events: Json[]): Json {
  let plan = '';
  const calls: Json[] = [];
  for (const { type, index, delta } of events) {
    const { tool_plan, tool_calls: call } = delta?.message ?? {};
    if (type === 'tool-plan-delta') plan += tool_plan;
    if (type === 'tool-call-start') calls[index] = { ...call, function: { ...call.function, arguments: call.function.arguments ?? '' } };
    if (type === 'tool-call-delta') calls[index].function.arguments += call.function.arguments;
  }
  for (const { function: called } of calls) called.arguments ||= '{}';
  return { role: 'assistant', tool_plan: plan, tool_calls: calls };
}
