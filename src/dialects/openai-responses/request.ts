import { type OpenAiRules, rulesOf } from '../../model-rules/index.js';
import type { Conversation, OutputFormat, Settings, Tool, ToolChoice, Turn } from '../canonical.js';
import { rulesId, type UpstreamParams, type UpstreamRequest } from '../dialect.js';
import { levelOf, samplingAllowed } from '../families/openai.js';
import { strictFor } from '../families/openai-schema.js';
import { invalid } from '../kit/fields.js';
import { type JsonObject, writeJson } from '../kit/json.js';
import { settingsLeftOut, thinkingLeftOut } from '../kit/left-out.js';
import { MAX_STOP_CHARACTERS } from '../kit/stop-sequences.js';
import { ToolNames } from '../kit/tool-names.js';
import { answersSeverally, Unsupported } from '../kit/unsupported.js';
import { effortToSend } from './effort.js';
import { encodeItems } from './items.js';

/** The least that OpenAI accepts. */
export const MIN_OUTPUT_TOKENS = 16;

/** A conversation as a request that leaves nothing behind at the provider. */
export function encodeRequest(conversation: Conversation, rewrite: UpstreamParams): UpstreamRequest {
  refuseUnspeakable(conversation);
  const { quirks } = rewrite;
  const ruled = rulesId(rewrite);
  const rules = rulesOf(ruled).openai;
  const { settings, tools } = conversation;
  const names = new ToolNames(/^[\w-]+$/, /[^\w-]/g, 64);
  const warnings: string[] = [];
  const warn = (warning: string) => void warnings.push(warning);
  const effort = effortToSend(conversation.thinking, rewrite.thinkingLevel, ruled);
  const sampling = samplingAllowed(ruled, effort);
  const [instructions, turns] = splitInstructions(conversation.turns);
  const logprobs = sampling && settings.logprobs === true;
  const body = {
    model: rewrite.model,
    ...(instructions !== '' && { instructions }),
    input: encodeItems(turns, { rules, quirks, names }),
    ...(tools.length > 0 && encodeTools(conversation, names, warn)),
    ...encodeText(conversation.format, settings.verbosity, warn),
    ...encodeReasoning(effort, conversation.thinking?.show === true && mayReason(rules)),
    ...(!quirks.statelessStreams && { max_output_tokens: Math.max(rewrite.maxOutputTokens, MIN_OUTPUT_TOKENS) }),
    ...(sampling && settings.temperature !== null && { temperature: settings.temperature }),
    ...(sampling && settings.topP !== null && { top_p: settings.topP }),
    ...(logprobs && settings.topLogprobs !== null && { top_logprobs: settings.topLogprobs }),
    ...encodeInclude({ encrypted: keepsState(ruled, rules, effort, turns), logprobs }),
    ...(isTier(settings.serviceTier) && { service_tier: settings.serviceTier }),
    ...(conversation.endUser !== null && { safety_identifier: conversation.endUser }),
    store: false,
    ...((conversation.stream || quirks.statelessStreams) && { stream: true }),
  };
  return {
    path: '/responses',
    headers: [],
    body: writeJson(body),
    warnings: [...warnings, ...warningsFor(conversation, { sampling, mayReason: mayReason(rules) })],
    thinkingLevel: levelOf(effort),
    reply: { toolNames: names.changed, outputTool: null, promptedTools: false, stop: conversation.settings.stop },
  };
}

function refuseUnspeakable({ choices, settings }: Conversation): void {
  if (choices > 1) throw new Unsupported('n', 'This provider gives one answer per request. Set "n" to 1.', answersSeverally);
  if (settings.stop.join('').length > MAX_STOP_CHARACTERS)
    throw invalid('stop', `"stop" must not have more than ${MAX_STOP_CHARACTERS} characters in all for this provider.`);
}

/** The leading system messages are the instructions; a developer's keep their name and so their place. */
function splitInstructions(turns: Turn[]): [instructions: string, rest: Turn[]] {
  const end = turns.findIndex((turn) => turn.role !== 'system' || turn.developer);
  const leading = end === -1 ? turns : turns.slice(0, end);
  const texts = leading.flatMap((turn) => (turn.role === 'system' ? turn.parts.map(({ text }) => text) : []));
  return [texts.filter((text) => text !== '').join('\n\n'), turns.slice(leading.length)];
}

