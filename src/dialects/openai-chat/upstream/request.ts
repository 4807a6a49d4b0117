import { rulesOf } from '../../../model-rules/index.js';
import { type Conversation, type Settings, type Tool, type ToolChoice } from '../../canonical.js';
import { rulesId, type UpstreamParams, type UpstreamRequest } from '../../dialect.js';
import { strictFor } from '../../families/openai-schema.js';
import { type JsonObject, writeJson } from '../../kit/json.js';
import { END_USER_LEFT_OUT, leftOut } from '../../kit/left-out.js';
import { ToolNames } from '../../kit/tool-names.js';
import { instructJson } from '../fit/format.js';
import { fit } from '../fit/request.js';
import { thinkingUnsaid } from '../fit/thinking.js';
import { type Marker, toolMarker } from './cache-marks.js';
import { encodeMessages } from './messages.js';

export const PATH = '/chat/completions';

const MAX_NAME_LENGTH = 64;

/** A conversation as a chat request. What is common to all who speak the format is said here; what their differences demand, in `fit`. */
export function encodeRequest(conversation: Conversation, rewrite: UpstreamParams): UpstreamRequest {
  const names = new ToolNames(/^[a-zA-Z0-9_-]+$/, /[^a-zA-Z0-9_-]/g, MAX_NAME_LENGTH);
  const { fields, warnings } = encodeFields(conversation, rewrite);
  const warn = (warning: string) => void warnings.push(warning);
  const messages = encodeMessages(conversation.turns, rewrite, names);
  const request = {
    model: rewrite.model,
    messages: conversation.format?.type === 'json' ? instructJson(messages) : messages,
    ...encodeTools(conversation, rewrite, names, warn),
    ...fields,
  };
  const thinking =
    conversation.thinking ?? (rewrite.thinkingLevel === null ? null : { level: rewrite.thinkingLevel, budgetTokens: null, show: null });
  const fitted = fit(request, rewrite, thinking);
  return {
    path: PATH,
    headers: [],
    body: writeJson(fitted.body),
    warnings: [...warnings, ...fitted.warnings, ...thinkingUnsaid(conversation.thinking, rewrite)],
    thinkingLevel: fitted.thinkingLevel,
    reply: { toolNames: names.changed, outputTool: null, promptedTools: false },
  };
}

function encodeFields(
  { settings, format, endUser, stream, choices }: Conversation,
  rewrite: UpstreamParams,
): { fields: JsonObject; warnings: string[] } {
  const warnings: string[] = [];
  const fields: JsonObject = {
    response_format: encodeFormat(format, (warning) => warnings.push(warning)),
    ...encodeSettings(settings),
    n: choices === 1 ? null : choices,
    stream: stream || null,
  };
  const openai = rulesOf(rulesId(rewrite)).vendor === 'openai';
  const openrouter = rewrite.quirks.thinking === 'openrouter';
  const known = (field: string, value: unknown, takenBy: boolean): void => {
    if (value === null) return;
    if (takenBy) fields[field] = value;
    else warnings.push(leftOut(field));
  };
  // Others refuse fields they do not know.
  known('top_k', settings.topK, openrouter);
  known('min_p', settings.minP, openrouter);
  known('verbosity', settings.verbosity, openrouter || openai);
  known('service_tier', settings.serviceTier, openai);
  if (openrouter || openai) fields['user'] = endUser;
  else if (endUser !== null) warnings.push(END_USER_LEFT_OUT);
  for (const [name, value] of Object.entries(fields)) if (value === null) delete fields[name];
  return { fields, warnings };
}

const encodeSettings = (settings: Settings): JsonObject => ({
  temperature: settings.temperature,
  top_p: settings.topP,
  stop: settings.stop.length > 0 ? settings.stop : null,
  seed: settings.seed,
  presence_penalty: settings.presencePenalty,
  frequency_penalty: settings.frequencyPenalty,
  logprobs: settings.logprobs,
  top_logprobs: settings.topLogprobs,
  logit_bias: settings.logitBias,
});

function encodeFormat(format: Conversation['format'], warn: (warning: string) => void): JsonObject | null {
  if (format === null) return null;
  if (format.type === 'json') return { type: 'json_object' };
  const { name, description, schema } = format;
  const strict = strictFor(format.strict, schema, 'response_format', warn);
  return {
    type: 'json_schema',
    json_schema: { name, ...(description !== null && { description }), schema, ...(strict !== null && { strict }) },
  };
}

function encodeTools(
  { tools, toolChoice, parallelToolCalls }: Conversation,
  rewrite: UpstreamParams,
  names: ToolNames,
  warn: (warning: string) => void,
): JsonObject {
  if (tools.length === 0) return {};
  // Those who know no `allowed_tools` get only the tools that are allowed.
  const all = toolChoice?.type !== 'allowed' || rulesOf(rulesId(rewrite)).vendor === 'openai';
  const mark = toolMarker(rewrite);
  const offered = all ? tools : tools.filter(({ name }) => toolChoice.names.includes(name));
  return {
    tools: offered.map((tool) => encodeTool({ ...tool, strict: strictFor(tool.strict, tool.parameters, tool.name, warn) }, names, mark)),
    ...(toolChoice !== null && { tool_choice: encodeChoice(toolChoice, all, names) }),
    ...(parallelToolCalls !== null && { parallel_tool_calls: parallelToolCalls }),
  };
}

const encodeTool = ({ name, description, parameters, strict, cache }: Tool, names: ToolNames, mark: Marker): JsonObject => ({
  type: 'function',
  function: {
    name: names.sent(name),
    ...(description !== null && { description }),
    parameters: parameters ?? { type: 'object', properties: {} },
    ...(strict !== null && { strict }),
  },
  ...mark(cache),
});

function encodeChoice(choice: ToolChoice, all: boolean, names: ToolNames): unknown {
  switch (choice.type) {
    case 'tool':
      return named(choice.name, names);
    case 'allowed': {
      const mode = choice.required ? 'required' : 'auto';
      return all ? { type: 'allowed_tools', allowed_tools: { mode, tools: choice.names.map((name) => named(name, names)) } } : mode;
    }
    case 'auto':
    case 'none':
    case 'required':
      return choice.type;
  }
}

const named = (name: string, names: ToolNames): JsonObject => ({ type: 'function', function: { name: names.sent(name) } });
