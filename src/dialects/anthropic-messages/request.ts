import { createHash } from 'node:crypto';
import { type ClaudeRules, rulesOf } from '../../model-rules/index.js';
import type { Conversation, Settings } from '../canonical.js';
import { rulesId, type UpstreamParams, type UpstreamRequest } from '../dialect.js';
import { type ClaudeThinking, claudeThinking, samplingAllowed } from '../families/claude.js';
import { invalid } from '../kit/fields.js';
import { isObject, type JsonObject, listOf } from '../kit/json.js';
import { leftOut, settingsLeftOut } from '../kit/left-out.js';
import { table } from '../kit/table.js';
import { ToolNames } from '../kit/tool-names.js';
import { answersSeverally, Unsupported } from '../kit/unsupported.js';
import { limitMarks } from './cache-marks.js';
import { messageEnvelope } from './envelope.js';
import { encodeMessages, type Message } from './messages.js';
import { encodeTools } from './tools.js';

const FILES_BETA = 'files-api-2025-04-14';
const LONGEST_NAME = 128;

/** A conversation as a request for the Messages API. */
export function encodeRequest(conversation: Conversation, rewrite: UpstreamParams): UpstreamRequest {
  const { settings, format } = conversation;
  if (conversation.choices > 1)
    throw new Unsupported('n', 'This provider gives one answer per request. Leave out "n", or send the request again.', answersSeverally);
  const family = familyOf(rewrite);
  const names = new ToolNames(/^[\w-]+$/, /[^\w-]/g, LONGEST_NAME);
  const { system, messages, warnings } = encodeMessages(conversation.turns, family, names);
  const thinking = fitThinking(conversation, rewrite, family, messages);
  const tools = encodeTools(conversation, family, thinking, names);
  if (tools.instruction) system.push({ type: 'text', text: tools.instruction });
  const outputConfig = { ...(thinking.effort && { effort: thinking.effort }), ...(tools.format && { format: tools.format }) };
  const tier = TIERS[settings.serviceTier ?? ''];
  const sampling = encodeSampling(settings, family, thinking);
  const marks = limitMarks([...tools.tools, ...system, ...messages.flatMap(({ content }) => content.flatMap(withInner))]);
  const body = {
    model: rewrite.model,
    max_tokens: rewrite.maxOutputTokens,
    ...(system.length > 0 && { system }),
    messages,
    ...(tools.tools.length > 0 && { tools: tools.tools }),
    ...(tools.toolChoice && { tool_choice: tools.toolChoice }),
    ...(thinking.thinking && { thinking: thinking.thinking }),
    ...(Object.keys(outputConfig).length > 0 && { output_config: outputConfig }),
    ...sampling.fields,
    ...encodeStop(settings.stop),
    ...(tier && { service_tier: tier }),
    ...(conversation.endUser !== null && { metadata: { user_id: opaque(conversation.endUser) } }),
    ...(conversation.stream && { stream: true }),
  };
  const envelope = messageEnvelope(body, rewrite, {
    betas: [...new Set([...(conversation.betas ?? []), ...(usesFiles(messages) ? [FILES_BETA] : [])])],
  });
  return {
    ...envelope,
    warnings: [
      ...envelope.warnings,
      ...warnings,
      ...thinking.warnings,
      ...tools.warnings,
      ...sampling.warnings,
      ...marks,
      ...settingsLeftOut(
        settings,
        'minP',
        'seed',
        'presencePenalty',
        'frequencyPenalty',
        'logprobs',
        'topLogprobs',
        'logitBias',
        'verbosity',
      ),
      ...(settings.serviceTier !== null && !tier ? [leftOut('service_tier')] : []),
      ...(format?.type === 'json' ? ['JSON was asked for in words: this provider has no mode for it without a schema.'] : []),
    ],
    thinkingLevel: thinking.level,
    reply: { toolNames: names.changed, outputTool: tools.outputTool, promptedTools: false },
  };
}

/** Foundry takes no system message further down, whatever the model. */
function familyOf(rewrite: UpstreamParams): ClaudeRules {
  const family = rulesOf(rulesId(rewrite)).claude;
  return rewrite.quirks.cloud === 'foundry' ? { ...family, inlineSystem: false } : family;
}

/** A block after those it holds. */
const withInner = (block: JsonObject): JsonObject[] => [...listOf(block['content']).filter(isObject), block];

/** Thinking by a budget is refused beside a forced call, and amid a run of calls that began without it. */
function fitThinking(
  conversation: Conversation,
  rewrite: UpstreamParams,
  family: ClaudeRules,
  messages: readonly Message[],
): ClaudeThinking {
  const wanted = claudeThinking(family, conversation.thinking, rewrite.thinkingLevel, rewrite.maxOutputTokens);
  if (wanted.thinking?.['type'] !== 'enabled') return wanted;
  const { toolChoice } = conversation;
  const forced = toolChoice?.type === 'required' || toolChoice?.type === 'tool' || (toolChoice?.type === 'allowed' && toolChoice.required);
  if (forced) return { ...withoutThinking, warnings: ['Thinking was left out: this model cannot think and be made to call a tool.'] };
  if (beganWithoutThinking(messages))
    return { ...withoutThinking, warnings: ['Thinking was left out: the tool calls sent back came without the thinking before them.'] };
  return wanted;
}

const withoutThinking = { thinking: null, effort: null, level: 'off' } as const;

/** The last answer called tools, and no thinking stands before its calls. */
export function beganWithoutThinking(messages: readonly { role: unknown; content: unknown }[]): boolean {
  const answer = messages.findLast(({ role }) => role === 'assistant');
  if (!answer || !Array.isArray(answer.content) || messages.at(-1) === answer) return false;
  const [first] = answer.content;
  return answer.content.some(({ type }) => type === 'tool_use') && first.type !== 'thinking' && first.type !== 'redacted_thinking';
}

/** The scale ends at 1 here. */
function encodeSampling(settings: Settings, family: ClaudeRules, thinking: ClaudeThinking): { fields: JsonObject; warnings: string[] } {
  const allowed = samplingAllowed(family, thinking);
  const { temperature, topP, topK } = settings;
  if (allowed === 'none') {
    // 1 is what it is anyway.
    const said = { ...settings, temperature: temperature === 1 ? null : temperature, topP: topP === 1 ? null : topP };
    return { fields: {}, warnings: settingsLeftOut(said, 'temperature', 'topP', 'topK') };
  }
  const either = allowed === 'one' && temperature !== null && topP !== null;
  const fields = {
    ...(temperature !== null && { temperature: Math.min(temperature, 1) }),
    ...(topP !== null && !either && { top_p: topP }),
    ...(topK !== null && { top_k: topK }),
  };
  const clamped = temperature !== null && temperature > 1 ? ['"temperature" was lowered to 1, the most this provider takes.'] : [];
  return { fields, warnings: [...clamped, ...(either ? ['"top_p" was left out: this model takes it or "temperature", not both.'] : [])] };
}

function encodeStop(stop: readonly string[]): JsonObject {
  if (stop.some((sequence) => sequence.trim() === ''))
    throw invalid('stop', 'This provider does not stop at white space. Leave it out of "stop".');
  return stop.length > 0 ? { stop_sequences: stop } : {};
}

const TIERS = table<string>({ auto: 'auto', default: 'standard_only', standard_only: 'standard_only' });

/** The vendor wants no personal data. */
const opaque = (endUser: string): string => createHash('sha256').update(endUser).digest('hex');

const usesFiles = (messages: readonly Message[]): boolean =>
  messages.some(({ content }) => content.some(({ source }) => (source as JsonObject | undefined)?.['type'] === 'file'));
