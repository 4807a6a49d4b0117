export { messageCounting } from './anthropic-messages/counting.js';
export {
  type AnswerState,
  type CallFormat,
  DIALECTS,
  type DialectName,
  noFacts,
  type Prompt,
  ProviderRefusal,
  type Quirks,
  type Refusal,
  type RefusalClass,
  type ReplyFacts,
  type StateMemory,
  type StreamReader,
  type Streams,
  type Translation,
  type UpstreamRequest,
  type Way,
  type WholeReply,
} from './dialect.js';
export { embeddings } from './embeddings/format.js';
export { ofOpenAi } from './families/openai.js';
export { baseFor, conversationIn } from './registry.js';
