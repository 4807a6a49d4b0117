import type { WeirError } from '../../kernel/errors.js';
import type { Usage } from '../../kernel/usage.js';
import type { Answer, AnswerChoice, FinishReason, ReplyEvent } from '../canonical.js';
import type { CallRequest, ReplyIdentity } from '../dialect.js';
import { type JsonObject, listOf, objectOf, writeJson } from '../kit/json.js';
import { table } from '../kit/table.js';
import { clientToolsOf } from './client-tools.js';
import { Output } from './output.js';
import { keepItems } from './own-items.js';
import { encodeUsage } from './usage.js';

/** A whole response. */
export function encodeAnswer(answer: Answer, usage: Usage, identity: ReplyIdentity, _raw: unknown, prompt: CallRequest): string {
  const output = new Output(identity.id, clientToolsOf(prompt), () => {});
  const choice = answer.choices[0];
  for (const event of choice ? eventsOf(choice) : []) output.add(event);
  const end = endOf(choice?.finish ?? 'stop');
  output.close(end.status === 'incomplete');
  keepItems(prompt, output.wire, identity.items);
  return writeJson({
    ...responseHead(prompt, identity, answer.model),
    ...end,
    completed_at: completedAt(end, identity),
    output: output.wire,
    usage: encodeUsage(usage),
  });
}

/** Only what was completed has a time of it. */
export const completedAt = ({ status }: { status: string }, { createdAt, endedAt }: ReplyIdentity): number | null =>
  status === 'completed' ? (endedAt?.() ?? createdAt) : null;

/** What every state of a response repeats: who made it, and what was asked for. Weir keeps none, so `store` is false. */
export function responseHead({ body }: CallRequest, { id, createdAt, model }: ReplyIdentity, servedModel: string | null): JsonObject {
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: createdAt,
    completed_at: null,
    status: 'in_progress',
    background: false,
    error: null,
    incomplete_details: null,
    instructions: body['instructions'] ?? null,
    max_output_tokens: body['max_output_tokens'] ?? null,
    max_tool_calls: body['max_tool_calls'] ?? null,
    metadata: body['metadata'] ?? {},
    model: servedModel ?? model,
    output: [],
    parallel_tool_calls: body['parallel_tool_calls'] ?? true,
    // Numbers that clients expect: what the format's own vendor takes where none is given.
    presence_penalty: body['presence_penalty'] ?? 0,
    frequency_penalty: body['frequency_penalty'] ?? 0,
    previous_response_id: null,
    prompt_cache_key: body['prompt_cache_key'] ?? null,
    reasoning: { effort: null, summary: null, ...objectOf(body['reasoning']) },
    safety_identifier: body['safety_identifier'] ?? null,
    service_tier: body['service_tier'] ?? 'default',
    store: false,
    temperature: body['temperature'] ?? 1,
    text: { format: { type: 'text' }, ...objectOf(body['text']) },
    tool_choice: body['tool_choice'] ?? 'auto',
    tools: listOf(body['tools']).map(whole),
    top_logprobs: body['top_logprobs'] ?? 0,
    top_p: body['top_p'] ?? 1,
    truncation: 'disabled',
    usage: null,
  };
}

/** A function has all its fields, also those that the client left out. */
const whole = (tool: unknown): unknown =>
  objectOf(tool)['type'] === 'function' ? { description: null, parameters: null, strict: false, ...objectOf(tool) } : tool;

/** How a failure is told: the format has words of its own, and its clients know no others. */
export function errorOf({ code, message }: Pick<WeirError, 'code' | 'message'>): JsonObject {
  return { code: CODES[code] ?? 'server_error', message };
}

const CODES = table<string>({
  rate_limit_exceeded: 'rate_limit_exceeded',
  upstream_rate_limited: 'rate_limit_exceeded',
  budget_held: 'rate_limit_exceeded',
  invalid_request: 'invalid_prompt',
  // Not among OpenAI's words for this field, but sent by it, and agents know it.
  context_length_exceeded: 'context_length_exceeded',
});

/** How a response says that its answer ended. */
export function endOf(reason: FinishReason): { status: 'completed' | 'incomplete'; incomplete_details: JsonObject | null } {
  switch (reason) {
    case 'length':
      return { status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } };
    case 'content_filter':
      return { status: 'incomplete', incomplete_details: { reason: 'content_filter' } };
    case 'stop':
    case 'tool_calls':
    case 'error':
      return { status: 'completed', incomplete_details: null };
  }
}

/** An answer as the events it would have come in. */
function eventsOf({ parts, annotations, logprobs }: AnswerChoice): ReplyEvent[] {
  const events: ReplyEvent[] = [];
  for (const [index, part] of parts.entries()) {
    switch (part.type) {
      case 'text':
        events.push({ ...part, choice: 0 });
        break;
      case 'refusal':
        events.push({ ...part, choice: 0 });
        break;
      case 'reasoning': {
        const { text, origin, signature, redacted, id } = part;
        events.push({ type: 'reasoning', choice: 0, block: index, text });
        if (origin !== null) events.push({ type: 'reasoning_state', choice: 0, block: index, origin, signature, redacted, id });
        break;
      }
      case 'tool_call': {
        const { id, name, signature } = part;
        events.push({ type: 'tool_call', choice: 0, call: index, id, name, ...(signature !== undefined && { signature }) });
        events.push({ type: 'arguments', choice: 0, call: index, text: part.arguments });
        break;
      }
      case 'image':
        events.push({ ...part, choice: 0 });
    }
  }
  // They are of the text, which may be followed by calls.
  const lastText = events.findLastIndex((event) => event.type === 'text');
  const beside: ReplyEvent[] = annotations.map((annotation) => ({ type: 'annotation', choice: 0, annotation }));
  if (logprobs) beside.push({ type: 'logprobs', choice: 0, content: logprobs });
  events.splice(lastText + 1, 0, ...beside);
  return events;
}
