import Anthropic from '@anthropic-ai/sdk';
import OpenAI from 'openai';
import type { Replay } from './replay.js';

/** An answer as a client of one surface reads it, in the words of chat. */
export interface Seen {
  callId: string;
  status: number;
  text: string;
  /** Null: this surface does not show it. */
  reasoning: string | null;
  calls: { id: string; name: string; arguments: string }[];
  finish: string | null;
  error: unknown;
}

export type Reader = (replay: Replay, model: string, stream: boolean) => Promise<Seen>;

export const QUESTION = 'What is the answer?';

const nothing = (callId: string, status: number, error: unknown): Seen => ({
  callId,
  status,
  text: '',
  reasoning: null,
  calls: [],
  finish: null,
  error,
});

/** By hand, because SDKs hide what is on the wire. */
export const readAsChat: Reader = async ({ weir, tenant }, model, stream) => {
  const response = await fetch(`${weir.publicUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tenant.apiKey}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      model,
      messages: [{ role: 'user', content: QUESTION }],
      stream,
      ...(stream && { stream_options: { include_usage: true } }),
    }),
  });
  const callId = response.headers.get('x-request-id')!;
  const body = await response.text();
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) {
    const reply = JSON.parse(body);
    if (reply.error) return nothing(callId, response.status, reply.error);
    const { message, finish_reason } = reply.choices[0];
    return {
      callId,
      status: response.status,
      text: message.content ?? '',
      reasoning: message.reasoning_content ?? message.reasoning ?? '',
      calls: (message.tool_calls ?? []).map(callOf),
      finish: finish_reason,
      error: null,
    };
  }
  return readChunks(callId, body);
};

interface ChatCall {
  id: string;
  function: { name: string; arguments: string };
}
const callOf = ({ id, function: { name, arguments: args } }: ChatCall) => ({ id, name, arguments: args });

function readChunks(callId: string, body: string): Seen {
  const seen: Seen = { callId, status: 200, text: '', reasoning: '', calls: [], finish: null, error: null };
  const events = body
    .split(/\r?\n\r?\n|\r\r/)
    .flatMap((event) => event.split(/[\r\n]+/).filter((line) => line.startsWith('data:')))
    .map((line) => line.slice('data:'.length).trim());
  if (events.at(-1) !== '[DONE]') seen.error = 'the stream has no [DONE]';
  for (const data of events.filter((event) => event !== '[DONE]')) {
    const chunk = JSON.parse(data);
    if (chunk.error) return { ...seen, finish: null, error: chunk.error };
    const [choice] = chunk.choices ?? [];
    if (!choice) continue;
    const delta = choice.delta ?? {};
    seen.text += delta.content ?? choice.text ?? '';
    seen.reasoning += delta.reasoning_content ?? delta.reasoning ?? '';
    for (const call of delta.tool_calls ?? []) {
      seen.calls[call.index] ??= { id: '', name: '', arguments: '' };
      const known = seen.calls[call.index]!;
      if (call.id) known.id = call.id;
      if (call.function?.name) known.name = call.function.name;
      known.arguments += call.function?.arguments ?? '';
    }
    if (choice.finish_reason) seen.finish = choice.finish_reason;
  }
  return seen;
}

/** By the official SDK. */
export const readAsResponses: Reader = async ({ tenant }, model, stream) => {
  const request = { model, input: QUESTION };
  let callId = '';
  try {
    if (!stream) {
      const { data, response } = await tenant.openai.responses.create(request).withResponse();
      return ofResponse(response.headers.get('x-request-id')!, data);
    }
    const { data: events, response } = await tenant.openai.responses.create({ ...request, stream: true }).withResponse();
    callId = response.headers.get('x-request-id')!;
    return await readResponseEvents(callId, events);
  } catch (error) {
    if (!(error instanceof OpenAI.APIError)) throw error;
    return nothing(error.headers?.get('x-request-id') ?? callId, error.status ?? 200, error);
  }
};

type Response = OpenAI.Responses.Response;

/** Holds the life cycle of the events against the response they end in. */
async function readResponseEvents(callId: string, events: AsyncIterable<OpenAI.Responses.ResponseStreamEvent>): Promise<Seen> {
  let final: Response | null = null;
  let text = '';
  let sequence = 0;
  const types: string[] = [];
  for await (const event of events) {
    types.push(event.type);
    // Recordings from before there were numbers pass as they are.
    if (event.sequence_number !== undefined) expect(event.sequence_number).toBe(sequence++);
    if (event.type === 'response.output_text.delta') text += event.delta;
    if (event.type === 'response.failed') return nothing(callId, 200, event.response.error);
    if (event.type === 'error') return nothing(callId, 200, event);
    if (event.type === 'response.completed' || event.type === 'response.incomplete') final = event.response;
  }
  expect(types.slice(0, 2)).toEqual(['response.created', 'response.in_progress']);
  const seen = ofResponse(callId, final!);
  expect(text).toBe(seen.text);
  return seen;
}

function ofResponse(callId: string, { status, output, incomplete_details, error }: Response): Seen {
  if (status === 'failed') return nothing(callId, 200, error);
  const seen: Seen = { callId, status: 200, text: '', reasoning: null, calls: [], finish: 'stop', error: null };
  for (const item of output) {
    if (item.type === 'message')
      for (const part of item.content) {
        if (part.type === 'output_text') seen.text += part.text;
      }
    if (item.type === 'function_call') seen.calls.push({ id: item.call_id, name: item.name, arguments: item.arguments });
  }
  if (seen.calls.length > 0) seen.finish = 'tool_calls';
  if (status === 'incomplete') seen.finish = incomplete_details?.reason === 'content_filter' ? 'content_filter' : 'length';
  return seen;
}

const FINISH: Record<string, string> = {
  end_turn: 'stop',
  stop_sequence: 'stop',
  pause_turn: 'stop',
  compaction: 'stop',
  tool_use: 'tool_calls',
  max_tokens: 'length',
  model_context_window_exceeded: 'length',
  refusal: 'content_filter',
};

/** By the official SDK. */
export const readAsMessages: Reader = async ({ weir, tenant }, model, stream) => {
  const client = new Anthropic({ apiKey: tenant.apiKey, baseURL: weir.publicUrl, maxRetries: 0 });
  const request = { model, max_tokens: 1_000, messages: [{ role: 'user' as const, content: QUESTION }] };
  let callId = '';
  try {
    if (!stream) {
      const { data, response } = await client.messages.create(request).withResponse();
      return ofMessage(response.headers.get('x-request-id')!, data);
    }
    const { data: message, response } = await client.messages.stream(request).withResponse();
    callId = response.headers.get('x-request-id')!;
    return ofMessage(callId, await message.finalMessage());
  } catch (error) {
    if (!(error instanceof Anthropic.AnthropicError)) throw error;
    const { headers, status } = error as Partial<InstanceType<typeof Anthropic.APIError>>;
    return nothing(headers?.get('x-request-id') ?? callId, status ?? 200, error);
  }
};

function ofMessage(callId: string, { content, stop_reason }: Anthropic.Message): Seen {
  const seen: Seen = { callId, status: 200, text: '', reasoning: '', calls: [], finish: FINISH[stop_reason!] ?? stop_reason, error: null };
  for (const block of content) {
    if (block.type === 'text') seen.text += block.text;
    if (block.type === 'thinking') seen.reasoning += block.thinking;
    if (block.type === 'tool_use') seen.calls.push({ id: block.id, name: block.name, arguments: JSON.stringify(block.input) });
  }
  return seen;
}
