import type { Surface, Upstream } from '../dialect.js';
import { decodeRefusal, encodeError } from './errors.js';
import { decodeAnswer, MessageReader } from './reply.js';
import { encodeRequest } from './request.js';
import { encodeAnswer } from './surface/answer.js';
import { decodeConversation } from './surface/conversation.js';
import { decodeRequest } from './surface/prompt.js';
import { MessageStream } from './surface/stream.js';

export { decodeCountAnswer, decodeCountRequest, encodeCountAnswer, encodeCountRequest } from './count-tokens.js';
export { messagesVerbatim } from './verbatim.js';

/** Anthropic's `POST /v1/messages`, as clients speak it. */
export const messagesSurface: Surface = {
  name: 'anthropic-messages',
  decodeRequest,
  decodeConversation,
  encodeAnswer,
  streamEncoder: (_prompt, identity) => new MessageStream(identity),
  encodeError,
};

/** Anthropic's `POST /v1/messages`, as providers speak it. */
export const anthropicMessages: Upstream = {
  name: 'anthropic-messages',
  framing: 'sse',
  encodeRequest,
  decodeAnswer,
  streamDecoder: () => new MessageReader(),
  decodeRefusal,
};
