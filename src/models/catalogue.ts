import { calcPrice, findProvider } from '@pydantic/genai-prices';
import { remembered } from '../kernel/remembered.js';
import { type ModelFacts, rulesOf } from '../model-rules/index.js';

/**
 * What the catalogue knows of a vendor's model: its family's facts, and the context window that the price catalogue lists.
 * @param catalogueId the vendor's id in the price catalogue; null: it is not listed there.
 */
export function cataloguedFacts(catalogueId: string | null, model: string): ModelFacts {
  let vendor = vendors.get(catalogueId);
  if (!vendor) {
    const windows = listedWindows(catalogueId);
    vendor = remembered((id) => lookUp(catalogueId, windows, id));
    vendors.set(catalogueId, vendor);
  }
  return vendor(model);
}

const vendors = new Map<string | null, (model: string) => ModelFacts>();

/** By the price catalogue's own ids, which lists of models are made of: hundreds of them are asked for at once. */
function listedWindows(catalogueId: string | null): ReadonlyMap<string, number | null> {
  const models = catalogueId === null ? [] : (findProvider({ providerId: catalogueId })?.models ?? []);
  return new Map(models.map(({ id, context_window }) => [id, context_window ?? null]));
}

function lookUp(catalogueId: string | null, windows: ReadonlyMap<string, number | null>, model: string): ModelFacts {
  const { facts } = rulesOf(model);
  if (facts.contextWindow !== null || catalogueId === null) return facts;
  const contextWindow = windows.get(model);
  if (contextWindow !== undefined) return { ...facts, contextWindow };
  const alias = calcPrice({ input_tokens: 1 }, model, { providerId: catalogueId });
  return { ...facts, contextWindow: alias?.model.context_window ?? null };
}
