import type { Surface, Upstream } from '../dialect.js';
import { table } from '../kit/table.js';
import { decodeRefusal, encodeError } from '../openai-chat/errors.js';
import { decodeConversation } from './conversation.js';
import { decodeAnswer, ResponsesDecoder } from './decode.js';
import { recallItems } from './own-items.js';
import { decodeRequest } from './prompt.js';
import { encodeRequest } from './request.js';
import { encodeAnswer } from './response.js';
import { ResponsesStreamEncoder } from './stream.js';

export { MIN_OUTPUT_TOKENS } from './request.js';
export { responsesVerbatim } from './verbatim.js';

/** OpenAI's `POST /v1/responses` for clients. Stateless: Weir keeps no response, so whoever goes on sends the whole conversation. */
export const responsesSurface: Surface = {
  name: 'openai-responses',
  decodeRequest,
  recallItems,
  decodeConversation,
  encodeAnswer,
  streamEncoder: (prompt, identity) => new ResponsesStreamEncoder(prompt, identity),
  encodeError,
  fieldNames: table<string>({
    messages: 'input',
    response_format: 'text.format',
    verbosity: 'text.verbosity',
    logprobs: 'include',
  }),
};

/** The same as providers speak it: OpenAI's newer models take function tools in no other format. */
export const openaiResponses: Upstream = {
  name: 'openai-responses',
  framing: 'sse',
  encodeRequest,
  decodeAnswer,
  streamDecoder: () => new ResponsesDecoder(),
  decodeRefusal,
};
