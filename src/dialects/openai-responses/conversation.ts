import {
  type Conversation,
  NO_SETTINGS,
  type OutputFormat,
  type Settings,
  THINKING_LEVELS,
  type Thinking,
  type ThinkingLevel,
  type ToolChoice,
} from '../canonical.js';
import type { CallRequest } from '../dialect.js';
import { Fields, invalid } from '../kit/fields.js';
import { isObject } from '../kit/json.js';
import { DROP } from '../kit/left-out.js';
import { speaks, Unsupported } from '../kit/unsupported.js';
import { type ClientTools, clientToolsOf } from './client-tools.js';
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
export function decodeConversation(prompt: CallRequest): Conversation {
  const request = Fields.of(prompt.body, '');
  refuseState(request);
  const tools = clientToolsOf(prompt);
  if (!prompt.dropUnsupported) refuseHosted(request, tools);
  const toolChoice = decodeToolChoice(request, tools);
  const { turns, leftOut: items } = decodeTurns(request, tools);
  const text = request.objectOrNull('text');
  const fields = Object.keys(prompt.body).filter((field) => !KNOWN.has(field) && request.has(field));
  // Weir keeps nothing, and cuts nothing out of a prompt.
  if (request.booleanOrNull('store')) fields.push('store');
  if (request.textOrNull('truncation') === 'auto') fields.push('truncation');
  if (hostedChoice(request, tools) !== null) fields.push('tool_choice');
  fields.push(...reasoningExtras(request), ...unreadIncludes(request));
  return {
    turns,
    tools: tools.offered,
    toolChoice,
    parallelToolCalls: request.booleanOrNull('parallel_tool_calls'),
    format: text && decodeFormat(text),
    settings: decodeSettings(request, text),
    thinking: decodeThinking(request),
    stream: prompt.stream,
    choices: 1,
    endUser: prompt.endUser,
    leftOut: [...new Set([...fields, ...items, ...tools.hosted])],
  };
}

function refuseState(request: Fields): void {
  for (const field of ['previous_response_id', 'conversation']) {
    if (request.has(field)) throw invalid(field, `"${field}" is not supported by this provider. Send the whole conversation as "input".`);
  }
  if (request.has('prompt'))
    throw invalid('prompt', 'Prompts kept by OpenAI are not known to this provider. Send "instructions" and "input".');
}

/** Agents offer tools that OpenAI runs beside their own, and go on without. A request with no others asks for what they do. */
function refuseHosted(request: Fields, tools: ClientTools): void {
  const { offered, hosted } = tools;
  const chosen = hostedChoice(request, tools);
  if (chosen !== null)
    throw new Unsupported(
      'tool_choice',
      `"tool_choice" cannot be a tool of type "${chosen}" here: this provider does not run it. Choose a provider that speaks Responses, or ${DROP}.`,
      speaks('openai-responses'),
    );
  if (offered.length > 0 || hosted.size === 0) return;
  const types = [...hosted].join(', ');
  throw new Unsupported(
    'tools',
    `This provider does not run tools of type ${types}. Choose a provider that speaks Responses, leave them out, or ${DROP}.`,
    speaks('openai-responses'),
  );
}

/** The type of a tool that must be called and that only the client's own provider could run. */
function hostedChoice(request: Fields, tools: ClientTools): string | null {
  const choice = request.values['tool_choice'];
  if (!isObject(choice) || choice['type'] === 'allowed_tools') return null;
  const fields = Fields.of(choice, 'tool_choice');
  return chosenNames(fields, tools).length === 0 ? fields.text('type') : null;
}

function decodeToolChoice(request: Fields, tools: ClientTools): ToolChoice | null {
  const choice = request.values['tool_choice'];
  if (!isObject(choice)) {
    const type = request.oneOf('tool_choice', ['auto', 'none', 'required'] as const);
    return type && { type };
  }
  const fields = Fields.of(choice, 'tool_choice');
  if (fields.text('type') === 'allowed_tools') {
    return {
      type: 'allowed',
      names: fields.entries('tools').flatMap((tool) => chosenNames(tool, tools)),
      required: fields.oneOf('mode', ['auto', 'required'] as const) === 'required',
    };
  }
  const [name] = chosenNames(fields, tools);
  return name === undefined ? null : { type: 'tool', name };
}

/** The tools that an entry of a choice means, as they are offered; none where the provider of the conversation runs them. */
function chosenNames(entry: Fields, tools: ClientTools): string[] {
  const type = entry.text('type');
  if (type === 'namespace') return tools.inNamespace(entry.text('name'));
  const isNamed = type === 'function' || type === 'custom';
  const name = tools.offeredName(isNamed ? entry.text('name') : type, entry.textOrNull('namespace'));
  return isNamed || tools.offered.some((tool) => tool.name === name) ? [name] : [];
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

/** State of reasoning comes back unasked. */
const INCLUDES: readonly unknown[] = ['reasoning.encrypted_content', 'message.output_text.logprobs'];

const unreadIncludes = (request: Fields): string[] =>
  (request.listOrNull('include') ?? []).filter((what) => !INCLUDES.includes(what)).map((what) => `include: ${what}`);

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
