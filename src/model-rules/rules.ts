import type { ThinkingLevel } from '../kernel/thinking.js';
import type { Medium } from '../kernel/usage.js';
import { type MediaRule, UNKNOWN_MEDIA } from './media.js';

/** What is known of a model by its name alone. */
export interface ModelRules {
  /** Whose model it is, where the name says so. Its sealed reasoning is readable by that vendor's models only. */
  vendor: 'openai' | 'anthropic' | 'gemini' | null;
  facts: ModelFacts;
  /** The tokenizer; null: not at hand, or not known. */
  encoding: Encoding | null;
  media: MediaRule;
  hiddenPrompt: HiddenPrompt;
  /** What it bills beside text tokens, whatever is asked of it. */
  beyondText: BeyondText | null;
  work: Work;
  prices: PriceRules;
  openai: OpenAiRules;
  claude: ClaudeRules;
  gemini: GeminiRules;
  /** Cohere's: it writes down its thoughts and takes them back. False: it tells what it plans to do with tools instead. */
  cohere: { thinks: boolean };
  /** An open model, wherever it is hosted. */
  open: OpenRules;
  bedrock: BedrockRules;
  embeddings: EmbeddingRules;
}

/** Null: unknown, and then nothing is refused or lowered for it. */
export interface ModelFacts {
  /** Tokens of prompt and answer together. */
  contextWindow: number | null;
  /** The most tokens of one answer, its reasoning among them. */
  maxOutputTokens: number | null;
  tools: boolean | null;
  /** Images may stand in its prompt. */
  vision: boolean | null;
  reasoning: boolean | null;
}

/** OpenAI's encodings: the tokenizers that are at hand. */
export type Encoding = 'o200k_harmony' | 'o200k_base' | 'cl100k_base';

/** What is put before a prompt that no client sees, and is billed as input: the most that is known, in tokens. */
export interface HiddenPrompt {
  always: number;
  /** More with the first tool. */
  withTools: number;
  /** The vendor's own tools, and the form of an answer, are told in words too. */
  tellsForms: boolean;
}

interface BeyondText {
  /** In words, for the client. */
  what: string;
  kind: 'search' | 'media';
  /** What its answers are made of beside text. Null: they are text. */
  makes: readonly Medium[] | null;
}

/** What a model is for. */
interface Work {
  /** It holds conversations. */
  converses: boolean;
  embeds: boolean;
  /** OpenAI's search models. */
  searches: boolean;
  /** OpenAI's audio models. */
  speaks: boolean;
}

/** By how much a vendor's rates differ from those that are listed. */
interface PriceRules {
  /** A tenth more where the model is kept to a region. */
  dearerInRegion: boolean;
  /** A cache write for an hour costs twice the input, where no rate is listed. */
  dearCacheHour: boolean;
  /** Of the standard rates. */
  priorityPercent: bigint;
  fastFactor: bigint;
}

/** What `reasoning_effort` and `reasoning.effort` may be, by rising effort. */
export const EFFORTS = ['none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max'] as const;
export type Effort = (typeof EFFORTS)[number];

/** What a model of OpenAI's accepts. */
export interface OpenAiRules {
  /** Reasons when no effort is sent. */
  reasons: boolean;
  /** By rising effort. Empty: the model takes none. */
  efforts: readonly Effort[];
  /** temperature, top_p, penalties, logit_bias and logprobs. `without-reasoning`: when the effort is none, asked for or by default. */
  sampling: 'allowed' | 'without-reasoning' | 'refused';
  stop: boolean;
  /** False: `max_tokens` is refused on chat, `max_completion_tokens` is wanted. */
  maxTokens: boolean;
  /** `user`: neither `system` nor `developer` is known. */
  systemRole: 'system' | 'user';
  /** When `/chat/completions` takes function tools. `without-effort`: unless an effort other than none is sent. `effort-none`: only when none is sent. */
  toolsOnChat: 'allowed' | 'without-effort' | 'effort-none' | 'refused';
  /** Served on `/responses` only. */
  responsesOnly: boolean;
  /** Not served on `/completions`. */
  chatOnly: boolean;
  /** A part of the prompt may be marked with `prompt_cache_breakpoint`. */
  cacheBreakpoints: boolean;
  /** Highest effort that `/chat/completions` takes; null: the highest. */
  chatEffortMax: Effort | null;
}

/** What a model behind Anthropic's format accepts. */
export interface ClaudeRules {
  /** False: another vendor's model. */
  claude: boolean;
  /** `adaptive`: the model decides, steered by an effort. `budget`: a number of tokens. */
  thinking: 'adaptive' | 'adaptive-or-budget' | 'budget' | 'none';
  /** The least thinking there is; null: it cannot be turned down but by its effort. */
  thinkingOff: 'disabled' | 'between_tools' | null;
  /** It thinks when nothing is said. */
  thinksByDefault: boolean;
  /** The effort `xhigh` is known; if not, the next one is `max`. */
  xhigh: boolean;
  /** `temperature`, `top_p` and `top_k` are accepted; `one`: not `top_p` beside `temperature`. */
  sampling: 'all' | 'one' | 'none';
  /** `tool_choice` may force a call. */
  forcedTool: boolean;
  /** `output_config.format` with a JSON schema, and strict tools. */
  nativeSchema: boolean;
  /** The same on Bedrock: Converse's own field, Claude's, or by forcing a tool. */
  schemaOnBedrock: 'text-format' | 'claude' | 'tool';
  /** A system message may stand further down in the conversation. */
  inlineSystem: boolean;
}

