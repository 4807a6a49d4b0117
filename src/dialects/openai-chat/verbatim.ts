import type { CallRequest, UpstreamParams, UpstreamRequest, Verbatim } from '../dialect.js';
import { PLAIN_REPLY } from '../dialect.js';
import { writeBody } from '../kit/json-splice.js';
import { readWhole } from './facts.js';
import { fit, levelAsked } from './fit/request.js';
import { straightReply } from './normalize.js';
import { ChatStreamReader } from './stream.js';
import { PATH } from './upstream/request.js';

/** Chat on both sides: the client's own body, fitted to the provider; the provider's own reply. */
export const chatVerbatim: Verbatim = {
  encodeRequest,
  streamReader: (prompt, maxOutputTokens, tokensOf) => new ChatStreamReader(prompt, maxOutputTokens, undefined, tokensOf),
  isTail: ({ data }) => data.trimEnd() === '[DONE]',
  readWhole: (body) => readWhole(body, straightReply),
};

/**
 * The request as it goes to the provider: what the client sent, with the model's own id, the output limit the hold was made for and, for a
 * stream, usage asked for. Fields Weir does not know stay as they are, in their order.
 */
function encodeRequest({ body, source }: CallRequest, rewrite: UpstreamParams): UpstreamRequest {
  const own = levelAsked(body);
  const level = own.asked ? null : rewrite.thinkingLevel;
  const fitted = fit(body, rewrite, level && { level, budgetTokens: null, show: null });
  return {
    path: PATH,
    headers: [],
    body: writeBody(source, fitted.body),
    warnings: fitted.warnings,
    thinkingLevel: own.asked ? own.level : fitted.thinkingLevel,
    reply: PLAIN_REPLY,
  };
}
