import type { ThinkingLevel } from '../kernel/thinking.js';
import type { Usage } from '../kernel/usage.js';

export { THINKING_LEVELS, type ThinkingLevel } from '../kernel/thinking.js';

/**
 * The one form every wire format is translated through: a conversation on the way to a provider, events on the way back. Words are ours;
 * what a provider wants back unchanged (signatures, ids, arguments) is kept as the text it came as.
 */
export interface Conversation {
  turns: Turn[];
  tools: Tool[];
  /** Null: the client said nothing. */
  toolChoice: ToolChoice | null;
  /** False: one tool call at a time. Null: the client said nothing. */
  parallelToolCalls: boolean | null;
  /** Null: free text. */
  format: OutputFormat | null;
  settings: Settings;
  /** What the client asked for in its own words; null when it said nothing, and that is not the same as `off`. */
  thinking: Thinking | null;
  stream: boolean;
  /** Answers asked for. */
  choices: number;
  /** Whom the client serves with this call, in its own words. */
  endUser: string | null;
  /** Anthropic's `anthropic-beta` values. */
  betas?: readonly string[];
  /** Names of fields that have no meaning in this form: the client is warned that they were left out. */
  leftOut: string[];
}

/** In the client's order. A leading run of system turns is the instruction; one further down stays where it is. */
export type Turn = SystemTurn | UserTurn | AssistantTurn | ToolTurn;

export interface SystemTurn {
  role: 'system';
  /** The client called it `developer`. */
  developer: boolean;
  parts: TextPart[];
}

export interface UserTurn {
  role: 'user';
  parts: (TextPart | ImagePart | FilePart | AudioPart)[];
}

export interface AssistantTurn {
  role: 'assistant';
  parts: (TextPart | RefusalPart | ReasoningPart | ToolCallPart)[];
}

/** The result of one tool call. */
export interface ToolTurn {
  role: 'tool';
  callId: string;
  /** Null: look it up by `callId` in the assistant turns before. */
  name: string | null;
  parts: (TextPart | ImagePart | FilePart)[];
  isError: boolean;
  cache?: CacheMark;
}

/** The prompt may be cached up to here. */
export interface CacheMark {
  ttl: '5m' | '1h';
}

export interface TextPart {
  type: 'text';
  text: string;
  cache?: CacheMark;
  /** OpenAI's `phase` of an assistant message: `commentary` or `final_answer`. */
  phase?: string;
}

/** Bytes, or where they are. A URL is handed on, never fetched by Weir. */
export type Source =
  | { kind: 'base64'; mediaType: string; data: string }
  | { kind: 'url'; url: string; mediaType: string | null }
  /** A file the provider already has. */
  | { kind: 'file'; id: string }
  | { kind: 'text'; text: string };

export interface ImagePart {
  type: 'image';
  source: Source;
  detail?: string;
  cache?: CacheMark;
}

/** A PDF or another document. */
export interface FilePart {
  type: 'file';
  source: Source;
  name: string | null;
  cache?: CacheMark;
}

export interface AudioPart {
  type: 'audio';
  /** base64 */
  data: string;
  /** `wav`, `mp3`, … */
  format: string;
}

export interface RefusalPart {
  type: 'refusal';
  text: string;
}

/** Whose state a piece of reasoning carries: it can go back to the same family only. */
export type ReasoningOrigin = 'anthropic' | 'gemini' | 'openai' | 'cohere';

export interface ReasoningPart {
  type: 'reasoning';
  /** What may be shown; empty when the provider shows nothing. */
  text: string;
  /** Null: plain text without state, as DeepSeek and many others send it. */
  origin: ReasoningOrigin | null;
  /** Anthropic's `signature`, Gemini's `thoughtSignature` on a text part, OpenAI's `encrypted_content`, Cohere's `tool_plan`. */
  signature: string | null;
  /** Anthropic's `redacted_thinking.data`. */
  redacted: string | null;
  /** OpenAI's item id. */
  id: string | null;
}

export interface ToolCallPart {
  type: 'tool_call';
  id: string;
  name: string;
  /** JSON text as it came. */
  arguments: string;
  /** Gemini's `thoughtSignature` on this call. */
  signature?: string;
  cache?: CacheMark;
}

export interface Tool {
  name: string;
  description: string | null;
  /** JSON Schema, as the client sent it, its keys in their order; null when it sent none. */
  parameters: Record<string, unknown> | null;
  strict: boolean | null;
  cache?: CacheMark;
}

