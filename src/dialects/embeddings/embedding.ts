import { WeirError } from '../../kernel/errors.js';
import { NO_USAGE, type Usage } from '../../kernel/usage.js';
import type { Refusal, ReplyHeaders } from '../dialect.js';
import type { Source } from '../kit/json-splice.js';
import { tokenCount } from '../kit/token-count.js';

/** Texts to be turned into vectors, in the one form every embedding format is translated through. */
export interface EmbeddingRequest {
  /** Empty only when `tokens` is set. */
  inputs: string[];
  /** The client sent token numbers instead of text. Only `body` has them, and only providers of the same format understand them. */
  tokens?: true;
  /** Length of each vector. Null: the model's own. */
  dimensions: number | null;
  /** How the client wants to read the vectors. */
  encoding: 'float' | 'base64';
  /** Whom the client serves with this call, in its own words. */
  endUser: string | null;
  /** What the texts are for, in the client's own word: `search_query`, `RETRIEVAL_DOCUMENT`, `passage`, … */
  inputType?: string | null;
  /** What the client sent, for providers of the same format. Absent: it spoke another one. */
  body?: Record<string, unknown>;
  /** Of `body`, as it came. */
  source?: Source | undefined;
}

/** Vectors in the order of the inputs: as numbers, or packed as they came. */
export interface EmbeddingAnswer {
  vectors: (number[] | string)[];
  /** Null: the provider does not name what it served. */
  model: string | null;
  /** Null: the provider reports none, or none that is sane. */
  usage: Usage | null;
  /** The provider's own usage object, verbatim. */
  usageRaw: unknown;
}

/** An embedding request as it goes out. */
interface EmbeddingUpstreamRequest {
  /** After the provider's base path, e.g. `/embeddings`. */
  path: string;
  /** Names and values in turn, beyond content type, accept and authorization. */
  headers: string[];
  /** Byte for byte the same for the same request. */
  body: string;
  /** What was asked for and left out or changed, a short sentence each, for the client. */
  warnings: string[];
}

/** An embedding format as providers speak it, as pure code: no network, no clock, no secret. */
export interface EmbeddingUpstream {
  readonly name: string;
  /** @param model the model id without the provider's name. @throws WeirError invalid_request when the format cannot say what is asked. */
  encodeRequest(request: EmbeddingRequest, model: string): EmbeddingUpstreamRequest;
  /** @throws when it is no reply of this format. */
  decodeAnswer(body: Buffer, headers: ReplyHeaders): EmbeddingAnswer;
  decodeRefusal(status: number, body: Buffer, headers: ReplyHeaders): Refusal;
}

/** The texts, for a format that takes at most so many at once. @throws WeirError invalid_request when there are more, or only token numbers. */
export function textsOf(request: EmbeddingRequest, atMost = Number.POSITIVE_INFINITY): string[] {
  if (request.tokens)
    throw new WeirError('invalid_request', {
      param: 'input',
      message: 'This provider takes text only, not token numbers. Send "input" as a string or a list of strings.',
    });
  if (request.inputs.length > atMost)
    throw new WeirError('invalid_request', {
      param: 'input',
      message: `This provider takes at most ${atMost} texts at once. Split "input" over several requests.`,
    });
  return request.inputs;
}

/** Usage of a call that makes no output. @param tokens as the provider reported them. Null: they are absent or no count; nobody reads nothing. */
export function inputUsage(tokens: unknown): Usage | null {
  const input = tokenCount(tokens);
  if (input === null || Number.isNaN(input) || input === 0) return null;
  return { ...NO_USAGE, input };
}
