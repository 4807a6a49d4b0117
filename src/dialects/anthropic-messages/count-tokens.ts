import { rulesOf } from '../../model-rules/index.js';
import { type CallRequest, PLAIN_REPLY, rulesId, type UpstreamParams, type UpstreamRequest } from '../dialect.js';
import { isObject, parsed } from '../kit/json.js';
import { tokenCount } from '../kit/token-count.js';
import { countEnvelope } from './envelope.js';
import { decodeUnlimited } from './surface/prompt.js';
import { ownStateOnly } from './verbatim.js';

/** Anthropic's `POST /v1/messages/count_tokens`: how many input tokens a message would have. */

/** The same body as for a message, but that nothing limits the answer. @throws WeirError invalid_request naming the field. */
export const decodeCountRequest: (body: unknown, bytes: number) => CallRequest = decodeUnlimited;

const OF_THE_ANSWER = new Set('max_tokens stream metadata temperature top_p top_k stop_sequences service_tier'.split(' '));

/** For a provider that counts itself, and refuses fields about the answer. */
export function encodeCountRequest(
  prompt: CallRequest,
  rewrite: Pick<UpstreamParams, 'model' | 'modelRulesOf' | 'quirks'>,
): UpstreamRequest {
  const asked = Object.entries(ownStateOnly(prompt.body, rulesOf(rulesId(rewrite)).claude)).filter(([name]) => !OF_THE_ANSWER.has(name));
  return {
    ...countEnvelope({ ...Object.fromEntries(asked), model: rewrite.model }, rewrite, prompt, prompt.source),
    thinkingLevel: null,
    reply: PLAIN_REPLY,
  };
}

/** @throws when it is no such reply. */
export function decodeCountAnswer(body: Buffer): number {
  const reply = parsed(body.toString());
  const tokens = tokenCount(isObject(reply) ? reply['input_tokens'] : null);
  if (tokens === null || Number.isNaN(tokens)) throw new Error('the reply has no count of tokens');
  return tokens;
}

export const encodeCountAnswer = (inputTokens: number): string => JSON.stringify({ input_tokens: inputTokens });
