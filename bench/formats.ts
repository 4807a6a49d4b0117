/** What providers of each wire format answer in the bench: the same reply and the same stream as the chat one, in the format's own words. */
import { awsEvent } from '../test/support/aws-frames.js';
import { chunkedReply, EVENTS, jsonReply, streamReply, text, wholeReply } from './messages.js';

export interface ScriptedFormat {
  /** Both as they go over the wire. */
  json: Buffer;
  stream: Buffer;
}

const ANSWER = text(460);
const PIECES = Array.from({ length: EVENTS }, (_, index) => ` token${index}`);
const INPUT = 412;
const OUTPUT = 128;

const sse = (data: object[]): Buffer =>
  chunkedReply('text/event-stream', Buffer.from(data.map((one) => `data: ${JSON.stringify(one)}\n\n`).join('')));
const named = (events: { type: string }[]): Buffer =>
  chunkedReply('text/event-stream', Buffer.from(events.map((one) => `event: ${one.type}\ndata: ${JSON.stringify(one)}\n\n`).join('')));

function messages(): ScriptedFormat {
  const head = { id: 'msg_01XFDUDYJgAACzvnptvVoYEL', type: 'message', role: 'assistant', model: 'claude-sonnet-4-5' };
  const usage = { input_tokens: INPUT, cache_creation_input_tokens: 0, cache_read_input_tokens: 0, output_tokens: OUTPUT };
  const end = { stop_reason: 'end_turn', stop_sequence: null };
  const event = (type: string, fields: object = {}) => ({ type, ...fields });
  return {
    json: wholeReply({ ...head, content: [{ type: 'text', text: ANSWER }], ...end, usage }),
    stream: named([
      event('message_start', {
        message: { ...head, content: [], stop_reason: null, stop_sequence: null, usage: { ...usage, output_tokens: 1 } },
      }),
      event('content_block_start', { index: 0, content_block: { type: 'text', text: '' } }),
      event('ping'),
      ...PIECES.map((piece) => event('content_block_delta', { index: 0, delta: { type: 'text_delta', text: piece } })),
      event('content_block_stop', { index: 0 }),
      event('message_delta', { delta: end, usage: { output_tokens: OUTPUT } }),
      event('message_stop'),
    ]),
  };
}

function responses(): ScriptedFormat {
  const item = (content: object[], status: string) => ({
    id: 'msg_67ccd2bf17f0819081ff3bb2cf6508e6',
    type: 'message',
    status,
    role: 'assistant',
    content,
  });
  const part = (said: string) => ({ type: 'output_text', text: said, annotations: [], logprobs: [] });
  const usage = {
    input_tokens: INPUT,
    input_tokens_details: { cached_tokens: 0 },
    output_tokens: OUTPUT,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: INPUT + OUTPUT,
  };
  const response = (said: string | null) => ({
    id: 'resp_67ccd2bed1ec8190b14f964abc0542670bb6a6b452d3795b',
    object: 'response',
    created_at: 1796000000,
    status: said === null ? 'in_progress' : 'completed',
    error: null,
    incomplete_details: null,
    model: 'gpt-4o',
    output: said === null ? [] : [item([part(said)], 'completed')],
    parallel_tool_calls: true,
    tools: [],
    usage: said === null ? null : usage,
  });
  const whole = PIECES.join('');
  const place = { item_id: 'msg_67ccd2bf17f0819081ff3bb2cf6508e6', output_index: 0, content_index: 0 };
  const events = [
    { type: 'response.created', response: response(null) },
    { type: 'response.in_progress', response: response(null) },
    { type: 'response.output_item.added', output_index: 0, item: item([], 'in_progress') },
    { type: 'response.content_part.added', ...place, part: part('') },
    ...PIECES.map((delta) => ({ type: 'response.output_text.delta', ...place, delta, logprobs: [] })),
    { type: 'response.output_text.done', ...place, text: whole, logprobs: [] },
    { type: 'response.content_part.done', ...place, part: part(whole) },
    { type: 'response.output_item.done', output_index: 0, item: item([part(whole)], 'completed') },
    { type: 'response.completed', response: response(whole) },
  ];
  return { json: wholeReply(response(ANSWER)), stream: named(events.map((event, sequence_number) => ({ ...event, sequence_number }))) };
}

