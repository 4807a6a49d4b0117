import type { CallRequest, UpstreamParams, UpstreamRequest, Verbatim } from '../dialect.js';
import { PLAIN_REPLY } from '../dialect.js';
import { isObject, type JsonObject, listOf } from '../kit/json.js';
import { writeBody } from '../kit/json-splice.js';
import { readWhole } from '../openai-chat/facts.js';
import { ChatStreamReader, type StreamShape } from '../openai-chat/stream.js';
import { PATH } from './upstream.js';

const SHAPE: StreamShape = { object: 'text_completion', outputKeys: ['"text"'], empty: { text: '', logprobs: null } };

/** Legacy completions on both sides. */
export const completionsVerbatim: Verbatim = {
  encodeRequest,
  streamReader: (prompt, maxOutputTokens, tokensOf) => new ChatStreamReader(prompt, maxOutputTokens, SHAPE, tokensOf),
  isTail: ({ data }) => data.trimEnd() === '[DONE]',
  readWhole: (body) => readWhole(body, withoutNothing),
};

function withoutNothing(reply: JsonObject): JsonObject {
  const choices = listOf(reply['choices']);
  return choices.every(isObject) ? reply : { ...reply, choices: choices.filter(isObject) };
}

/** What the client sent, with the model's own id, the output limit the hold was made for and, for a stream, usage asked for. */
function encodeRequest({ body, stream, source }: CallRequest, { model, maxOutputTokens, quirks }: UpstreamParams): UpstreamRequest {
  const sent: JsonObject = { ...body, model, max_tokens: maxOutputTokens };
  if (quirks.streamOptions === false) delete sent['stream_options'];
  else if (stream) sent['stream_options'] = { ...(body['stream_options'] as object | null), include_usage: true };
  return { path: PATH, headers: [], body: writeBody(source, sent), warnings: [], thinkingLevel: null, reply: PLAIN_REPLY };
}
