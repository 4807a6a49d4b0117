import type { Usage } from '../../kernel/usage.js';
import { type Answer, type Conversation, NO_SETTINGS, type Settings } from '../canonical.js';
import type { CallRequest, ReplyIdentity, Surface } from '../dialect.js';
import { Fields } from '../kit/fields.js';
import { endUserOf, modelOf, outputLimitOf, refuseTransport } from '../kit/prompt.js';
import { table } from '../kit/table.js';
import { completes, Unsupported } from '../kit/unsupported.js';
import { encodeError } from '../openai-chat/errors.js';
import { decodeLogitBias, decodeStop } from '../openai-chat/surface/conversation.js';
import { choicesOf, includeUsageOf } from '../openai-chat/surface/request.js';
import { encodeUsage } from '../openai-chat/usage.js';
import { CompletionsStreamEncoder, replyId } from './stream-encoder.js';

/** OpenAI's legacy `POST /v1/completions`, as clients speak it. Without `max_tokens` the gateway's own limit holds, not OpenAI's 16. */
export const completionsSurface: Surface = {
  name: 'openai-completions',
  decodeRequest,
  decodeConversation,
  encodeAnswer,
  streamEncoder: (prompt, identity) => new CompletionsStreamEncoder(prompt, identity),
  encodeError,
  fieldNames: table<string>({ messages: 'prompt' }),
};

function decodeRequest(body: unknown, bytes: number): CallRequest {
  const fields = Fields.of(body, '');
  refuseTransport(fields);
  return {
    model: modelOf(fields),
    stream: fields.booleanOrNull('stream') ?? false,
    includeUsage: includeUsageOf(fields),
    maxOutputTokens: outputLimitOf(fields, 'max_tokens'),
    // All of `best_of` are made and paid for, for each prompt.
    choices: promptsIn(fields) * Math.max(choicesOf(fields), choicesOf(fields, 'best_of')),
    endUser: endUserOf(fields, 'user'),
    inputTokensBound: bytes,
    body: fields.values,
    betas: [],
  };
}

/** A text, a list of tokens, or a list of either. */
function promptsIn(fields: Fields): number {
  const { prompt } = fields.values;
  if (typeof prompt === 'string') return 1;
  const kind = Array.isArray(prompt) && prompt.length > 0 ? kindOf(prompt[0]) : null;
  if (kind === null || !(prompt as unknown[]).every((one) => kindOf(one) === kind))
    throw fields.refuse('prompt', 'must be a string, or a non-empty list of strings or of tokens');
  return kind === 'token' ? 1 : (prompt as unknown[]).length;
}

function kindOf(one: unknown): 'text' | 'token' | 'tokens' | null {
  if (typeof one === 'string') return 'text';
  if (Number.isSafeInteger(one)) return 'token';
  return Array.isArray(one) && one.every(Number.isSafeInteger) ? 'tokens' : null;
}

const KNOWN = new Set(
  `model prompt temperature top_p stop seed presence_penalty frequency_penalty logit_bias max_tokens n best_of echo suffix logprobs stream
  stream_options user`.split(/\s+/),
);

function decodeConversation(prompt: CallRequest): Conversation {
  const fields = Fields.of(prompt.body, '');
  refuseUntranslatable(fields);
  return {
    turns: [{ role: 'user', parts: [{ type: 'text', text: promptText(fields) }] }],
    tools: [],
    toolChoice: null,
    parallelToolCalls: null,
    format: null,
    settings: decodeSettings(fields),
    thinking: null,
    stream: prompt.stream,
    choices: prompt.choices,
    endUser: prompt.endUser,
    leftOut: Object.keys(fields.values).filter((name) => !KNOWN.has(name) && fields.has(name)),
  };
}

function promptText(fields: Fields): string {
  const { prompt } = fields.values;
  const text = Array.isArray(prompt) && prompt.length === 1 ? prompt[0] : prompt;
  if (typeof text !== 'string') throw fields.refuse('prompt', 'must be one string for this model: send each prompt in a separate request');
  return text;
}

/** What no other format can do. */
function refuseUntranslatable(fields: Fields): void {
  const asked = {
    echo: fields.booleanOrNull('echo') === true,
    suffix: fields.written('suffix') !== null,
    logprobs: fields.has('logprobs'),
    best_of: choicesOf(fields, 'best_of') > choicesOf(fields),
  };
  for (const [field, isAsked] of Object.entries(asked))
    if (isAsked) throw new Unsupported(field, `"${field}" is not supported for this model.`, completes);
}

const decodeSettings = (fields: Fields): Settings => ({
  ...NO_SETTINGS,
  temperature: fields.numberOrNull('temperature'),
  topP: fields.numberOrNull('top_p'),
  stop: decodeStop(fields),
  seed: fields.wholeOrNull('seed'),
  presencePenalty: fields.numberOrNull('presence_penalty'),
  frequencyPenalty: fields.numberOrNull('frequency_penalty'),
  logitBias: decodeLogitBias(fields),
});

function encodeAnswer(answer: Answer, usage: Usage, identity: ReplyIdentity): string {
  return JSON.stringify({
    id: replyId(identity),
    object: 'text_completion',
    created: identity.createdAt,
    model: answer.model ?? identity.model,
    choices: answer.choices.map(({ parts, finish }, index) => ({
      text: parts.map((part) => (part.type === 'text' || part.type === 'refusal' ? part.text : '')).join(''),
      index,
      logprobs: null,
      finish_reason: finish,
    })),
    usage: encodeUsage(usage),
  });
}
