import { type AskedModel, listedModels, MODEL_LISTS } from '../routing/index.js';

const ENDPOINTS: ReadonlySet<string> = new Set(['chat.completions', 'responses', 'messages']);

/**
 * Takes a client's own list of models out of a request: Weir obeys it, and no provider sees it.
 * @param body of the request, which is changed where it stands: what was kept of its text is known by it.
 * @throws WeirError invalid_request for what is no list of names
 */
export function takeModels(endpoint: string, body: unknown): AskedModel[] {
  if (!ENDPOINTS.has(endpoint) || typeof body !== 'object' || body === null) return [];
  const fields = body as Record<string, unknown>;
  const models = listedModels(fields);
  for (const field of MODEL_LISTS) if (field in fields) delete fields[field];
  return models;
}
