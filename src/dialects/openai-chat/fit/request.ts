import { rulesOf } from '../../../model-rules/index.js';
import type { Thinking, ThinkingLevel } from '../../canonical.js';
import { rulesId, type UpstreamParams } from '../../dialect.js';
import { samplingAllowed } from '../../families/openai.js';
import { invalid } from '../../kit/fields.js';
import { isObject, type JsonObject, textOf } from '../../kit/json.js';
import { leftOut } from '../../kit/left-out.js';
import { table } from '../../kit/table.js';
import { stops, Unsupported } from '../../kit/unsupported.js';
import { fitFormat } from './format.js';
import { fitMessages } from './messages.js';
import { thinkingFields } from './thinking.js';
import { fitTools } from './tools.js';

export interface Fitted {
  body: JsonObject;
  warnings: string[];
  thinkingLevel: ThinkingLevel | null;
}

/**
 * A request in OpenAI's form as its provider and its model take it. What they take as it is stays as it is, in its order; nothing that was
 * given is changed in place.
 * @param thinking what is to be asked for; null: the request says it itself, or nothing does.
 */
export function fit(request: JsonObject, rewrite: UpstreamParams, thinking: Thinking | null): Fitted {
  const { model, quirks } = rewrite;
  const warnings: string[] = [];
  let body: JsonObject = { ...request, model };
  body = fitLimit(body, rewrite);
  fitStream(body, rewrite);
  if (rewrite.keepNothing && quirks.store) body['store'] = false;
  const asked = thinking && thinkingFields(thinking, rewrite);
  Object.assign(body, asked?.fields);
  // OpenRouter leaves out itself what a model does not take.
  if (quirks.thinking !== 'openrouter') fitModel(body, rewrite, warnings);
  if (quirks.seedField === 'random_seed' && 'seed' in body) {
    body['random_seed'] = body['seed'];
    delete body['seed'];
  }
  for (const field of quirks.refusedFields ?? []) {
    if (body[field] !== undefined && body[field] !== null) warnings.push(leftOut(field));
    delete body[field];
  }
  fitTools(body, quirks, warnings);
  if (quirks.jsonSchema === false) fitFormat(body);
  body['messages'] = fitMessages(body['messages'] as JsonObject[], rewrite);
  return { body, warnings, thinkingLevel: asked ? asked.level : null };
}

const LIMITS = ['max_completion_tokens', 'max_tokens'];

/** Writes the output limit where the client wrote its own, under the one name that the model takes; strict servers refuse the other. */
function fitLimit(body: JsonObject, rewrite: UpstreamParams): JsonObject {
  const { maxOutputTokens, quirks } = rewrite;
  const { maxTokens } = rulesOf(rulesId(rewrite)).openai;
  const given = LIMITS.find((field) => body[field] !== undefined);
  // OpenAI's newer models refuse the old name wherever they are served. Other servers know it, until they say so.
  const taken = maxTokens ? (quirks.maxTokensField ?? given ?? 'max_tokens') : 'max_completion_tokens';
  if (given === undefined) return { ...body, [taken]: maxOutputTokens };
  const entries = Object.entries(body).filter(([name]) => name === given || !LIMITS.includes(name));
  return Object.fromEntries(entries.map(([name, value]) => (name === given ? [taken, maxOutputTokens] : [name, value])));
}

/** Usage is always asked for; whether the client sees it is another matter. */
function fitStream(body: JsonObject, { quirks }: UpstreamParams): void {
  if (quirks.streamOptions === false) delete body['stream_options'];
  else if (body['stream'] === true) body['stream_options'] = { ...(body['stream_options'] as object | null), include_usage: true };
}

const SAMPLING = ['temperature', 'top_p', 'presence_penalty', 'frequency_penalty', 'logit_bias', 'logprobs', 'top_logprobs'];
/** OpenAI's own limit. */
const MAX_STOPS = 4;

/** Leaves out what the model refuses, where it only tunes; refuses what would change the answer's end. */
function fitModel(body: JsonObject, rewrite: UpstreamParams, warnings: string[]): void {
  const ruled = rulesId(rewrite);
  const sampling = SAMPLING.filter((name) => body[name] !== undefined && body[name] !== null);
  if (sampling.length > 0 && !samplingAllowed(ruled, textOf(body['reasoning_effort']))) {
    for (const name of sampling) {
      // What is asked for is what happens.
      if (body[name] !== 1 && body[name] !== false) warnings.push(`"${name}" is not supported by this model and was left out.`);
      delete body[name];
    }
  }
  const { stop } = body;
  if (stop === undefined || stop === null || rulesOf(ruled).vendor !== 'openai') return;
  if (!rulesOf(ruled).openai.stop)
    throw new Unsupported('stop', `"${rewrite.model}" takes no stop sequences. Leave "stop" out, or use another model.`, stops);
  if (Array.isArray(stop) && stop.length > MAX_STOPS) throw invalid('stop', `"stop" must not have more than ${MAX_STOPS} entries.`);
}

/** What a client's own fields ask for, as far as it can be told. */
export function levelAsked(body: JsonObject): { asked: boolean; level: ThinkingLevel | null } {
  const { reasoning_effort: effort, reasoning, thinking } = body;
  if (effort != null) return { asked: true, level: levelNamed(effort) };
  if (reasoning != null) return { asked: true, level: isObject(reasoning) ? levelNamed(reasoning['effort']) : null };
  return { asked: thinking != null || body['enable_thinking'] != null, level: null };
}

const LEVELS = table<ThinkingLevel>({
  none: 'off',
  minimal: 'minimal',
  low: 'low',
  medium: 'medium',
  high: 'high',
  xhigh: 'xhigh',
  max: 'max',
});
const levelNamed = (effort: unknown): ThinkingLevel | null => (typeof effort === 'string' ? (LEVELS[effort] ?? null) : null);
