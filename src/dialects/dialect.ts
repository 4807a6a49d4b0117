import type { ErrorCode, WeirError } from '../kernel/errors.js';
import type { Work } from '../kernel/slices.js';
import { inputTotal, type Usage } from '../kernel/usage.js';
import type { Answer, Conversation, ReasoningPart, ReplyEvent, ThinkingLevel } from './canonical.js';
import type { Source } from './kit/json-splice.js';
import type { Unsaid } from './kit/left-out.js';
import type { Quirks } from './quirks.js';
import type { Feature } from './units/index.js';

/** Names of the wire formats. A provider's data says which ones it speaks. */
export const DIALECTS = [
  'openai-chat',
  'openai-completions',
  'openai-responses',
  'anthropic-messages',
  'gemini',
  'bedrock-converse',
  'ollama',
  'cohere',
  'workers-ai',
] as const;
export type DialectName = (typeof DIALECTS)[number];

/** Names of what clients may speak: every wire format that has a surface, and Weir's own small one. */
export type SurfaceName = 'openai-chat' | 'openai-completions' | 'openai-responses' | 'anthropic-messages' | 'chat-complete';

/** A request as the request lifecycle needs it. `body` is what the client sent, parsed and otherwise untouched. */
export interface CallRequest {
  /** The reference the client gave, `provider/model-id`; null when it gave none. */
  model: string | null;
  stream: boolean;
  /** The client wants the usage at the end of a chat stream. Formats that always tell it ignore this. */
  includeUsage: boolean;
  /** The client's own limit on output tokens per choice; null when it set none. */
  maxOutputTokens: number | null;
  /** How many answers are asked for. */
  choices: number;
  /** What the provider says that it cost is not for the client: others pay for the account. */
  hidesCost?: boolean;
  /** Whom the client serves with this call, in its own words; null when it does not say. */
  endUser: string | null;
  /** No tokenizer makes more input tokens of this request: a byte-level token is at least one byte. */
  inputTokensBound: number;
  body: Record<string, unknown>;
  /** What the client sent, as text and as it was read. `body` may be a changed copy of it. Absent: no client sent it. */
  source?: Source;
  /** Anthropic's `anthropic-beta` values, for Claude alone. */
  betas: readonly string[];
  /** Anthropic's `anthropic-version`, for Anthropic only. Null or absent: the client names none. */
  anthropicVersion?: string | null;
  /** What the provider's format cannot do at all is left out instead of refused. */
  dropUnsupported?: boolean;
  /** What of it was left out when it was read, a sentence each, for the client. */
  leftOut?: readonly string[];
}

/** What policy writes into a request on its way to the provider, and what is known of the provider. */
export interface UpstreamParams {
  /** The model id without the provider's name. */
  model: string;
  /** The model whose rules apply, where the operator says that it is another one. */
  modelRulesOf?: string | undefined;
  /** The output limit the hold was made for, per choice. */
  maxOutputTokens: number;
  /** What the caller's settings ask for; the client's own field in the body beats it. Null: nothing. */
  thinkingLevel: ThinkingLevel | null;
  quirks: Quirks;
  /** The account is shared between callers who must not find each other's answers there. */
  keepNothing?: boolean;
}

/** The id by which the rules of a model are looked up. */
export const rulesId = ({ model, modelRulesOf }: Pick<UpstreamParams, 'model' | 'modelRulesOf'>): string => modelRulesOf ?? model;

/** A request as it goes out. */
export interface UpstreamRequest {
  /** After the provider's base path, e.g. `/chat/completions`. */
  path: string;
  /** Names and values in turn, beyond content type, accept and authorization. */
  headers: string[];
  /** Byte for byte the same for the same request: prompt caches depend on it. */
  body: string;
  /** What was asked for and left out or changed, a short sentence each, for the client. */
  warnings: string[];
  /** What was applied, as reported to the client; null: nothing was asked for or the model has none. */
  thinkingLevel: ThinkingLevel | null;
  reply: ReplyContext;
}

/** What reading the reply needs to know of the request. Applied to the events of any decoder. */
export interface ReplyContext {
  /** Tool names as they were sent → as the client knows them, where they differ. */
  toolNames: ReadonlyMap<string, string>;
  /** The tool that stands for structured output: its arguments are the answer's text. Null: none. */
  outputTool: string | null;
  /** Tool calls come as text. */
  promptedTools: boolean;
  /** Where Weir itself ends the answer, because the format takes no stop sequences. */
  stop?: readonly string[];
}

export const PLAIN_REPLY: ReplyContext = { toolNames: new Map(), outputTool: null, promptedTools: false };

