import type { Conversation, OutputFormat, Tool } from '../canonical.js';
import { PLAIN_REPLY, rulesId, type UpstreamParams, type UpstreamRequest } from '../dialect.js';
import { type JsonObject, writeJson } from '../kit/json.js';
import { leftOut, settingsLeftOut, tierAsked } from '../kit/left-out.js';
import { answersSeverally, Unsupported } from '../kit/unsupported.js';
import { renderTurns } from './messages.js';
import { renderThinking } from './thinking.js';

/** Writes a request for `/chat`. The context size is the server's affair: no field of a client's means it. */
export function encodeRequest(conversation: Conversation, rewrite: UpstreamParams): UpstreamRequest {
  if (conversation.choices > 1)
    throw new Unsupported('n', 'Ollama gives one answer per request. Leave "n" out, or send the request several times.', answersSeverally);
  const { settings } = conversation;
  const tier = tierAsked(settings);
  const warnings = settingsLeftOut({ ...settings, serviceTier: tier }, 'logprobs', 'topLogprobs', 'logitBias', 'verbosity', 'serviceTier');
  const thinking = renderThinking(rulesId(rewrite), conversation.thinking, rewrite.thinkingLevel);
  const tools = offeredTools(conversation, warnings);
  const body: JsonObject = { model: rewrite.model, messages: renderTurns(conversation.turns) };
  if (tools.length > 0) body['tools'] = tools.map(renderTool);
  if (conversation.format) body['format'] = renderFormat(conversation.format);
  body['options'] = renderOptions(conversation, rewrite.maxOutputTokens);
  if (thinking.think !== null) body['think'] = thinking.think;
  // Absent means true.
  body['stream'] = conversation.stream;
  return {
    path: '/chat',
    headers: [],
    body: writeJson(body),
    warnings: [...thinking.warnings, ...warnings],
    thinkingLevel: thinking.level,
    reply: PLAIN_REPLY,
  };
}

/** There is no tool choice: what it leaves out is not sent, and a call cannot be forced. */
function offeredTools({ tools, toolChoice, parallelToolCalls }: Conversation, warnings: string[]): Tool[] {
  if (tools.length > 0 && parallelToolCalls === false) warnings.push(leftOut('parallel_tool_calls'));
  const forced = toolChoice?.type === 'required' || toolChoice?.type === 'tool' || (toolChoice?.type === 'allowed' && toolChoice.required);
  if (tools.length > 0 && forced) warnings.push('Ollama cannot make a model call a tool, so it was left to decide itself.');
  switch (toolChoice?.type) {
    case 'none':
      return [];
    case 'tool':
      return tools.filter(({ name }) => name === toolChoice.name);
    case 'allowed':
      return tools.filter(({ name }) => toolChoice.names.includes(name));
    default:
      return tools;
  }
}

const renderTool = ({ name, description, parameters }: Tool): JsonObject => ({
  type: 'function',
  function: { name, ...(description !== null && { description }), parameters: parameters ?? { type: 'object', properties: {} } },
});

const renderFormat = (format: OutputFormat): unknown => (format.type === 'json' ? 'json' : format.schema);

function renderOptions({ settings }: Conversation, maxOutputTokens: number): JsonObject {
  const options: JsonObject = {
    temperature: settings.temperature,
    top_p: settings.topP,
    top_k: settings.topK,
    min_p: settings.minP,
    seed: settings.seed,
    presence_penalty: settings.presencePenalty,
    frequency_penalty: settings.frequencyPenalty,
    stop: settings.stop.length > 0 ? settings.stop : null,
  };
  const asked = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== null));
  return { num_predict: maxOutputTokens, ...asked };
}
