import type { CallRequest, ItemMemory } from '../dialect.js';
import { isObject, type JsonObject, textOf } from '../kit/json.js';

/** What the ids of items begin with, and the reply's own id: as `Output` makes them. */
const OWN_ID = /^[a-z]+_[0-9a-f]{32}i\d+$/;

const REFERENCE = 'item_reference';

/** The id by which an item refers to one that Weir gave out; null: it does not. Those of providers are for these to know. */
function ownReference(item: unknown): string | null {
  if (!isObject(item) || item['type'] !== REFERENCE) return null;
  const id = textOf(item['id']);
  return id !== null && OWN_ID.test(id) ? id : null;
}

/**
 * Clients of OpenAI's SDKs refer to an item by its id, in the belief that it is kept. Items that Weir gave out are put back from memory; what it
 * has forgotten is left out, and told.
 */
export function recallItems(prompt: CallRequest, memory: ItemMemory): CallRequest {
  const { input } = prompt.body;
  if (!Array.isArray(input) || !input.some((item) => ownReference(item) !== null)) return prompt;
  let added = 0;
  let forgotten = 0;
  const items = input.flatMap((item): unknown[] => {
    const id = ownReference(item);
    if (id === null) return [item];
    const known = memory.recall(id);
    if (!known) forgotten++;
    added += known?.bytes ?? 0;
    return known ? [known.item] : [];
  });
  return {
    ...prompt,
    body: { ...prompt.body, input: forgotten > 0 ? withoutLoneResults(items) : items },
    inputTokensBound: prompt.inputTokensBound + added,
    ...(forgotten > 0 && { leftOut: [FORGOTTEN] }),
  };
}

const FORGOTTEN =
  'Items that were sent as "item_reference" are no longer known and were left out. Set "store" to false so that your SDK sends them whole.';

/** No provider takes the result of a call that it is not shown. */
function withoutLoneResults(items: readonly unknown[]): unknown[] {
  const isResult = (item: JsonObject) => /_output$/.test(textOf(item['type']) ?? '');
  const calls = new Set(items.filter((item) => isObject(item) && !isResult(item)).map((item) => (item as JsonObject)['call_id']));
  return items.filter((item) => !isObject(item) || !isResult(item) || calls.has(item['call_id']));
}

/** Remembers what a reply gave out, for a client that did not say that it keeps it itself. */
export function keepItems({ body }: CallRequest, items: readonly JsonObject[], memory: ItemMemory | undefined): void {
  if (!memory || body['store'] === false) return;
  for (const item of items) memory.keep(item['id'] as string, item, Buffer.byteLength(JSON.stringify(item)));
}