export type ToolChoice =
  | { type: 'auto' | 'none' | 'required' }
  | { type: 'tool'; name: string }
  /** Only these, `required`: at least one. */
  | { type: 'allowed'; names: string[]; required: boolean };

export type OutputFormat =
  | { type: 'json' }
  | { type: 'json_schema'; name: string; description: string | null; schema: Record<string, unknown>; strict: boolean | null };

/** Null: the client said nothing, and nothing is sent. */
export interface Settings {
  temperature: number | null;
  topP: number | null;
  topK: number | null;
  minP: number | null;
  stop: string[];
  seed: number | null;
  presencePenalty: number | null;
  frequencyPenalty: number | null;
  logprobs: boolean | null;
  topLogprobs: number | null;
  logitBias: Record<string, number> | null;
  verbosity: string | null;
  serviceTier: string | null;
}

export const NO_SETTINGS: Readonly<Settings> = {
  temperature: null,
  topP: null,
  topK: null,
  minP: null,
  stop: [],
  seed: null,
  presencePenalty: null,
  frequencyPenalty: null,
  logprobs: null,
  topLogprobs: null,
  logitBias: null,
  verbosity: null,
  serviceTier: null,
};

export interface Thinking {
  /** Null: on, and the provider decides how much. */
  level: ThinkingLevel | null;
  /** A limit in tokens, where the client gave one. */
  budgetTokens: number | null;
  /** The client wants to read the reasoning, at least in summary. */
  show: boolean | null;
}

// ---- the way back ----------------------------------------------------------------------------------------------------------------------

/** Why an answer ended. `error`: the provider says it failed. */
export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter' | 'error';

/**
 * What a reply says, piece by piece; a whole reply is read into the same events. `choice` counts the answers from 0. `call` counts the tool
 * calls of an answer from 0, in order of appearance. `block` tells pieces of reasoning apart.
 */
export type ReplyEvent =
  | { type: 'start'; id: string | null; model: string | null }
  | { type: 'text'; choice: number; text: string; phase?: string }
  /** Not `written`: the provider's explanation of a refusal, no output of the model. */
  | { type: 'refusal'; choice: number; text: string; written?: false }
  | { type: 'reasoning'; choice: number; block: number; text: string }
  /** State of a block of reasoning, to be handed back; may come before, amid or after its text, or without any. */
  | {
      type: 'reasoning_state';
      choice: number;
      block: number;
      origin: ReasoningOrigin;
      signature: string | null;
      redacted: string | null;
      id: string | null;
    }
  /** `id` null or empty: the provider gives none. Its arguments follow. */
  | { type: 'tool_call'; choice: number; call: number; id: string | null; name: string; signature?: string }
  /** A piece of a call's arguments, JSON text. Pieces of several calls may interleave. */
  | { type: 'arguments'; choice: number; call: number; text: string }
  | { type: 'annotation'; choice: number; annotation: UrlCitation }
  /** An image the model made. */
  | { type: 'image'; choice: number; mediaType: string; data: string }
  /** In OpenAI chat's form, for the text so far. */
  | { type: 'logprobs'; choice: number; content: unknown[] }
  /** Output that no other kind stands for, such as the input of a provider's own tool. It is metered, and translated into nothing. */
  | { type: 'other'; choice: number; bytes: number; images: number; tool?: string }
  /**
   * The usage so far; each replaces the one before. `usage` null: reported, and not sane.
   * `final`: the provider counted when the answer was over. Counts that come earlier leave out what follows them.
   */
  /** @param replaces whether it is the count of all so far, also where it is smaller than the one before. */
  | { type: 'usage'; usage: Usage | null; raw: unknown; final: boolean; replaces?: true }
  /** Given out once per answer, when its end is certain. */
  | {
      type: 'finish';
      choice: number;
      reason: FinishReason;
      native: string | null;
      stopSequence?: string | null;
      /** The provider's own sentence on it. */
      message?: string;
    };

export interface UrlCitation {
  url: string;
  title: string | null;
  /** In characters of the text; null when unknown. */
  start: number | null;
  end: number | null;
}

/** A whole reply. */
export interface Answer {
  id: string | null;
  model: string | null;
  choices: AnswerChoice[];
}

export interface AnswerChoice {
  /** In the order they came; neighboring pieces of a kind joined. */
  parts: AnswerPart[];
  annotations: UrlCitation[];
  logprobs: unknown[] | null;
  finish: FinishReason;
  /** The provider's own word. */
  native: string | null;
  stopSequence: string | null;
}

export type AnswerPart = TextPart | RefusalPart | ReasoningPart | ToolCallPart | { type: 'image'; mediaType: string; data: string };
