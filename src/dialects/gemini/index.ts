import type { Upstream } from '../dialect.js';
import { decodeRefusal } from './errors.js';
import { decodeAnswer, GeminiDecoder } from './reply.js';
import { encodeRequest } from './request.js';

/** Google's `generateContent`, on Google AI Studio and on Vertex. */
export const gemini: Upstream = {
  name: 'gemini',
  framing: 'sse',
  unsaid: ['endUser', 'imageDetail', 'fileName'],
  encodeRequest,
  decodeAnswer,
  streamDecoder: () => new GeminiDecoder(),
  decodeRefusal,
};
