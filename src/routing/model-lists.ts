import { WeirError } from '../kernel/errors.js';
import { type AskedModel, MAX_TARGETS } from './plan.js';

/** Where a client may name further models, which are tried after `model`: OpenRouter's field, and LiteLLM's. */
export const MODEL_LISTS = ['models', 'fallbacks'] as const;

const NAME = /^[^\s\p{Cc}\p{Cs}]{1,256}$/u;

/** The models that a request lists. @throws WeirError invalid_request for what is no list of names */
export function listedModels(body: Readonly<Record<string, unknown>>): AskedModel[] {
  const listed = MODEL_LISTS.flatMap((field) => namesIn(body[field] ?? [], field));
  if (listed.length > MAX_TARGETS) throw invalid('models', `"models" and "fallbacks" may name at most ${MAX_TARGETS} models together.`);
  return listed;
}

function namesIn(list: unknown, field: string): AskedModel[] {
  if (!Array.isArray(list)) throw invalid(field, `"${field}" must be a list of models, such as ["openai/gpt-5"].`);
  return list.map((name: unknown, at) => {
    const param = `${field}[${at}]`;
    if (typeof name === 'string' && NAME.test(name)) return { name, param };
    throw invalid(param, `"${param}" must be the name of a model, such as "openai/gpt-5". Where calls go is configured, not sent.`);
  });
}

const invalid = (param: string, message: string): WeirError => new WeirError('invalid_request', { param, message });
