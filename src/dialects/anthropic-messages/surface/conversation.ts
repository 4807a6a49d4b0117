import { type Conversation, NO_SETTINGS, type OutputFormat, type Settings, type Thinking } from '../../canonical.js';
import type { CallRequest } from '../../dialect.js';
import { Fields } from '../../kit/fields.js';
import { markLast } from '../../kit/mark-last.js';
import { refuseThread } from '../threads.js';
import { decodeMark, decodeTurns } from './messages.js';
import { decodeToolChoice, decodeTools } from './tools.js';

/** Fields that are read here or in `decodeRequest`. */
const KNOWN = new Set(
  `model max_tokens messages system tools tool_choice thinking output_config output_format temperature top_p top_k stop_sequences stream
  metadata service_tier cache_control`.split(/\s+/),
);

/** The whole of a Messages request. @throws WeirError invalid_request naming the field. */
export function decodeConversation(prompt: CallRequest): Conversation {
  refuseThread(prompt.body);
  const fields = Fields.of(prompt.body, '');
  const leftOut = Object.keys(fields.values).filter((name) => !KNOWN.has(name) && fields.has(name));
  const config = fields.objectOrNull('output_config');
  if (config?.has('task_budget')) leftOut.push('output_config.task_budget');
  const turns = decodeTurns(fields, leftOut);
  const { cache } = decodeMark(fields);
  if (cache) markLast(turns, cache);
  const tools = decodeTools(fields, leftOut, prompt.dropUnsupported);
  const toolChoice = decodeToolChoice(fields, tools, prompt.dropUnsupported);
  if (toolChoice === null && fields.has('tool_choice')) leftOut.push('tool_choice');
  return {
    turns,
    tools,
    toolChoice,
    parallelToolCalls: fields.objectOrNull('tool_choice')?.booleanOrNull('disable_parallel_tool_use') === true ? false : null,
    format: decodeFormat(config?.objectOrNull('format') ?? fields.objectOrNull('output_format')),
    settings: decodeSettings(fields),
    thinking: decodeThinking(fields),
    stream: prompt.stream,
    choices: 1,
    endUser: prompt.endUser,
    leftOut: [...new Set(leftOut)],
  };
}

function decodeSettings(fields: Fields): Settings {
  const stop = fields.listOrNull('stop_sequences') ?? [];
  if (stop.some((sequence) => typeof sequence !== 'string')) throw fields.refuse('stop_sequences', 'must be a list of strings');
  const tier = fields.textOrNull('service_tier');
  return {
    ...NO_SETTINGS,
    temperature: fields.numberOrNull('temperature'),
    topP: fields.numberOrNull('top_p'),
    topK: fields.wholeOrNull('top_k'),
    stop: stop as string[],
    serviceTier: tier === 'standard_only' ? 'default' : tier,
  };
}

const EFFORTS = ['low', 'medium', 'high', 'xhigh', 'max'] as const;

/** The effort counts as asking to think, also where it stands alone. */
function decodeThinking(fields: Fields): Thinking | null {
  const thinking = fields.objectOrNull('thinking');
  const effort = fields.objectOrNull('output_config')?.oneOf('effort', EFFORTS) ?? null;
  if (!thinking) return effort && { level: effort, budgetTokens: null, show: null };
  const display = thinking.oneOf('display', ['summarized', 'omitted']);
  const show = display && display === 'summarized';
  const type = thinking.oneOf('type', ['enabled', 'adaptive', 'between_tools', 'disabled']);
  switch (type) {
    case null:
      throw thinking.refuse('type', 'must be one of enabled, adaptive, disabled');
    case 'disabled':
      return { level: 'off', budgetTokens: null, show };
    case 'between_tools':
      return { level: 'minimal', budgetTokens: null, show };
    case 'adaptive':
      return { level: effort, budgetTokens: null, show };
    case 'enabled':
      return { level: effort, budgetTokens: thinking.wholeOrNull('budget_tokens'), show };
  }
}

function decodeFormat(format: Fields | null): OutputFormat | null {
  if (!format) return null;
  if (format.text('type') !== 'json_schema') throw format.refuse('type', 'must be json_schema');
  return { type: 'json_schema', name: 'answer', description: null, schema: format.object('schema').values, strict: true };
}
