import { type Conversation, type Settings, THINKING_LEVELS, type Thinking } from '../../canonical.js';
import type { CallRequest } from '../../dialect.js';
import { Fields } from '../../kit/fields.js';
import { DROP } from '../../kit/left-out.js';
import { markLast } from '../../kit/mark-last.js';
import { searches, speaksAloud, Unsupported } from '../../kit/unsupported.js';
import { decodeMessages } from './messages.js';
import { cacheMark, decodeFormat, decodeToolChoice, decodeTools } from './tools.js';

/** Fields that are read here or in `decodeRequest`. */
const KNOWN = new Set(
  `model messages tools functions tool_choice function_call parallel_tool_calls response_format temperature top_p top_k min_p stop seed
  presence_penalty frequency_penalty logprobs top_logprobs logit_bias verbosity service_tier reasoning_effort reasoning thinking
  max_tokens max_completion_tokens n stream stream_options user safety_identifier cache_control`.split(/\s+/),
);

/** The whole of a chat request. @throws WeirError invalid_request naming the field. */
export function decodeConversation(prompt: CallRequest): Conversation {
  const fields = Fields.of(prompt.body, '');
  if (!prompt.dropUnsupported) refuseOwnOutput(fields);
  const unread = new Set(Object.keys(fields.values).filter((name) => !KNOWN.has(name) && fields.has(name)));
  const turns = decodeMessages(fields, unread);
  const mark = cacheMark(fields);
  if (mark) markLast(turns, mark);
  return {
    turns,
    tools: decodeTools(fields),
    toolChoice: decodeToolChoice(fields),
    parallelToolCalls: fields.booleanOrNull('parallel_tool_calls'),
    format: decodeFormat(fields),
    settings: decodeSettings(fields),
    thinking: decodeThinking(fields),
    stream: prompt.stream,
    choices: prompt.choices,
    endUser: prompt.endUser,
    leftOut: [...unread],
  };
}

/** Without these the answer would be another one. */
function refuseOwnOutput(fields: Fields): void {
  if (fields.has('web_search_options'))
    throw new Unsupported(
      'web_search_options',
      `This provider does not search the web. Choose a search model of OpenAI, leave the field out, or ${DROP}.`,
      searches,
    );
  if (fields.listOrNull('modalities')?.includes('audio'))
    throw new Unsupported(
      'modalities',
      `This provider does not answer in audio. Choose an audio model of OpenAI, ask for text only, or ${DROP}.`,
      speaksAloud,
    );
}

function decodeSettings(fields: Fields): Settings {
  return {
    temperature: fields.numberOrNull('temperature'),
    topP: fields.numberOrNull('top_p'),
    topK: fields.numberOrNull('top_k'),
    minP: fields.numberOrNull('min_p'),
    stop: decodeStop(fields),
    seed: fields.wholeOrNull('seed'),
    presencePenalty: fields.numberOrNull('presence_penalty'),
    frequencyPenalty: fields.numberOrNull('frequency_penalty'),
    logprobs: fields.booleanOrNull('logprobs'),
    topLogprobs: fields.wholeOrNull('top_logprobs'),
    logitBias: decodeLogitBias(fields),
    verbosity: fields.textOrNull('verbosity'),
    serviceTier: fields.textOrNull('service_tier'),
  };
}

export function decodeStop(fields: Fields): string[] {
  const { stop } = fields.values;
  if (!fields.has('stop')) return [];
  const stops = Array.isArray(stop) ? stop : [stop];
  if (stops.some((one) => typeof one !== 'string')) throw fields.refuse('stop', 'must be a string or a list of strings');
  return stops;
}

export function decodeLogitBias(fields: Fields): Record<string, number> | null {
  const bias = fields.objectOrNull('logit_bias')?.values ?? null;
  if (bias && Object.values(bias).some((value) => typeof value !== 'number')) throw fields.refuse('logit_bias', 'must hold numbers');
  return bias as Record<string, number> | null;
}

/** OpenAI's `reasoning_effort`, OpenRouter's `reasoning`, and `thinking` as DeepSeek and Anthropic's compatible endpoints take it. */
function decodeThinking(fields: Fields): Thinking | null {
  const effort = fields.has('reasoning_effort') ? decodeEffort(fields, 'reasoning_effort') : null;
  const reasoning = fields.objectOrNull('reasoning');
  if (reasoning) {
    const show = reasoning.booleanOrNull('exclude') === true ? false : null;
    const budgetTokens = reasoning.wholeOrNull('max_tokens');
    const enabled = reasoning.booleanOrNull('enabled');
    const level = decodeEffort(reasoning, 'effort') ?? effort;
    if (enabled === false) return { level: 'off', budgetTokens: null, show };
    if (level !== null || budgetTokens !== null || enabled) return { level, budgetTokens, show };
  }
  if (effort !== null) return { level: effort, budgetTokens: null, show: null };
  const thinking = fields.objectOrNull('thinking');
  if (!thinking) return null;
  const type = thinking.oneOf('type', ['enabled', 'adaptive', 'auto', 'disabled']);
  return { level: type === 'disabled' ? 'off' : null, budgetTokens: thinking.wholeOrNull('budget_tokens'), show: null };
}

const EFFORTS = ['none', ...THINKING_LEVELS.slice(1)] as const;

function decodeEffort(fields: Fields, name: string): Thinking['level'] {
  const effort = fields.oneOf(name, EFFORTS);
  return effort === 'none' ? 'off' : (effort as Thinking['level']);
}