/** Counts the tokens of a short text. */
export type TokensOf = (text: string) => number;

/** What a reply says of itself, whole or so far. */
export interface ReplyFacts {
  /** There was an event of an answer. */
  begun: boolean;
  /** The provider's last count; null when it gave none that is sane. */
  usage: Usage | null;
  /** It was counted when the answer was over. */
  usageIsFinal: boolean;
  /** The provider's own usage object, verbatim. */
  usageRaw: unknown;
  finishReason: string | null;
  servedModel: string | null;
  /** Bytes of text, reasoning, tool arguments and all other output seen: our own meter, for when usage never comes. */
  outputBytes: number;
  /** How many pieces they came in. A provider sends a token or more at a time. */
  outputPieces: number;
  outputImages: number;
  /** How often the provider ran each of its own tools, as far as its answer shows them. */
  toolRuns: Map<string, number>;
  /** Tokens beyond what the bytes make, where the family's own tokenizer finds them. */
  outputDense: number;
}

export const noFacts = (): ReplyFacts => ({
  begun: false,
  usage: null,
  usageIsFinal: false,
  usageRaw: null,
  finishReason: null,
  servedModel: null,
  outputBytes: 0,
  outputPieces: 0,
  outputImages: 0,
  toolRuns: new Map(),
  outputDense: 0,
});

/** Why a provider refused, by status and code before words. */
export type RefusalClass =
  | 'auth'
  | 'billing'
  | 'rate_limit'
  | 'model_not_found'
  | 'context_length'
  | 'too_large'
  | 'unprocessable'
  | 'bad_request'
  | 'timeout'
  | 'overloaded'
  /** The model ended its answer with a failure of its own, which it makes again. */
  | 'failed_answer'
  | 'server';

export interface Refusal {
  class: RefusalClass;
  /** The provider's sentence, at most 500 characters; null when there is none. Not yet scrubbed. */
  message: string | null;
  /** What a client's SDK goes by, in words of code: Anthropic's `details`. */
  details?: Readonly<Record<string, unknown>>;
  /** The field that the provider blames. */
  param?: string;
  /** The provider's own word for it. */
  code?: string;
  /** When to try again, where the body says it; else the header counts. */
  retryAfterSeconds?: number;
}

/** The provider reported a failure inside its reply. Decoders throw it. */
export class ProviderRefusal extends Error {
  constructor(readonly refusal: Refusal) {
    super('the provider reported a failure');
  }
}

/** A whole reply that has no answer in it. What it says it used is known all the same. Decoders throw it. */
export class NoAnswer extends Error {
  /** Null: it says nothing of its usage that can be right. */
  readonly facts: ReplyFacts | null;

  /** @param usageRaw the provider's own usage object. */
  constructor(message: string, usage: Usage | null, usageRaw: unknown) {
    super(message);
    this.facts = usage && inputTotal(usage) > 0 ? { ...noFacts(), usage, usageIsFinal: true, usageRaw } : null;
  }
}

/** Reads a stream and gives out what the client may have. Total: cut anywhere, `facts` is what was seen so far. */
export interface StreamReader {
  readonly facts: ReplyFacts;
  /** The provider reported a failure inside the stream. */
  readonly refusal: Refusal | null;
  /** The output went past its limit: what came after was thrown away, and the tail ends the answer as one cut by its length. */
  readonly overLimit: boolean;
  /** Every answer ended as the format demands; end of input before that is an interruption. */
  readonly complete: boolean;
  /** An event with content came since the last look; comments and pings do not count. */
  takeProgress(): boolean;
  /**
   * Takes bytes, gives back those the client may have now; empty when there are none. The tail is kept back. A long event is work for several
   * turns. @throws when they cannot be read.
   */
  push(chunk: Buffer): Work<Buffer[]>;
  /** The input is over; gives back what is left. */
  finish(): Work<Buffer[]>;
  /** What ends the stream once the call is booked, with the cost in USD where the format has room for it. */
  tail(usage: Usage, costUsd: number | null): Buffer;
  /** The format's own event for a failure after bytes were sent; no terminator follows it. */
  failure(error: WeirError): Buffer;
}

/** A whole reply, read. */
export interface WholeReply {
  facts: ReplyFacts;
  refusal: Refusal | null;
  /** What the client gets. @param usage what was booked. */
  render(usage: Usage): Buffer | string;
}

