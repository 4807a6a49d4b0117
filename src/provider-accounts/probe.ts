import type { RefusalClass } from '../dialects/index.js';
import type { Nano } from '../kernel/money.js';
import type { EgressFailure } from '../platform/egress/index.js';

/** How one question to a provider went. Never its words, which may carry what was sent to it. */
export type ProbeClass = 'ok' | 'unreadable' | EgressFailure | RefusalClass;

/** What a provider turned out to be able to do, with one model. */
export interface ProbeReport {
  ok: boolean;
  /** `ok`, or why it is not. */
  class: ProbeClass;
  /** Of the first answer. */
  latencyMs: number;
  /** Null: none was known to ask with, so only whether it is there and takes the key was looked at. */
  model: string | null;
  /** Null, here and below: not looked at. */
  chat: boolean | null;
  streaming: boolean | null;
  tools: boolean | null;
  /** It tells what was used. */
  usage: boolean | null;
  embeddings: boolean | null;
  /** What the provider may bill for the questions, as far as it told. */
  inputTokens: number;
  outputTokens: number;
  /** By the price of the model; null: unknown. */
  cost: Nano | null;
}

/** What is asked, as a client of Weir's would. */
export const QUESTIONS = {
  chat: { messages: [{ role: 'user', content: 'Reply with the word ok.' }], max_tokens: 64 },
  streaming: { messages: [{ role: 'user', content: 'Reply with the word ok.' }], max_tokens: 64, stream: true },
  tools: {
    messages: [{ role: 'user', content: 'What is the time in Paris? Use the tool.' }],
    max_tokens: 256,
    tools: [
      {
        type: 'function',
        function: {
          name: 'get_time',
          description: 'The time in a city.',
          parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
        },
      },
    ],
    tool_choice: 'required',
  },
  embeddings: { input: 'ok' },
} as const;
export type Question = keyof typeof QUESTIONS;
