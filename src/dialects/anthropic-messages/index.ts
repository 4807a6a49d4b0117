import type { Upstream } from '../dialect.js';
import { decodeRefusal } from './errors.js';
import { decodeAnswer, MessageReader } from './reply.js';
import { encodeRequest } from './request.js';

/** Anthropic's `POST /v1/messages`. */
export const anthropicMessages: Upstream = {
  name: 'anthropic-messages',
  framing: 'sse',
  encodeRequest,
  decodeAnswer,
  streamDecoder: () => new MessageReader(),
  decodeRefusal,
};
