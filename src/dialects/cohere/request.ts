import { rulesOf } from '../../model-rules/index.js';
import type { Conversation, OutputFormat, Settings, Thinking, ThinkingLevel, Tool, ToolChoice } from '../canonical.js';
import { PLAIN_REPLY, rulesId, type UpstreamParams, type UpstreamRequest } from '../dialect.js';
import { invalid } from '../kit/fields.js';
import { type JsonObject, writeJson } from '../kit/json.js';
import { leftOut, settingsLeftOut, showLeftOut, thinkingLeftOut, tierAsked } from '../kit/left-out.js';
import { ToolNames } from '../kit/tool-names.js';
import { answersSeverally, Unsupported } from '../kit/unsupported.js';
import { encodeMessages } from './messages.js';

const MAX_STOP_SEQUENCES = 5;

/** Writes a request to Cohere's v2 chat. @throws WeirError invalid_request when the model cannot be asked this. */
export function encodeRequest(conversation: Conversation, rewrite: UpstreamParams): UpstreamRequest {
  const { settings, stream, turns } = conversation;
  if (conversation.choices > 1)
    throw new Unsupported('n', 'This provider gives one answer at a time. Leave "n" out, or send 1.', answersSeverally);
  const thinks = rulesOf(rulesId(rewrite)).cohere.thinks;
  const names = new ToolNames(/^[a-zA-Z0-9_-]+$/, /[^a-zA-Z0-9_-]/g, 64);
  const asked = conversation.thinking ?? (rewrite.thinkingLevel && { level: rewrite.thinkingLevel, budgetTokens: null, show: null });
  const thinking = thinks ? thinkingOf(asked) : null;
  const warnings: string[] = [];
  const body = {
    model: rewrite.model,
    messages: encodeMessages(turns, thinks, names),
    ...encodeTools(conversation.tools, conversation.toolChoice, names),
    ...encodeFormat(conversation.format),
    max_tokens: rewrite.maxOutputTokens,
    ...encodeSettings(settings, warnings),
    ...(thinking && { thinking: thinking.field }),
    stream,
  };
  const tier = tierAsked(settings);
  warnings.push(
    ...settingsLeftOut({ ...settings, serviceTier: tier }, 'minP', 'logprobs', 'topLogprobs', 'logitBias', 'verbosity', 'serviceTier'),
    ...(conversation.parallelToolCalls === false ? [leftOut('parallel_tool_calls')] : []),
    ...(thinks ? showLeftOut(conversation.thinking, true) : thinkingLeftOut(conversation.thinking)),
  );
  return {
    path: '/chat',
    headers: [],
    body: writeJson(body),
    warnings,
    thinkingLevel: thinking?.level ?? null,
    reply: { ...PLAIN_REPLY, toolNames: names.changed },
  };
}

/** There is no naming of tools: those that may not be used are not shown. */
function encodeTools(all: Tool[], choice: ToolChoice | null, names: ToolNames): JsonObject {
  const tools = all.filter(({ name }) => isAllowed(name, choice));
  if (tools.length === 0) return {};
  const forced = choice?.type === 'required' || choice?.type === 'tool' || (choice?.type === 'allowed' && choice.required);
  return {
    tools: tools.map(({ name, description, parameters }) => ({
      type: 'function',
      function: {
        name: names.sent(name),
        ...(description !== null && { description }),
        parameters: parameters ?? { type: 'object', properties: {} },
      },
    })),
    ...(forced && { tool_choice: 'REQUIRED' }),
    ...(choice?.type === 'none' && { tool_choice: 'NONE' }),
  };
}

function isAllowed(name: string, choice: ToolChoice | null): boolean {
  if (choice?.type === 'tool') return name === choice.name;
  return choice?.type === 'allowed' ? choice.names.includes(name) : true;
}

function encodeFormat(format: OutputFormat | null): JsonObject {
  if (format === null) return {};
  return { response_format: { type: 'json_object', ...(format.type === 'json_schema' && { schema: format.schema }) } };
}

/** Numbers outside what Cohere accepts, which others take, become the nearest it does. */
function encodeSettings(settings: Settings, warnings: string[]): JsonObject {
  const { stop, topK, seed } = settings;
  if (stop.length > MAX_STOP_SEQUENCES)
    throw invalid('stop', `This provider takes at most ${MAX_STOP_SEQUENCES} stop sequences. Send fewer.`);
  const between = (field: string, asked: string, value: number | null, min: number, max: number): JsonObject => {
    if (value === null) return {};
    const taken = Math.min(Math.max(value, min), max);
    if (taken !== value) warnings.push(`"${asked}" was changed to ${taken}: this provider takes ${min} to ${max}.`);
    return { [field]: taken };
  };
  return {
    ...between('temperature', 'temperature', settings.temperature, 0, 1),
    ...between('p', 'top_p', settings.topP, 0.01, 0.99),
    ...between('frequency_penalty', 'frequency_penalty', settings.frequencyPenalty, 0, 1),
    ...between('presence_penalty', 'presence_penalty', settings.presencePenalty, 0, 1),
    ...(topK !== null && { k: topK }),
    ...(seed !== null && { seed }),
    ...(stop.length > 0 && { stop_sequences: stop }),
  };
}

/** Tokens for each level; `off` and a budget of nothing are told in words. */
const BUDGETS: Record<Exclude<ThinkingLevel, 'off'>, number> = {
  minimal: 1024,
  low: 2048,
  medium: 10_000,
  high: 16_384,
  xhigh: 31_000,
  max: 31_000,
};

function thinkingOf(asked: Thinking | null): { field: JsonObject; level: ThinkingLevel | null } | null {
  if (asked === null) return null;
  const { level, budgetTokens } = asked;
  if (level === 'off' || budgetTokens === 0) return { field: { type: 'disabled' }, level: 'off' };
  const budget = budgetTokens ?? (level && BUDGETS[level]);
  return { field: { type: 'enabled', ...(budget !== null && { token_budget: budget }) }, level: level ?? levelOf(budget) };
}

/** The lowest level that thinks as much. */
function levelOf(budget: number | null): ThinkingLevel | null {
  if (budget === null) return null;
  const levels = Object.entries(BUDGETS) as [ThinkingLevel, number][];
  return levels.find(([, tokens]) => tokens >= budget)?.[0] ?? 'xhigh';
}
