import {
  type Conversation,
  NO_SETTINGS,
  type OutputFormat,
  type Settings,
  THINKING_LEVELS,
  type Thinking,
  type ThinkingLevel,
  type Tool,
  type ToolChoice,
} from '../canonical.js';
import type { Prompt } from '../dialect.js';
import { Fields, invalid } from '../kit/fields.js';
import { isObject } from '../kit/json.js';
import { decodeCustomTool } from './custom-tools.js';
import { decodeTurns } from './turns.js';

/** Read here, or of no consequence for another provider. */
const KNOWN = new Set([
  'model',
  'input',
  'instructions',
  'stream',
  'stream_options',
  'max_output_tokens',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'text',
  'reasoning',
  'temperature',
  'top_p',
  'top_logprobs',
  'service_tier',
  'safety_identifier',
  'user',
  'include',
  'metadata',
  'background',
  'previous_response_id',
  'conversation',
  'prompt',
  'store',
  'truncation',
]);

/** The request in the canonical form. @throws WeirError invalid_request naming the field. */
export function decodeConversation(prompt: Prompt): Conversation {
  const request = Fields.of(prompt.body, '');
  refuseState(request);
  const { turns, leftOut: items } = decodeTurns(request);
  const { tools, leftOut: hosted } = decodeTools(request);
  const text = request.objectOrNull('text');
  const fields = Object.keys(prompt.body).filter((field) => !KNOWN.has(field) && request.has(field));
  // Weir keeps nothing, and cuts nothing out of a prompt.
  if (request.booleanOrNull('store')) fields.push('store');
  if (request.textOrNull('truncation') === 'auto') fields.push('truncation');
  fields.push(...reasoningExtras(request));
  return {
    turns,
    tools,
    toolChoice: decodeToolChoice(request),
    parallelToolCalls: request.booleanOrNull('parallel_tool_calls'),
    format: text && decodeFormat(text),
    settings: decodeSettings(request, text),
    thinking: decodeThinking(request),
    stream: prompt.stream,
    choices: 1,
    endUser: prompt.endUser,
    leftOut: [...new Set([...fields, ...items, ...hosted])],
  };
}

function refuseState(request: Fields): void {
  for (const field of ['previous_response_id', 'conversation']) {
    if (request.has(field)) throw invalid(field, `"${field}" is not supported by this provider. Send the whole conversation as "input".`);
  }
  if (request.has('prompt'))
    throw invalid('prompt', 'Prompts kept by OpenAI are not known to this provider. Send "instructions" and "input".');
}

/** Tools that the provider itself would run cannot be run by another: they are left out. */
function decodeTools(request: Fields): { tools: Tool[]; leftOut: string[] } {
  const tools: Tool[] = [];
  const leftOut: string[] = [];
  for (const tool of request.entries('tools')) {
    const type = tool.text('type');
    if (type === 'function') tools.push(decodeFunction(tool));
    else if (type === 'custom') tools.push(decodeCustomTool(tool));
    else leftOut.push(type);
  }
  return { tools, leftOut };
}

const decodeFunction = (tool: Fields): Tool => ({
  name: tool.text('name'),
  description: tool.textOrNull('description'),
  parameters: tool.objectOrNull('parameters')?.values ?? null,
  strict: tool.booleanOrNull('strict'),
});

function decodeToolChoice(request: Fields): ToolChoice | null {
  const choice = request.values['tool_choice'];
  if (!isObject(choice)) {
    const type = request.oneOf('tool_choice', ['auto', 'none', 'required'] as const);
    return type && { type };
  }
  const fields = Fields.of(choice, 'tool_choice');
  switch (fields.text('type')) {
    case 'function':
    case 'custom':
      return { type: 'tool', name: fields.text('name') };
    case 'allowed_tools':
      return {
        type: 'allowed',
        // Of the others there is none to choose.
        names: fields.entries('tools').flatMap((tool) => tool.textOrNull('name') ?? []),
        required: fields.oneOf('mode', ['auto', 'required'] as const) === 'required',
      };
    default:
      throw invalid('tool_choice', `"tool_choice" cannot be a tool of type "${fields.text('type')}" here: this provider does not run it.`);
  }
}

function decodeFormat(text: Fields): OutputFormat | null {
  const format = text.objectOrNull('format');
  switch (format?.oneOf('type', ['text', 'json_object', 'json_schema'] as const)) {
    case 'json_object':
      return { type: 'json' };
    case 'json_schema':
      return {
        type: 'json_schema',
        name: format.text('name'),
        description: format.textOrNull('description'),
        schema: format.object('schema').values,
        strict: format.booleanOrNull('strict'),
      };
    default:
      return null;
  }
}

function decodeSettings(request: Fields, text: Fields | null): Settings {
  const topLogprobs = request.wholeOrNull('top_logprobs');
  const logprobs = (request.listOrNull('include') ?? []).includes('message.output_text.logprobs');
  return {
    ...NO_SETTINGS,
    temperature: request.numberOrNull('temperature'),
    topP: request.numberOrNull('top_p'),
    logprobs: logprobs || null,
    topLogprobs: logprobs ? topLogprobs : null,
    verbosity: text?.textOrNull('verbosity') ?? null,
    serviceTier: request.textOrNull('service_tier'),
  };
}

const REASONING_FIELDS = ['effort', 'summary', 'generate_summary'];

function reasoningExtras(request: Fields): string[] {
  const reasoning = request.objectOrNull('reasoning');
  const extras = Object.keys(reasoning?.values ?? {}).filter((field) => !REASONING_FIELDS.includes(field) && reasoning?.has(field));
  return extras.map((field) => `reasoning.${field}`);
}

function decodeThinking(request: Fields): Thinking | null {
  const reasoning = request.objectOrNull('reasoning');
  const effort = reasoning?.oneOf('effort', ['none', ...THINKING_LEVELS.slice(1)]) ?? null;
  const summary = reasoning?.textOrNull('summary') ?? reasoning?.textOrNull('generate_summary') ?? null;
  if (effort === null && summary === null) return null;
  const level = effort === 'none' ? 'off' : (effort as ThinkingLevel | null);
  return { level, budgetTokens: null, show: summary !== null && summary !== 'none' ? true : null };
}
