import { asText, inputTotal, type Usage } from '../../kernel/usage.js';
import type { AnswerChoice, AnswerPart } from '../canonical.js';
import type { ReplyIdentity } from '../dialect.js';
import { argumentsObject } from '../kit/call-arguments.js';

export const EMPTY_CHOICE: AnswerChoice = { parts: [], annotations: [], logprobs: null, finish: 'stop', native: null, stopSequence: null };

export const replyId = ({ id }: ReplyIdentity): string => `chat-${id}`;

export const textOf = (parts: readonly AnswerPart[], type: 'text' | 'reasoning'): string =>
  parts.map((part) => (part.type === type ? part.text : '')).join('');

export const encodeCalls = (parts: readonly AnswerPart[]): object[] =>
  parts
    .filter((part) => part.type === 'tool_call')
    .map(({ id, name, arguments: args }) => ({ id, name, arguments: argumentsObject(args).value }));

export function encodeUsage(counted: Usage): object {
  const usage = asText(counted);
  return {
    input_tokens: inputTotal(usage),
    output_tokens: usage.output,
    total_tokens: inputTotal(usage) + usage.output,
    cache_read_tokens: usage.cacheRead,
    cache_write_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
    reasoning_tokens: usage.reasoning,
  };
}
