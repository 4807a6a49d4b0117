import { WeirError } from '../../kernel/errors.js';
import type { Work } from '../../kernel/slices.js';
import { NO_USAGE } from '../../kernel/usage.js';
import {
  type CallFormat,
  type CallRequest,
  noFacts,
  type Refusal,
  type Translation,
  type UpstreamParams,
  type UpstreamRequest,
  type WholeReply,
} from '../dialect.js';
import { decodeCountAnswer, decodeCountRequest, encodeCountAnswer, encodeCountRequest } from './count-tokens.js';
import { decodeRefusal, ERROR_FORM, encodeError } from './errors.js';

/** `POST /v1/messages/count_tokens`, for providers that count themselves. Counting is no generation: it uses nothing. */
export const messageCounting: CallFormat = {
  decodeRequest: (body, bytes) => ({ ...decodeCountRequest(body, bytes), stream: false, maxOutputTokens: 0 }),
  encodeError,
  errors: ERROR_FORM,
  open(prompt, { dialects }) {
    if (!dialects.includes('anthropic-messages'))
      throw new WeirError('invalid_request', { param: 'model', message: `The provider of "${prompt.model}" does not count tokens.` });
    return {
      dialect: 'anthropic-messages',
      feature: null,
      translation: new Counting(prompt),
      leastOutputTokens: 0,
      compactsFrom: null,
      addedInputTokens: 0,
      warnings: [],
    };
  },
};

class Counting implements Translation {
  readonly streams = null;

  constructor(private readonly prompt: CallRequest) {}

  encodeRequest(rewrite: UpstreamParams): UpstreamRequest {
    return encodeCountRequest(this.prompt, rewrite);
  }

  *readWhole(body: Buffer): Work<WholeReply> {
    const tokens = decodeCountAnswer(body);
    return { facts: { ...noFacts(), usage: NO_USAGE, usageIsFinal: true }, refusal: null, render: () => encodeCountAnswer(tokens) };
  }

  decodeRefusal(status: number, body: Buffer): Refusal {
    return decodeRefusal(status, body);
  }
}
