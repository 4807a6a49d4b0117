import { WeirError } from '../kernel/errors.js';
import { type AskedModel, MAX_TARGETS } from '../routing/index.js';

/** Where a client may name further models that Weir tries after `model`: OpenRouter's field, and LiteLLM's. */
const LISTS = ['models', 'fallbacks'] as const;
const ENDPOINTS: ReadonlySet<string> = new Set(['chat.completions', 'responses', 'messages']);

const NAME = /^[^\s\p{Cc}\p{Cs}]{1,256}$/u;

/**
 * Takes a client's own list of models out of a request: Weir obeys it, and no provider sees it.
 * @param body of the request, which is changed where it stands: what was kept of its text is known by it.
 * @throws WeirError invalid_request for what is no list of names
 */
export function takeModels(endpoint: string, body: unknown): AskedModel[] {
  if (!ENDPOINTS.has(endpoint) || typeof body !== 'object' || body === null) return [];
  const fields = body as Record<string, unknown>;
  const taken = LISTS.filter((field) => field in fields).flatMap((field) => {
    const list = fields[field];
    delete fields[field];
    return list === null ? [] : namesIn(list, field);
  });
  if (taken.length > MAX_TARGETS) throw invalid('models', `"models" and "fallbacks" may name at most ${MAX_TARGETS} models together.`);
  return taken;
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
