import type { Surface, Upstream } from '../dialect.js';
import { decodeRefusal, encodeError } from './errors.js';
import { encodeAnswer } from './surface/answer.js';
import { decodeConversation } from './surface/conversation.js';
import { decodeRequest } from './surface/request.js';
import { ChatStreamEncoder } from './surface/stream.js';
import { ChatDecoder } from './upstream/decoder.js';
import { encodeRequest } from './upstream/request.js';

export { chatVerbatim } from './verbatim.js';

/** OpenAI's `POST /v1/chat/completions`, as clients speak it. */
export const chatSurface: Surface = {
  name: 'openai-chat',
  forgetful: true,
  decodeRequest,
  decodeConversation,
  encodeAnswer,
  streamEncoder: (prompt, identity) => new ChatStreamEncoder(prompt, identity),
  encodeError,
};

/** The same, as OpenAI and most other providers speak it. */
export const openaiChat: Upstream = {
  name: 'openai-chat',
  framing: 'sse',
  encodeRequest,
  decodeAnswer: (body) => new ChatDecoder().readAnswer(body),
  streamDecoder: () => new ChatDecoder(),
  decodeRefusal,
};