/** How a Gemini is told how much to think. A level and a budget in one request are refused. */
export type GeminiThinking =
  | { by: 'none' }
  | { by: 'level'; levels: readonly ThinkingLevel[] }
  /** In tokens. `off`: a budget of nothing is accepted. */
  | { by: 'budget'; min: number; max: number; off: boolean };

/** What a model behind Gemini's format takes. */
export interface GeminiRules {
  thinking: GeminiThinking;
  /** Functions may be declared. */
  tools: boolean;
  /** JSON Schema as it is; else the older subset. */
  jsonSchema: boolean;
  /** Functions and structured output in one request. */
  toolsWithFormat: boolean;
  /** The mode VALIDATED: calls or text, and calls as their schema says. */
  validated: boolean;
  /** Calls go back with the signature of the thought they came from, or are refused. */
  signedCalls: boolean;
  /** Images and documents inside a function's response. */
  filesInResults: boolean;
  /** Any https address as a file; else only Google's own. */
  webFiles: boolean;
  systemInstruction: boolean;
}

export interface OpenRules {
  /** `none`: servers refuse to be asked for thinking. `switch`: on or off. `effort`: low, medium or high, and never off. */
  thinking: 'none' | 'switch' | 'effort';
  /** How Groq is asked for it; null: not at all. */
  onGroq: 'effort' | 'format' | null;
}

/** What a model accepts through Bedrock's Converse. */
export interface BedrockRules {
  /** The most a tool choice may say: nothing, `auto`, `any`, or one tool by name. */
  toolChoice: 'nothing' | 'auto' | 'any' | 'named';
  /** What may stand in a message with tool results. */
  besideResults: 'anything' | 'no-documents' | 'nothing';
  /** What a tool result holds. */
  resultContent: 'text' | 'json';
  /** False: images in a tool result are refused. */
  resultImages: boolean;
  /** False: a tool result must not say that it is an error. */
  resultStatus: boolean;
  /** The only form of tool call ids. */
  callIds: 'any' | 'nine-alphanumerics';
  /** The first message must be a user's. */
  userFirst: boolean;
  /** Where the prompt may be cached up to. */
  cachePoints: { messages: boolean; tools: boolean };
  /** How a JSON schema is asked for: natively, by forcing a tool, or in words. */
  schema: 'native' | 'tool' | 'words';
  /** `strict` on a tool is known. */
  strictTools: boolean;
  /** Where `top_k` goes. */
  topK: 'top_k' | 'nova' | null;
  /** How thinking is asked for. */
  thinking: 'claude' | 'effort' | 'nova' | 'qwen' | null;
}

interface EmbeddingRules {
  /** On Bedrock: the vectors have one length, and none can be asked for. */
  oneLength: boolean;
  /** The method of Vertex AI, and how many texts it takes at once. */
  onVertex: { method: 'predict' | 'embedContent'; texts: number };
}

export const UNKNOWN_FACTS: ModelFacts = { contextWindow: null, maxOutputTokens: null, tools: null, vision: null, reasoning: null };

/** A model of which nothing is known: what is asked for is sent, and what is counted is counted at the dearest. */
export const UNKNOWN: ModelRules = {
  vendor: null,
  facts: UNKNOWN_FACTS,
  encoding: null,
  media: UNKNOWN_MEDIA,
  hiddenPrompt: { always: 0, withTools: 0, tellsForms: false },
  beyondText: null,
  work: { converses: true, embeds: false, searches: false, speaks: false },
  // No source for the fast mode of others; six times, the dearest that is known.
  prices: { dearerInRegion: false, dearCacheHour: false, priorityPercent: 200n, fastFactor: 6n },
  openai: {
    reasons: false,
    efforts: ['none', 'minimal', 'low', 'medium', 'high', 'xhigh'],
    sampling: 'allowed',
    stop: true,
    maxTokens: true,
    systemRole: 'system',
    toolsOnChat: 'allowed',
    responsesOnly: false,
    chatOnly: false,
    cacheBreakpoints: false,
    chatEffortMax: null,
  },
  // Other vendors took Anthropic's format over as it was with the fourth generation.
  claude: {
    claude: false,
    thinking: 'budget',
    thinkingOff: 'disabled',
    thinksByDefault: false,
    xhigh: false,
    sampling: 'all',
    forcedTool: true,
    nativeSchema: false,
    schemaOnBedrock: 'tool',
    inlineSystem: false,
  },
  gemini: {
    thinking: { by: 'level', levels: ['low', 'medium', 'high'] },
    tools: true,
    jsonSchema: true,
    toolsWithFormat: true,
    validated: true,
    signedCalls: true,
    filesInResults: true,
    webFiles: true,
    systemInstruction: true,
  },
  // Today's models reason.
  cohere: { thinks: true },
  open: { thinking: 'switch', onGroq: null },
  // An application inference profile, for example.
  bedrock: {
    toolChoice: 'named',
    besideResults: 'anything',
    resultContent: 'text',
    resultImages: true,
    resultStatus: true,
    callIds: 'any',
    userFirst: true,
    cachePoints: { messages: true, tools: true },
    schema: 'tool',
    strictTools: false,
    topK: null,
    thinking: null,
  },
  embeddings: { oneLength: false, onVertex: { method: 'predict', texts: 250 } },
};
