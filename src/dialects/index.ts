export type { DialectName, Prompt, Refusal, RefusalClass, ReplyFacts, Rewrite, StreamReader } from './dialect.js';
export { openaiChat } from './openai-chat/index.js';
