/** Where a field stands in a request, from the inside out. */
export interface Place {
  parent: Place | null;
  key: string | number;
  /** Among what was said: messages, instructions, items. */
  inConversation: boolean;
}

/** @param name the field's, without case, `_` and `-`: servers differ in how they write it. */
export type Visit = (name: string, value: unknown, place: Place) => void;

/** Holds messages or items. */
const CONVERSATION = new Set(['messages', 'input', 'system', 'instructions', 'contents']);

/**
 * What a caller writes for the model, or keeps for itself: its names mean nothing to whoever transports a request. `input` is content in a tool
 * call, and the conversation itself at the top.
 */
const CONTENT = new Set([
  ...['arguments', 'args', 'parameters', 'inputschema', 'schema', 'properties', 'inputexamples', 'examples', 'json', 'data', 'documents'],
  ...['parameterdefinitions', 'responseschema', 'responsejsonschema', 'guidedjson', 'grammar', 'definition'],
  ...['metadata', 'attributes', 'filters', 'variables', 'userlocation', 'logitbias', 'headers', 'env'],
  ...['action', 'outputs', 'results', 'queries', 'annotations', 'citations', 'reasoningdetails', 'extracontent'],
]);

/** Visits every field of a request but those in content. */
export function walk(body: Readonly<Record<string, unknown>>, visit: Visit): void {
  for (const key in body) step(body[key], { parent: null, key, inConversation: false }, visit);
}

function step(value: unknown, place: Place, visit: Visit): void {
  const name = nameOf(place.key as string);
  visit(name, value, place);
  if (typeof value !== 'object' || value === null || CONTENT.has(name)) return;
  const isTop = place.parent === null;
  if (name === 'input' && !isTop) return;
  within(value, isTop && CONVERSATION.has(name) ? { ...place, inConversation: true } : place, visit);
}

function within(value: object, place: Place, visit: Visit): void {
  const { inConversation } = place;
  if (Array.isArray(value)) {
    for (const [key, item] of value.entries())
      if (typeof item === 'object' && item !== null) within(item, { parent: place, key, inConversation }, visit);
    return;
  }
  const fields = value as Record<string, unknown>;
  for (const key in fields) step(fields[key], { parent: place, key, inConversation }, visit);
}

/** Objects at the top whose fields servers read as their own: LiteLLM takes those of `extra_body` before the request's. */
const HOLDERS = new Set(['extrabody', 'extraparams', 'options', 'generationconfig', 'inferenceconfig', 'samplingparams', 'modelkwargs']);

/** Whether it stands in one of the objects whose fields servers read as those of the request. */
export function isHeld(place: Place): boolean {
  let top = place;
  while (top.parent !== null) top = top.parent;
  return !top.inConversation && HOLDERS.has(nameOf(String(top.key)));
}

/** As a client finds it: `fallbacks[0].api_base`. */
export function pathOf({ parent, key }: Place): string {
  const own = typeof key === 'number' ? `[${key}]` : key;
  if (parent === null) return own;
  return pathOf(parent) + (typeof key === 'number' ? own : `.${own}`);
}

const MAX_NAMES = 2_000;
const names = new Map<string, string>();

/** Requests have the same few names again and again. */
function nameOf(key: string): string {
  if (key.length > 64) return '';
  let name = names.get(key);
  if (name === undefined) {
    name = key.toLowerCase().replace(/[-_]/g, '');
    if (names.size >= MAX_NAMES) names.clear();
    names.set(key, name);
  }
  return name;
}
