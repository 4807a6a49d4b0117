export { messageCounting } from './anthropic-messages/counting.js';
export { continuesThread, threadUnsupported } from './anthropic-messages/threads.js';
export {
  type AnswerState,
  type CallFormat,
  type CallRequest,
  type Conversion,
  DIALECTS,
  type DialectName,
  type ErrorForm,
  type ItemMemory,
  NoAnswer,
  noFacts,
  ProviderRefusal,
  type Refusal,
  type RefusalClass,
  type ReplyFacts,
  type StateMemory,
  type StreamReader,
  type Streams,
  type TokensOf,
  type Translation,
  type UpstreamParams,
  type WholeReply,
} from './dialect.js';
export { embeddings } from './embeddings/format.js';
export { besideFailure } from './kit/beside-failure.js';
export { hasToKeep, keepLiterals } from './kit/json-literals.js';
export { TooMuchWork } from './kit/long-event.js';
export { IMAGE_TOKENS, isBilled, isCounted, isCredible, METERED_BYTES_PER_TOKEN, meteredTokens } from './kit/meter.js';
export { isGatewayTimeout } from './kit/refusals.js';
export { hasUnseenInput } from './kit/unseen-input.js';
export { type IsAble, seesImages, Unsupported } from './kit/unsupported.js';
export { type MediaSize, mediaIn, mediaSize } from './media/index.js';
export { QUIRKS, type Quirks } from './quirks.js';
export { conversationIn, pathAt } from './registry.js';
export { usageIn } from './reply-usage.js';
export { type Feature, reportedUnits } from './units/index.js';
