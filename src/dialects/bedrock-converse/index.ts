import type { Upstream } from '../dialect.js';
import { decodeRefusal } from './errors.js';
import { ConverseDecoder, decodeAnswer } from './reply.js';
import { encodeRequest } from './request.js';

/** Amazon Bedrock's `POST /model/{id}/converse` and `/converse-stream`, one format for the models of all its vendors. */
export const bedrockConverse: Upstream = {
  name: 'bedrock-converse',
  framing: 'aws',
  unsaid: ['endUser', 'imageDetail', 'fileName'],
  encodeRequest,
  decodeAnswer,
  streamDecoder: () => new ConverseDecoder(),
  decodeRefusal,
};