/** Head of an upstream reply, names in lower case. */
export type ReplyHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** How one request goes from the client's format to the provider's, and its reply back. Made for one call. */
export interface Translation {
  /** @throws WeirError invalid_request when the provider's format cannot say what is asked. */
  encodeRequest(rewrite: UpstreamParams): UpstreamRequest;
  /** For a client that wants the whole, of a provider that answered with it. @throws when it is no reply of this format. */
  readWhole(body: Buffer, headers: ReplyHeaders): Work<WholeReply>;
  decodeRefusal(status: number, body: Buffer, headers: ReplyHeaders): Refusal;
  /** Its whole replies are long lists of numbers. */
  readonly vectors?: true;
  /** Null: there are none in this format. */
  readonly streams: Streams | null;
}

/** How the streams of a provider are read. */
export interface Streams {
  /** Content type of the provider's streams. */
  readonly type: string;
  /**
   * For a client that wants a stream, of a provider that streams. @param maxOutputTokens of all choices together. @param tokensOf the family's
   * own tokenizer, where it is at hand.
   */
  read(maxOutputTokens: number, tokensOf?: TokensOf): StreamReader;
  /** For a client that wants a stream, of a provider that answered with the whole at once. @throws as readWhole, ProviderRefusal */
  readFromWhole(body: Buffer, headers: ReplyHeaders): StreamReader;
  /** For a client that wants the whole, of a provider that streamed. @throws when it cannot be read. */
  fold(body: Buffer): Work<WholeReply>;
}

/** What of an error is not in its body. */
export interface ErrorForm {
  /** Statuses that differ. */
  statuses: Partial<Record<ErrorCode, number>>;
  /** Where clients look for the request's id, besides `x-request-id`. */
  idHeader: string;
}

/** What an endpoint speaks with its clients, and the ways from there to providers. */
export interface CallFormat {
  /** @param bytes length of the body as it came. @throws WeirError invalid_request naming the field. */
  decodeRequest(body: unknown, bytes: number): CallRequest;
  /** Puts back what the request only refers to. Absent: nothing can be referred to in this format. */
  recallItems?(prompt: CallRequest, memory: ItemMemory): CallRequest;
  encodeError(error: WeirError): object;
  /** How its vendor tells errors apart from others. Absent: as OpenAI does. */
  errors?: ErrorForm;
  /**
   * Chooses the format a provider is spoken to in, and opens the way to it.
   * @throws WeirError invalid_request when there is none.
   */
  open(prompt: CallRequest, provider: ProviderFormats, identity: ReplyIdentity): Conversion;
}

/** From the client's format to the provider's and back. */
export interface Conversion {
  dialect: DialectName;
  /** What the request asks for beyond text tokens, as far as it reaches the provider. Null: nothing. */
  feature: Feature | null;
  translation: Translation;
  /** The format takes no lower output limit than this, so a call is held for that much at least. */
  leastOutputTokens: number;
  /** What providers and Weir may add to the prompt, and bill, beyond what the client sent. */
  addedInputTokens: number;
  /** From how many tokens on the provider summarizes the conversation first, and bills that as another call. Null: it does not. */
  compactsFrom: number | null;
  /** Which of the client's headers do not reach the provider, a sentence each, for the client. */
  warnings: readonly string[];
}

/** What is known of a provider before a request is written for it. */
interface ProviderFormats {
  /** The formats it speaks, the preferred one first. */
  dialects: readonly DialectName[];
  /** What the caller's settings ask for. */
  thinkingLevel: ThinkingLevel | null;
  quirks: Quirks;
  /** As in `Rewrite`. */
  modelRulesOf?: string | undefined;
  /** For clients that drop the state of reasoning. Absent: what they drop is lost. */
  memory?: StateMemory;
}

/** What the provider of an answer wants back with it. */
export interface AnswerState {
  reasoning: ReasoningPart[];
  /** Of the calls, in their order; null: none. */
  signatures: (string | null)[];
}

/** State of answers that may come back without it. It may forget any of it at any time. */
export interface StateMemory {
  recall(key: string): AnswerState | null;
  keep(key: string, state: AnswerState, bytes: number): void;
}

/** Items of replies that clients may refer to by their ids. It may forget any of them at any time. */
export interface ItemMemory {
  recall(id: string): { item: object; bytes: number } | null;
  keep(id: string, item: object, bytes: number): void;
}

/** What of a call its rendered replies carry. */
export interface ReplyIdentity {
  /** Unique, letters and digits only: reply ids are made of it. */
  id: string;
  /** Unix seconds. */
  createdAt: number;
  /** Unix seconds of the end, asked for when it is there. Absent: as `createdAt`. */
  endedAt?: () => number;
  /** The model id as the client asked for it, for providers that do not name what they served. */
  model: string;
  /** For items of the reply that its client may refer to. Absent: they are not kept. */
  items?: ItemMemory;
}

