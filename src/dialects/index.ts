import type { Dialect, DialectName } from './dialect.js';
import { openaiChat } from './openai-chat/index.js';

export type { Dialect, DialectName, Prompt, Refusal, RefusalClass, ReplyFacts, Rewrite, StreamReader } from './dialect.js';
export { openaiChat };

const DIALECTS: Record<DialectName, Dialect> = { 'openai-chat': openaiChat };

export const dialectNamed = (name: DialectName): Dialect => DIALECTS[name];
