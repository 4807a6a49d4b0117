import { THINKING_LEVELS, type ThinkingLevel } from '../canonical.js';
import {
  type CallRequest,
  type Frame,
  PLAIN_REPLY,
  rulesId,
  type UpstreamParams,
  type UpstreamRequest,
  type Verbatim,
} from '../dialect.js';
import { effortFor, levelOf } from '../families/openai.js';
import { type JsonObject, objectOf, textOf, writeJson } from '../kit/json.js';
import { writeBody } from '../kit/json-splice.js';
import { VerbatimReader } from '../kit/readers.js';
import { ReplyFilter } from '../kit/reply-filter.js';
import { isSealed } from '../kit/sealed-state.js';
import { eventOf } from './decode.js';
import { FollowedStream } from './followed-stream.js';
import { MIN_OUTPUT_TOKENS } from './request.js';

/** Client and provider both speak Responses: what the provider keeps for the client, it keeps. */
export const responsesVerbatim: Verbatim = {
  encodeRequest,
  streamReader(prompt, maxOutputTokens, tokensOf) {
    const stream = new FollowedStream();
    const filter = new ReplyFilter(PLAIN_REPLY, 'unused');
    const frames = { isTail, writeTail, hidesCost: prompt.hidesCost === true };
    return new VerbatimReader(stream, frames, () => stream.ending, filter, prompt.choices, maxOutputTokens, tokensOf);
  },
  isTail,
};

function encodeRequest({ body: sent, source }: CallRequest, rewrite: UpstreamParams): UpstreamRequest {
  const body: JsonObject = { ...sent, model: rewrite.model };
  if (rewrite.quirks.statelessStreams) {
    delete body['max_output_tokens'];
    Object.assign(body, { store: false, stream: true });
  } else body['max_output_tokens'] = Math.max(rewrite.maxOutputTokens, MIN_OUTPUT_TOKENS);
  if (rewrite.keepNothing) body['store'] = false;
  if (Array.isArray(sent['input']))
    body['input'] = sent['input'].filter((item) => !isSealed(textOf(objectOf(item)['encrypted_content']) ?? ''));
  const reasoning = objectOf(sent['reasoning']);
  const asked = textOf(reasoning['effort']);
  const effort = asked === null && rewrite.thinkingLevel ? effortFor(rewrite.thinkingLevel, rulesId(rewrite), 'responses') : null;
  if (effort !== null) body['reasoning'] = { ...reasoning, effort };
  return {
    path: '/responses',
    headers: [],
    body: writeBody(source, body),
    warnings: [],
    thinkingLevel: asked === null ? levelOf(effort) : levelNamed(asked),
    reply: PLAIN_REPLY,
  };
}

/** What the client asked for itself, where it is a level we know. */
function levelNamed(effort: string): ThinkingLevel | null {
  const name = effort === 'none' ? 'off' : effort;
  return THINKING_LEVELS.find((level) => level === name) ?? null;
}

const TAIL = /^response\.(?:completed|incomplete|failed|done)$/;
/** Quotes within a text are escaped: this cannot be found in one. */
const TAIL_TYPE = /"type": ?"response\.(?:completed|incomplete|failed|done)"/;

/** The events that end a response, for providers that name them and for those that do not. */
function isTail({ event, data }: Frame): boolean {
  return event === null ? TAIL_TYPE.test(data) : TAIL.test(event);
}

/** `response.done`, as some backends say, is by its status one that clients wait for. */
function writeTail(frame: Frame): Frame | null {
  if (!/response\.done/.test(frame.event ?? frame.data)) return null;
  const event = eventOf(frame);
  if (event?.['type'] !== 'response.done') return null;
  const type = `response.${textOf(objectOf(event['response'])['status']) ?? 'completed'}`;
  return { event: type, data: writeJson({ ...event, type }) };
}
