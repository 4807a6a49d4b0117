import type { WeirError } from '../kernel/errors.js';
import type { Usage } from '../kernel/usage.js';

/** Names of the wire formats. A provider's data says which one it speaks. */
export type DialectName = 'openai-chat';

/** A request as the road of a call needs it. `body` is what the client sent, parsed and otherwise untouched. */
export interface Prompt {
  /** The reference the client gave, `provider/model-id`; null when it gave none. */
  model: string | null;
  stream: boolean;
  /** The client wants a usage chunk at the end of the stream. */
  includeUsage: boolean;
  /** The client's own limit on output tokens per choice; null when it set none. */
  maxOutputTokens: number | null;
  /** How many answers are asked for. */
  choices: number;
  /** Whom the client serves with this call, in its own words; null when it does not say. */
  endUser: string | null;
  /** No tokenizer makes more input tokens of this request: a byte-level token is at least one byte. */
  inputTokensBound: number;
  body: Record<string, unknown>;
}

/** What policy writes into a request on its way to the provider. */
export interface Rewrite {
  /** The model id without the provider's name. */
  model: string;
  /** The output limit the hold was made for, per choice. */
  maxOutputTokens: number;
  maxTokensField: 'max_tokens' | 'max_completion_tokens';
}

/** What a reply says of itself, whole or so far. */
export interface ReplyFacts {
  usage: Usage | null;
  /** The provider's own usage object, verbatim. */
  usageRaw: unknown;
  finishReason: string | null;
  servedModel: string | null;
  /** Bytes of text, reasoning and tool arguments seen: our own meter, for when usage never comes. */
  outputBytes: number;
  /** How many pieces they came in. A provider sends a token or more at a time. */
  outputPieces: number;
}

/** Why a provider refused, by status and code before words. */
export type RefusalClass = 'auth' | 'billing' | 'rate_limit' | 'model_not_found' | 'context_length' | 'bad_request' | 'timeout' | 'server';

export interface Refusal {
  class: RefusalClass;
  /** The provider's sentence, at most 500 characters; null when there is none. Not yet scrubbed. */
  message: string | null;
}

/** Reads a stream while its bytes pass through. Total: cut anywhere, `facts` is what was seen so far. */
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
  /** Takes bytes, gives back those the client may have now; empty when there are none. The tail is kept back. @throws when they cannot be read. */
  push(chunk: Buffer): Buffer[];
  /** The input is over; gives back what is left. */
  finish(): Buffer[];
  /** What ends the stream once the call is booked: the usage chunk if the client wants it, with the cost in USD, and the terminator. */
  tail(usage: Usage, costUsd: number | null): Buffer;
}

/** One wire format as pure code: no network, no clock, no secret. */
export interface Dialect {
  readonly name: DialectName;
  /** @throws WeirError invalid_request naming the field. */
  decodeRequest(body: unknown, bytes: number): Prompt;
  encodeRequest(prompt: Prompt, rewrite: Rewrite): string;
  /** Reads a whole reply. @throws when it is no reply of this format. */
  decodeResponse(body: Buffer): ReplyFacts & { refusal: Refusal | null };
  /** @param maxOutputTokens of all choices together; a provider that goes on is cut off there. */
  streamReader(prompt: Prompt, maxOutputTokens: number): StreamReader;
  decodeRefusal(status: number, body: Buffer): Refusal;
  encodeError(error: WeirError): object;
  /** A failure after bytes were sent: the format's own event, which no terminator follows. */
  encodeStreamError(error: WeirError): Buffer;
}