type Warn = (warning: string) => void;

function encodeTools({ tools, toolChoice, parallelToolCalls }: Conversation, names: ToolNames, warn: Warn): JsonObject {
  return {
    tools: tools.map((tool) => encodeTool(tool, names, warn)),
    ...(toolChoice && { tool_choice: encodeToolChoice(toolChoice, names) }),
    ...(parallelToolCalls !== null && { parallel_tool_calls: parallelToolCalls }),
  };
}

const encodeTool = ({ name, description, parameters, strict }: Tool, names: ToolNames, warn: Warn): JsonObject => ({
  type: 'function',
  name: names.sent(name),
  ...(description !== null && { description }),
  parameters: parameters ?? { type: 'object', properties: {} },
  // Left out it would mean yes, and the schema would be changed to fit.
  strict: strictFor(strict, parameters, name, warn) ?? false,
});

function encodeToolChoice(choice: ToolChoice, names: ToolNames): string | JsonObject {
  const named = (name: string) => ({ type: 'function', name: names.sent(name) });
  switch (choice.type) {
    case 'auto':
    case 'none':
    case 'required':
      return choice.type;
    case 'tool':
      return named(choice.name);
    case 'allowed':
      return { type: 'allowed_tools', mode: choice.required ? 'required' : 'auto', tools: choice.names.map(named) };
  }
}

function encodeText(format: OutputFormat | null, verbosity: string | null, warn: Warn): JsonObject {
  if (!format && verbosity === null) return {};
  return { text: { ...(format && { format: encodeFormat(format, warn) }), ...(verbosity !== null && { verbosity }) } };
}

function encodeFormat(format: OutputFormat, warn: Warn): JsonObject {
  if (format.type === 'json') return { type: 'json_object' };
  const { name, description, schema } = format;
  const strict = strictFor(format.strict, schema, 'text.format', warn);
  return { type: 'json_schema', name, ...(description !== null && { description }), schema, ...(strict !== null && { strict }) };
}

function encodeReasoning(effort: string | null, summary: boolean): JsonObject {
  if (effort === null && !summary) return {};
  return { reasoning: { ...(effort !== null && { effort }), ...(summary && { summary: 'auto' }) } };
}

const mayReason = ({ reasons, efforts }: OpenAiRules): boolean => reasons || efforts.length > 0;

/** Models that do not reason refuse to be asked for the state of it; of a model we do not know, it is asked for once it is known to reason. */
function keepsState(model: string, rules: OpenAiRules, effort: string | null, turns: Turn[]): boolean {
  if (rulesOf(model).vendor === 'openai') return mayReason(rules);
  return (effort !== null && effort !== 'none') || turns.some((turn) => turn.role === 'assistant' && turn.parts.some(isOpenAiState));
}

const isOpenAiState = (part: { type: string; origin?: unknown }): boolean => part.type === 'reasoning' && part.origin === 'openai';

function encodeInclude({ encrypted, logprobs }: { encrypted: boolean; logprobs: boolean }): JsonObject {
  const include = [...(encrypted ? ['reasoning.encrypted_content'] : []), ...(logprobs ? ['message.output_text.logprobs'] : [])];
  return include.length > 0 ? { include } : {};
}

const TIERS = ['auto', 'default', 'flex', 'priority', 'scale'];

const isTier = (tier: string | null): boolean => tier !== null && TIERS.includes(tier);

function warningsFor({ settings, thinking }: Conversation, can: { sampling: boolean; mayReason: boolean }): string[] {
  const unknown: (keyof Settings)[] = ['topK', 'minP', 'seed', 'presencePenalty', 'frequencyPenalty', 'logitBias'];
  if (!can.sampling) unknown.push('temperature', 'topP', 'logprobs', 'topLogprobs');
  if (!isTier(settings.serviceTier)) unknown.push('serviceTier');
  const warnings = settingsLeftOut(settings, ...unknown);
  return can.mayReason ? warnings : [...warnings, ...thinkingLeftOut(thinking)];
}
