import type { Surface, Upstream } from '../dialect.js';
import { table } from '../kit/table.js';
import { decodeRefusal, ERROR_FORM, encodeError } from './errors.js';
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
  errors: ERROR_FORM,
  fieldNames: table<string>({ stop: 'stop_sequences', response_format: 'output_config.format' }),
};

/** Anthropic's `POST /v1/messages`, as providers speak it. */
export const anthropicMessages: Upstream = {
  name: 'anthropic-messages',
  framing: 'sse',
  unsaid: ['imageDetail'],
  encodeRequest,
  decodeAnswer,
  streamDecoder: () => new MessageReader(),
  decodeRefusal,
};
