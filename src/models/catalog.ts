import { calcPrice, findProvider } from '@pydantic/genai-prices';
import { memoize } from '../kernel/memoize.js';
import { type ModelFacts, rulesOf } from '../model-rules/index.js';

/**
 * What the catalog knows of a vendor's model: its family's facts, and the context window that the price catalog lists.
 * @param catalogId the vendor's id in the price catalog; null: it is not listed there.
 */
export function catalogdFacts(catalogId: string | null, model: string): ModelFacts {
  let vendor = vendors.get(catalogId);
  if (!vendor) {
    const windows = listedWindows(catalogId);
    vendor = memoize((id) => lookUp(catalogId, windows, id));
    vendors.set(catalogId, vendor);
  }
  return vendor(model);
}

const vendors = new Map<string | null, (model: string) => ModelFacts>();

/** By the price catalog's own ids, which lists of models are made of: hundreds of them are asked for at once. */
function listedWindows(catalogId: string | null): ReadonlyMap<string, number | null> {
  const models = catalogId === null ? [] : (findProvider({ providerId: catalogId })?.models ?? []);
  return new Map(models.map(({ id, context_window }) => [id, context_window ?? null]));
}

function lookUp(catalogId: string | null, windows: ReadonlyMap<string, number | null>, model: string): ModelFacts {
  const { facts } = rulesOf(model);
  if (facts.contextWindow !== null || catalogId === null) return facts;
  const contextWindow = windows.get(model);
  if (contextWindow !== undefined) return { ...facts, contextWindow };
  const alias = calcPrice({ input_tokens: 1 }, model, { providerId: catalogId });
  return { ...facts, contextWindow: alias?.model.context_window ?? null };
}
