import type { Upstream } from '../dialect.js';
import { decodeRefusal } from './errors.js';
import { decodeAnswer, WorkersDecoder } from './reply.js';
import { encodeRequest } from './request.js';

/** Cloudflare's `POST /ai/run/{model}`: chat on the way there, and answers of three shapes on the way back. */
export const workersAi: Upstream = {
  name: 'workers-ai',
  framing: 'sse',
  encodeRequest,
  decodeAnswer,
  streamDecoder: () => new WorkersDecoder(),
  decodeRefusal,
};
