import { type BedrockModel, bedrockModel, rulesOf } from '../../model-rules/index.js';
import type { Conversation } from '../canonical.js';
import { rulesId, type UpstreamParams, type UpstreamRequest } from '../dialect.js';
import { betasLeftOut } from '../kit/anthropic-headers.js';
import { invalid } from '../kit/fields.js';
import { writeJson } from '../kit/json.js';
import { settingsLeftOut } from '../kit/left-out.js';
import { pathSegment } from '../kit/path-segment.js';
import { ToolNames } from '../kit/tool-names.js';
import { answersSeverally, stops, Unsupported } from '../kit/unsupported.js';
import type { Block } from './blocks.js';
import { renderFormat } from './format.js';
import { TurnWriter } from './messages.js';
import { renderThinking } from './thinking.js';
import { renderTools } from './tools.js';

const newNames = (): ToolNames => new ToolNames(/^[\w-]+$/, /[^\w-]/g, 64);

/** Writes a request for `Converse`, or `ConverseStream` when a stream is wanted. */
export function encodeRequest(conversation: Conversation, rewrite: UpstreamParams): UpstreamRequest {
  if (conversation.choices > 1)
    throw new Unsupported('n', 'Bedrock gives one answer per request. Leave "n" out, or send the request several times.', answersSeverally);
  const model = bedrockModel(rulesId(rewrite));
  const names = newNames();
  const warnings: string[] = [];
  const thinking = renderThinking(model, conversation.thinking, rewrite.thinkingLevel, rewrite.maxOutputTokens);
  const format = renderFormat(conversation, model, thinking.mayForce);
  const outputTool = format.outputTool ?? null;
  const tools = renderTools(conversation, { model, names, mayForce: thinking.mayForce, outputTool });
  const turns = new TurnWriter(model.rules, names, (warning) => warnings.push(warning)).write(conversation.turns);
  const sampling = renderSampling(conversation, model, thinking.sampling);
  const system = format.words ? [...turns.system, { text: format.words }] : turns.system;
  const fields: Block = { ...thinking.fields, ...sampling.fields };
  if (tools.claudeToolChoice) fields['tool_choice'] = tools.claudeToolChoice;
  if (format.claudeFormat) fields['output_config'] = { ...(fields['output_config'] as Block | undefined), format: format.claudeFormat };

  const betas = claudeBetas(conversation.betas ?? [], model);
  if (betas.known.length > 0) fields['anthropic_beta'] = betas.known;

  const body: Block = { messages: turns.messages };
  if (system.length > 0) body['system'] = system;
  body['inferenceConfig'] = { maxTokens: rewrite.maxOutputTokens, ...sampling.inferenceConfig };
  if (tools.toolConfig) body['toolConfig'] = tools.toolConfig;
  if (format.outputConfig) body['outputConfig'] = format.outputConfig;
  if (Object.keys(fields).length > 0) body['additionalModelRequestFields'] = fields;
  if (conversation.settings.stop.length > 0 && model.vendor === 'anthropic')
    // The first for a whole answer, the second for a stream; the one that does not exist is ignored.
    body['additionalModelResponseFieldPaths'] = ['/stop_sequence', '/delta/stop_sequence'];
  const tier = serviceTier(conversation.settings.serviceTier);
  if (tier) body['serviceTier'] = { type: tier };

  return {
    path: `/model/${pathSegment(rewrite.model)}/${conversation.stream ? 'converse-stream' : 'converse'}`,
    headers: [],
    body: writeJson(body),
    warnings: [...betas.warnings, ...thinking.warnings, ...tools.warnings, ...sampling.warnings, ...warnings],
    thinkingLevel: thinking.level,
    reply: { toolNames: names.changed, outputTool: outputTool && names.sent(outputTool.name), promptedTools: false },
  };
}

interface RenderedSampling {
  inferenceConfig: Block;
  fields: Block;
  warnings: string[];
}

function renderSampling(
  { settings }: Conversation,
  { vendor, name, rules }: BedrockModel,
  allowed: 'all' | 'one' | 'none',
): RenderedSampling {
  const { temperature, topP, topK, stop } = settings;
  const warnings = settingsLeftOut(
    settings,
    'minP',
    'seed',
    'presencePenalty',
    'frequencyPenalty',
    'logprobs',
    'topLogprobs',
    'logitBias',
    'verbosity',
  );
  const inferenceConfig: Block = {};
  const fields: Block = {};
  if (allowed === 'none') warnings.push(...settingsLeftOut(settings, 'temperature', 'topP', 'topK'));
  else {
    if (temperature !== null) inferenceConfig['temperature'] = Math.min(temperature, 1);
    if (temperature !== null && temperature > 1) warnings.push('Bedrock takes a "temperature" up to 1, so 1 was sent.');
    if (topP !== null && (allowed === 'all' || temperature === null)) inferenceConfig['topP'] = topP;
    else if (topP !== null) warnings.push('This model takes "temperature" or "top_p", so "top_p" was left out.');
    if (topK !== null && rules.topK === 'top_k') fields['top_k'] = topK;
    else if (topK !== null && rules.topK === 'nova') fields['inferenceConfig'] = { topK };
    else warnings.push(...settingsLeftOut(settings, 'topK'));
  }
  if (stop.length > 0) {
    if (vendor === 'anthropic' && stop.some((text) => text.trim() === ''))
      throw invalid('stop', 'This model refuses stop sequences that are blank. Leave them out, or name a word.');
    if (vendor === 'openai' && !rulesOf(name).openai.stop)
      throw new Unsupported('stop', `"${name}" takes no stop sequences. Leave "stop" out, or use another model.`, stops);
    inferenceConfig['stopSequences'] = stop;
  }
  return { inferenceConfig, fields, warnings };
}

/** Betas of Claude that Bedrock takes; it refuses a request that names another. As of 2026-11. */
const BETAS = new Set(
  `computer-use-2025-01-24 computer-use-2025-11-24 context-1m-2025-08-07 context-management-2025-06-27 dev-full-thinking-2025-05-14
  effort-2025-11-24 fine-grained-tool-streaming-2025-05-14 interleaved-thinking-2025-05-14 output-128k-2025-02-19
  token-efficient-tools-2025-02-19 tool-examples-2025-10-29 tool-search-tool-2025-10-19`.split(/\s+/),
);

function claudeBetas(betas: readonly string[], { vendor }: BedrockModel): { known: string[]; warnings: string[] } {
  const isKnown = (beta: string) => vendor === 'anthropic' && BETAS.has(beta);
  return { known: betas.filter(isKnown), warnings: betasLeftOut(betas.filter((beta) => !isKnown(beta))) };
}

/** Tiers that Bedrock has; what others call their usual one is its default. */
function serviceTier(tier: string | null): string | null {
  if (tier === 'default' || tier === 'standard_only') return 'default';
  return tier === 'flex' || tier === 'priority' || tier === 'reserved' ? tier : null;
}
