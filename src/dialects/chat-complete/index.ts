import type { Usage } from '../../kernel/usage.js';
import type { Answer, Conversation } from '../canonical.js';
import type { CallRequest, ReplyIdentity, Surface } from '../dialect.js';
import { Fields } from '../kit/fields.js';
import { isObject, writeJson } from '../kit/json.js';
import { encodeError } from '../openai-chat/errors.js';
import { encodeMessage } from '../openai-chat/surface/answer.js';
import { decodeConversation } from '../openai-chat/surface/conversation.js';
import { decodeRequest } from '../openai-chat/surface/request.js';
import { EMPTY_CHOICE, encodeCalls, encodeUsage, replyId, textOf } from './reply.js';
import { ChatCompleteStreamEncoder } from './stream-encoder.js';

/**
 * Weir's own small surface, `POST /v1/chat/complete`.
 *
 * The request is `{model, messages, tools, stream}`: messages as in chat completions; a tool either as there or bare,
 * `{name, description, parameters}`; `stream` is false unless given. Any other field of chat completions is understood too, but there is one
 * answer only.
 *
 * With `stream: false` the reply is one JSON object:
 * ```
 * {id, model, text, reasoning, tool_calls: [{id, name, arguments}], finish, native_finish, message, usage}
 * ```
 * `arguments` is an object. `finish` is `stop`, `length`, `tool_calls` or `content_filter`; `native_finish` is the provider's own word, or null.
 * `message` is the answer as a message of chat completions, with all that its provider wants back: append it to `messages` to go on.
 * `usage` is `{input_tokens, output_tokens, total_tokens, cache_read_tokens, cache_write_tokens, reasoning_tokens}`: input includes what was
 * read from and written to caches, output includes reasoning; `reasoning_tokens` is null when the provider does not tell.
 *
 * With `stream: true` it is a stream of server-sent events, each `event: <type>` and JSON data with the same `type`:
 * - `{type: "delta", …}` with one of `text`, `reasoning`, `refusal` (a piece of text), `image` (`{media_type, data}`), `citation` (`{url, title}`);
 * - `{type: "tool_call", id, name, arguments}`, once per call and whole, when the answer is over;
 * - `{type: "usage", …}`: the fields above, and `cost_usd`, null when the model has no price;
 * - `{type: "finish", id, model, reason, native_reason, message}`, the last event of an answer;
 * - `{type: "error", error: {message, type, param, code}}` instead of all that would have followed.
 */
export const chatCompleteSurface: Surface = {
  name: 'chat-complete',
  decodeRequest(body: unknown, bytes: number): CallRequest {
    const prompt = decodeRequest(body, bytes);
    if (prompt.choices !== 1) throw Fields.of(body, '').refuse('n', 'must be 1 here: use /v1/chat/completions for several answers');
    return prompt;
  },
  decodeConversation: (prompt: CallRequest): Conversation => decodeConversation({ ...prompt, body: withWrappedTools(prompt.body) }),
  encodeAnswer,
  streamEncoder: (_prompt, identity) => new ChatCompleteStreamEncoder(identity),
  encodeError,
};

function withWrappedTools(body: CallRequest['body']): CallRequest['body'] {
  const { tools } = body;
  if (!Array.isArray(tools)) return body;
  return { ...body, tools: tools.map((tool) => (isObject(tool) && 'name' in tool ? { type: 'function', function: tool } : tool)) };
}

function encodeAnswer(answer: Answer, usage: Usage, identity: ReplyIdentity): string {
  const choice = answer.choices[0] ?? EMPTY_CHOICE;
  return writeJson({
    id: replyId(identity),
    model: answer.model ?? identity.model,
    text: textOf(choice.parts, 'text'),
    reasoning: textOf(choice.parts, 'reasoning'),
    tool_calls: encodeCalls(choice.parts),
    finish: choice.finish,
    native_finish: choice.native,
    message: encodeMessage(choice),
    usage: encodeUsage(usage),
  });
}
