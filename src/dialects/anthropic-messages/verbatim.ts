import { type ClaudeRules, rulesOf } from '../../model-rules/index.js';
import { THINKING_LEVELS, type ThinkingLevel } from '../canonical.js';
import {
  type CallRequest,
  type Frame,
  PLAIN_REPLY,
  rulesId,
  type UpstreamParams,
  type UpstreamRequest,
  type Verbatim,
} from '../dialect.js';
import { type ClaudeThinking, claudeThinking, forcedToolAllowed, samplingAllowed } from '../families/claude.js';
import { isObject, type JsonObject, listOf, objectOf } from '../kit/json.js';
import { isSealed } from '../kit/sealed-state.js';
import { messageEnvelope } from './envelope.js';
import { beganWithoutThinking } from './request.js';
import { refuseThread } from './threads.js';

/** Messages by clients for providers that speak them: what Weir does not know passes as well. */
export const messagesVerbatim: Verbatim = {
  encodeRequest,
  isTail: (frame) => isOf(frame, 'message_stop'),
  sieve: onlyOneStart,
};

const isOf = ({ event, data }: Frame, type: string): boolean =>
  event === type || (event === null && new RegExp(`"type"\\s*:\\s*"${type}"`).test(data));

/** Some servers begin twice; clients take a second beginning for a fault. */
function onlyOneStart(): (frame: Frame) => boolean {
  let started = false;
  return (frame) => {
    const starts = isOf(frame, 'message_start');
    const isWanted = !(starts && started);
    started ||= starts;
    return isWanted;
  };
}

function encodeRequest(prompt: CallRequest, rewrite: UpstreamParams): UpstreamRequest {
  // Known of Anthropic's own API alone.
  if (rewrite.quirks.cloud) refuseThread(prompt.body);
  const family = rulesOf(rulesId(rewrite)).claude;
  const own = ownThinking(prompt.body);
  const thinking = own.said ? null : settingFor(prompt.body, family, rewrite);
  const body = {
    ...ownStateOnly(prompt.body, family),
    model: rewrite.model,
    max_tokens: rewrite.maxOutputTokens,
    ...(thinking?.thinking && { thinking: thinking.thinking }),
    ...(thinking?.effort && { output_config: { ...objectOf(prompt.body['output_config']), effort: thinking.effort } }),
  };
  const envelope = messageEnvelope(body, rewrite, prompt, prompt.source);
  return {
    ...envelope,
    warnings: [...envelope.warnings, ...(thinking?.warnings ?? [])],
    thinkingLevel: thinking ? thinking.level : own.level,
    reply: PLAIN_REPLY,
  };
}

/** What the client says of thinking itself, in words that may be newer than Weir. */
function ownThinking(body: JsonObject): { said: boolean; level: ThinkingLevel | null } {
  const { effort } = objectOf(body['output_config']);
  const off = objectOf(body['thinking'])['type'] === 'disabled';
  const level = off ? 'off' : (THINKING_LEVELS.find((known) => known === effort) ?? null);
  return { said: isObject(body['thinking']) || typeof effort === 'string', level };
}

/** What the caller's setting adds to a request that says nothing of thinking; nothing where the rest of it would be refused beside. */
function settingFor(body: JsonObject, family: ClaudeRules, rewrite: UpstreamParams): ClaudeThinking {
  const thinking = claudeThinking(family, null, rewrite.thinkingLevel, rewrite.maxOutputTokens);
  if (thinking.thinking === null) return thinking;
  const forced = ['any', 'tool'].includes(String(objectOf(body['tool_choice'])['type'])) && !forcedToolAllowed(family, thinking);
  const sampled = ['temperature', 'top_p', 'top_k'].some((name) => name in body) && samplingAllowed(family, thinking) === 'none';
  const late =
    thinking.thinking['type'] === 'enabled' && beganWithoutThinking(listOf(body['messages']) as { role: unknown; content: unknown }[]);
  if (!forced && !sampled && !late) return thinking;
  const warnings = ['The thinking level of the settings was left out: the rest of the request does not go with it.'];
  return { thinking: null, effort: null, level: null, warnings };
}

/** Claude refuses thinking that is not signed by it: other vendors' models wrote it earlier in the conversation. */
export function ownStateOnly(body: JsonObject, family: ClaudeRules): JsonObject {
  const isForeign = (block: unknown): boolean => {
    if (!isObject(block) || block['type'] !== 'thinking') return false;
    const { signature } = block;
    return typeof signature === 'string' && signature !== '' ? isSealed(signature) : family.claude;
  };
  const messages = listOf(body['messages']);
  const contentOf = (message: unknown): unknown[] => listOf(objectOf(message)['content']);
  if (!messages.some((message) => contentOf(message).some(isForeign))) return body;
  const kept = messages.flatMap((message) => {
    const content = contentOf(message);
    if (!content.some(isForeign)) return [message];
    const own = content.filter((block) => !isForeign(block));
    return own.length > 0 ? [{ ...objectOf(message), content: own }] : [];
  });
  return { ...body, messages: kept };
}
