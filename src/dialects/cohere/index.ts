import type { Upstream } from '../dialect.js';
import { decodeRefusal } from './errors.js';
import { CohereDecoder, decodeAnswer } from './reply.js';
import { encodeRequest } from './request.js';

/** Cohere's v2 `chat`. */
export const cohere: Upstream = {
  name: 'cohere',
  framing: 'sse',
  unsaid: ['endUser', 'fileName', 'strict'],
  encodeRequest,
  decodeAnswer,
  streamDecoder: () => new CohereDecoder(),
  decodeRefusal,
};
