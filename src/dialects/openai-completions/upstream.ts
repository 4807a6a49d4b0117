import type { Conversation } from '../canonical.js';
import type { Upstream, UpstreamParams, UpstreamRequest } from '../dialect.js';
import { type JsonObject, writeJson } from '../kit/json.js';
import { settingsLeftOut, thinkingLeftOut } from '../kit/left-out.js';
import { promptTools } from '../kit/prompted-tools.js';
import { structures, Unsupported } from '../kit/unsupported.js';
import { decodeRefusal } from '../openai-chat/errors.js';
import { ChatDecoder } from '../openai-chat/upstream/decoder.js';
import { transcriptOf } from './transcript.js';

export const PATH = '/completions';

/** OpenAI's legacy completions, as instruct models are served by: a conversation becomes one text. Its replies are read as chat's are. */
export const openaiCompletions: Upstream = {
  name: 'openai-completions',
  framing: 'sse',
  unsaid: ['endUser', 'strict'],
  encodeRequest,
  decodeAnswer: (body) => new ChatDecoder().readAnswer(body),
  streamDecoder: () => new ChatDecoder(),
  decodeRefusal,
};

function encodeRequest(conversation: Conversation, { model, maxOutputTokens, quirks }: UpstreamParams): UpstreamRequest {
  const { settings, format, stream, choices, thinking } = conversation;
  if (format !== null)
    throw new Unsupported(
      'response_format',
      `"${model}" has no structured output. Leave "response_format" out, or use another model.`,
      structures,
    );
  const { prompt, stop } = transcriptOf(promptTools(conversation).turns);
  const stops = [...settings.stop, ...stop];
  const body: JsonObject = {
    model,
    prompt,
    max_tokens: maxOutputTokens,
    temperature: settings.temperature,
    top_p: settings.topP,
    stop: stops.length > 0 ? stops : null,
    seed: settings.seed,
    presence_penalty: settings.presencePenalty,
    frequency_penalty: settings.frequencyPenalty,
    logit_bias: settings.logitBias,
    n: choices === 1 ? null : choices,
    stream: stream || null,
    stream_options: stream && quirks.streamOptions !== false ? { include_usage: true } : null,
  };
  return {
    path: PATH,
    headers: [],
    body: writeJson(Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null))),
    warnings: [
      ...settingsLeftOut(settings, 'topK', 'minP', 'logprobs', 'topLogprobs', 'verbosity', 'serviceTier'),
      ...thinkingLeftOut(thinking),
    ],
    thinkingLevel: null,
    reply: { toolNames: new Map(), outputTool: null, promptedTools: conversation.tools.length > 0 },
  };
}
