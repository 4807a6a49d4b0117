import { WeirError } from '../../kernel/errors.js';
import { rulesOf } from '../../model-rules/index.js';
import type { Conversation, Settings } from '../canonical.js';
import { PLAIN_REPLY, rulesId, type UpstreamParams, type UpstreamRequest } from '../dialect.js';
import { type JsonObject, writeJson } from '../kit/json.js';
import { leftOut, settingsLeftOut, thinkingLeftOut, tierAsked, unsaidLeftOut } from '../kit/left-out.js';
import { pathSegment } from '../kit/path-segment.js';
import { encodeTurns } from './contents.js';
import { thinkingConfig } from './thinking.js';
import { encodeFormat, encodeTools, geminiToolNames } from './tools.js';

const MAX_STOP_SEQUENCES = 5;

/** Writes a request to Gemini, on Google AI Studio or Vertex. @throws WeirError invalid_request when the model cannot be asked this. */
export function encodeRequest(conversation: Conversation, rewrite: UpstreamParams): UpstreamRequest {
  const family = rulesOf(rulesId(rewrite)).gemini;
  const warnings: string[] = [];
  const warn = (warning: string) => {
    if (!warnings.includes(warning)) warnings.push(warning);
  };
  const names = geminiToolNames();
  const { instruction, contents } = encodeTurns(conversation, family, names, warn);
  const asked = conversation.thinking ?? (rewrite.thinkingLevel && { level: rewrite.thinkingLevel, budgetTokens: null, show: null });
  const thinking = thinkingConfig(asked, family.thinking);
  const tools = encodeTools(conversation, family, names);
  const body = {
    ...(instruction.length > 0 && { systemInstruction: { parts: instruction } }),
    ...tools,
    contents,
    generationConfig: {
      maxOutputTokens: rewrite.maxOutputTokens,
      ...settings(conversation.settings),
      ...(conversation.choices > 1 && { candidateCount: conversation.choices }),
      ...encodeFormat(conversation.format, conversation.tools.length > 0, family),
      ...(thinking.config && { thinkingConfig: thinking.config }),
    },
  };
  return {
    path: `/models/${pathSegment(rewrite.model.replace(/^models\//, ''))}:${conversation.stream ? 'streamGenerateContent?alt=sse' : 'generateContent'}`,
    headers: [],
    body: writeJson(body),
    warnings: [
      ...warnings,
      ...(family.validated ? [] : unsaidLeftOut(conversation, ['strict'])),
      ...(family.thinking.by === 'none' ? thinkingLeftOut(conversation.thinking) : []),
      ...warningsOf(conversation),
    ],
    thinkingLevel: thinking.level,
    reply: { ...PLAIN_REPLY, toolNames: names.changed },
  };
}

function settings(settings: Settings): JsonObject {
  const { stop, logprobs, topLogprobs } = settings;
  if (stop.length > MAX_STOP_SEQUENCES)
    throw new WeirError('invalid_request', {
      param: 'stop',
      message: `This provider takes at most ${MAX_STOP_SEQUENCES} stop sequences. Send fewer.`,
    });
  return {
    ...given('temperature', settings.temperature),
    ...given('topP', settings.topP),
    ...given('topK', settings.topK),
    ...given('seed', settings.seed),
    ...given('presencePenalty', settings.presencePenalty),
    ...given('frequencyPenalty', settings.frequencyPenalty),
    ...(stop.length > 0 && { stopSequences: stop }),
    ...(logprobs === true && { responseLogprobs: true, ...(topLogprobs !== null && topLogprobs > 0 && { logprobs: topLogprobs }) }),
  };
}

const given = (name: string, value: number | null): JsonObject => (value === null ? {} : { [name]: value });

/** The model has no switch against calls at once; those it makes are never dropped. */
function warningsOf({ settings, parallelToolCalls }: Conversation): string[] {
  const tier = tierAsked(settings);
  return [
    ...settingsLeftOut({ ...settings, serviceTier: tier }, 'minP', 'logitBias', 'verbosity', 'serviceTier'),
    ...(parallelToolCalls === false ? [leftOut('parallel_tool_calls')] : []),
  ];
}