/** A wire format as clients speak it, as pure code: no network, no clock, no secret. */
export interface Surface {
  readonly name: SurfaceName;
  /** Its vendor has no field for the state of reasoning, so many clients drop it. */
  readonly forgetful?: boolean;
  /** Reads what policy and money need; the rest is judged where it is translated. @throws WeirError invalid_request naming the field. */
  decodeRequest(body: unknown, bytes: number): CallRequest;
  /** As of `CallFormat`. */
  recallItems?(prompt: CallRequest, memory: ItemMemory): CallRequest;
  /** The whole request in the canonical form. @throws WeirError invalid_request naming the field. */
  decodeConversation(prompt: CallRequest): Conversation;
  /** @param usage what was booked; @param raw the provider's own usage object; @param prompt what was asked, for formats that repeat it. */
  encodeAnswer(answer: Answer, usage: Usage, identity: ReplyIdentity, raw: unknown, prompt: CallRequest): string;
  streamEncoder(prompt: CallRequest, identity: ReplyIdentity): StreamEncoder;
  encodeError(error: WeirError): object;
  /** As of `CallFormat`. */
  errors?: ErrorForm;
  /** How it names fields that chat names otherwise. */
  fieldNames?: Readonly<Record<string, string>>;
}

/** Writes a stream of a client's format. Gets every event but `usage` and `finish`, which come with the end, and `other`. */
export interface StreamEncoder {
  /** Bytes to send now, as text; empty when there are none. Nothing is sent before the first event with content. */
  push(event: ReplyEvent): string;
  /** The end of the stream, once the call is booked. */
  end(end: StreamEnd): string;
  /** The format's own event for a failure; no terminator follows. */
  fail(error: WeirError): string;
}

export interface StreamEnd {
  /** One per answer that ended, by rising choice. */
  finishes: Extract<ReplyEvent, { type: 'finish' }>[];
  usage: Usage;
  /** The provider's own usage object; null when it reported none. */
  usageRaw: unknown;
  costUsd: number | null;
}

/** One event of a stream, whatever its framing. */
export interface Frame {
  /** The name of a server-sent event, `:event-type` of an AWS frame; null: unnamed. */
  event: string | null;
  /** Usually JSON. */
  data: string;
}

/** A wire format as providers speak it, as pure code: no network, no clock, no secret. */
export interface Upstream {
  readonly name: DialectName;
  readonly framing: 'sse' | 'ndjson' | 'aws';
  /** What it has no word for. Clients are told where they said it. */
  readonly unsaid?: readonly Unsaid[];
  /** @throws WeirError invalid_request when the format cannot say what is asked. */
  encodeRequest(conversation: Conversation, rewrite: UpstreamParams): UpstreamRequest;
  /** A whole reply as the events a stream of it would have. @throws ProviderRefusal; anything else when it is no reply of this format. */
  decodeAnswer(body: Buffer, headers: ReplyHeaders): ReplyEvent[];
  streamDecoder(): StreamDecoder;
  decodeRefusal(status: number, body: Buffer, headers: ReplyHeaders): Refusal;
}

/** Reads one stream, event by event. */
export interface StreamDecoder {
  /** @throws ProviderRefusal when the provider reports a failure, anything else when the frame cannot be read. */
  push(frame: Frame): ReplyEvent[];
  /** The input is over: what was kept back until the end was certain. Empty when the stream was cut before its terminal event. */
  end(): ReplyEvent[];
  /** The terminal event came. */
  readonly complete: boolean;
}

/** What a wire format needs for clients and providers that both speak it: nothing is translated, nothing is lost. */
export interface Verbatim {
  encodeRequest(prompt: CallRequest, rewrite: UpstreamParams): UpstreamRequest;
  /** A reader of its own. Absent: events pass as they are, the decoder meters them, and those from `isTail` on are kept back. */
  readonly streamReader?: (prompt: CallRequest, maxOutputTokens: number, tokensOf?: TokensOf) => StreamReader;
  /** This event and those after it are the tail: they leave once the call is booked. Not asked where there is a reader. */
  isTail(frame: Frame): boolean;
  /**
   * What a whole reply says of itself, where that can be told faster than by decoding all of it, and the reply as clients of the format can read
   * it. @throws as decodeAnswer
   */
  readonly readWhole?: (body: Buffer) => ReplyFacts & { refusal: Refusal | null; body: Buffer };
  /** False: this event is a repetition that clients must not see. Asked for each event of a stream in turn; made for one stream. */
  readonly sieve?: () => (frame: Frame) => boolean;
}
