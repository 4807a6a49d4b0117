import type { Upstream } from '../dialect.js';
import { decodeAnswer, decodeRefusal, OllamaDecoder } from './reply.js';
import { encodeRequest } from './request.js';

/** Ollama's own `POST /api/chat`, which can do what its OpenAI-shaped entry point cannot: thinking, schemas, the context size. */
export const ollama: Upstream = {
  name: 'ollama',
  framing: 'ndjson',
  unsaid: ['endUser', 'imageDetail', 'fileName', 'strict'],
  encodeRequest,
  decodeAnswer,
  streamDecoder: () => new OllamaDecoder(),
  decodeRefusal,
};