function gemini(): ScriptedFormat {
  const reply = (said: string, last: boolean) => ({
    candidates: [{ content: { parts: [{ text: said }], role: 'model' }, ...(last && { finishReason: 'STOP' }), index: 0 }],
    usageMetadata: {
      promptTokenCount: INPUT,
      candidatesTokenCount: OUTPUT,
      totalTokenCount: INPUT + OUTPUT,
      promptTokensDetails: [{ modality: 'TEXT', tokenCount: INPUT }],
    },
    modelVersion: 'gemini-2.5-flash',
    responseId: 'ZyPxaMzYF8e1nsEP0b6n8Ak',
  });
  return { json: wholeReply(reply(ANSWER, true)), stream: sse(PIECES.map((piece, index) => reply(piece, index === EVENTS - 1))) };
}

function converse(): ScriptedFormat {
  const usage = { inputTokens: INPUT, outputTokens: OUTPUT, totalTokens: INPUT + OUTPUT };
  const event = (type: string, payload: object) =>
    awsEvent(
      { ':event-type': type, ':content-type': 'application/json', ':message-type': 'event' },
      JSON.stringify({ ...payload, p: 'abcdefghijk' }),
    );
  const frames = [
    event('messageStart', { role: 'assistant' }),
    ...PIECES.map((piece) => event('contentBlockDelta', { contentBlockIndex: 0, delta: { text: piece } })),
    event('contentBlockStop', { contentBlockIndex: 0 }),
    event('messageStop', { stopReason: 'end_turn' }),
    event('metadata', { usage, metrics: { latencyMs: 900 } }),
  ];
  return {
    json: wholeReply({
      output: { message: { role: 'assistant', content: [{ text: ANSWER }] } },
      stopReason: 'end_turn',
      usage,
      metrics: { latencyMs: 900 },
    }),
    stream: chunkedReply('application/vnd.amazon.eventstream', Buffer.concat(frames)),
  };
}

function ollama(): ScriptedFormat {
  const line = (content: string, fields: object) => ({
    model: 'llama3',
    created_at: '2026-11-21T18:00:00.123456789Z',
    message: { role: 'assistant', content },
    ...fields,
  });
  const end = { done: true, done_reason: 'stop', total_duration: 9e8, load_duration: 1e6, prompt_eval_count: INPUT, eval_count: OUTPUT };
  const lines = [...PIECES.map((piece) => line(piece, { done: false })), line('', end)];
  return {
    json: wholeReply(line(ANSWER, end)),
    stream: chunkedReply('application/x-ndjson', Buffer.from(lines.map((one) => `${JSON.stringify(one)}\n`).join(''))),
  };
}

function cohere(): ScriptedFormat {
  const usage = { billed_units: { input_tokens: INPUT, output_tokens: OUTPUT }, tokens: { input_tokens: INPUT, output_tokens: OUTPUT } };
  const id = '29f14a5a-11de-4cae-9800-25e4747408ea';
  const content = (fields: object) => ({ index: 0, delta: { message: { content: fields } } });
  return {
    json: wholeReply({ id, message: { role: 'assistant', content: [{ type: 'text', text: ANSWER }] }, finish_reason: 'COMPLETE', usage }),
    stream: named([
      { type: 'message-start', ...{ id, delta: { message: { role: 'assistant', content: [], tool_plan: '', tool_calls: [] } } } },
      { type: 'content-start', ...content({ type: 'text', text: '' }) },
      ...PIECES.map((piece) => ({ type: 'content-delta', ...content({ text: piece }) })),
      { type: 'content-end', ...{ index: 0 } },
      { type: 'message-end', ...{ delta: { finish_reason: 'COMPLETE', usage } } },
    ]),
  };
}

/** By the first part of the path they are called at. */
export const FORMATS: ReadonlyMap<string, ScriptedFormat> = new Map([
  ['chat', { json: jsonReply(), stream: streamReply() }],
  ['messages', messages()],
  ['responses', responses()],
  ['gemini', gemini()],
  ['bedrock', converse()],
  ['ollama', ollama()],
  ['cohere', cohere()],
]);
