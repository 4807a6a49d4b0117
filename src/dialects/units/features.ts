import type { Fees, Medium } from '../../kernel/usage.js';
import { rulesOf } from '../../model-rules/index.js';
import { isObject, type JsonObject, listOf, textOf } from '../kit/json.js';

/** Something a request asks for that is billed by more than its text tokens. */
export interface Feature {
  /** The field that asks for it; `model` where the model does. */
  field: string;
  /** In words, for the client. */
  what: string;
  kind: 'search' | 'tool' | 'tier' | 'speed' | 'region' | 'media';
  /** What was asked for, where that decides about the price: the tier, the speed, the tool and the size of its container. */
  value: string;
  /** It is all that the request asks for so, and the request says how often it may be used, at most. Null: its use has no bound. */
  most: Fees | null;
  /** The field that would say so and is missing; null: there is none. */
  limitedBy: string | null;
  /** It is all that the request asks for so, and the answer is made of this beside text, and no longer than the output limit. Null: of something else. */
  makes: readonly Medium[] | null;
}

type Found = Omit<Feature, 'most' | 'limitedBy'>;

/** How it is found, and whether it reaches a provider of another format. Fields and tools by the vendors' API references, read 2026-11-28. */
interface Row {
  field: string;
  what: string;
  kind: Feature['kind'];
  /** A value for which nothing is billed. */
  free?: (value: unknown) => boolean;
  /** Translation keeps it: else it is left out, with a warning. */
  translated?: boolean;
  /** As {@link Feature}. */
  makes?: (value: unknown) => readonly Medium[] | null;
}

const MEDIA: readonly Medium[] = ['audio', 'image'];
/** A list of what an answer may be, as OpenAI and OpenRouter write it. */
function mediaOf(value: unknown): readonly Medium[] | null {
  const names = listOf(value).filter((one) => one !== 'text');
  const media = MEDIA.filter((medium) => names.includes(medium));
  return media.length === names.length ? media : null;
}

const isOff = (value: unknown): boolean =>
  value === false || value === null || value === undefined || (Array.isArray(value) && value.length === 0);
const isOneOf =
  (...words: string[]) =>
  (value: unknown): boolean =>
    isOff(value) || (typeof value === 'string' && words.includes(value));
const isText = (value: unknown): boolean => isOff(value) || listOf(value).every((one) => one === 'text');
const isOptOut = (value: unknown): boolean => isOff(value) || (isObject(value) && value['mode'] === 'off');

/** Of Venice, where a search is off unless it is asked for: docs.venice.ai/api-reference/api-spec, read 2026-11-29. */
const searchesNothing = (value: unknown): boolean =>
  !isObject(value) ||
  ['enable_web_search', 'enable_web_scraping', 'enable_x_search'].every((name) => isOff(value[name]) || value[name] === 'off');

const FIELDS: readonly Row[] = [
  // OpenAI chat with search models, Perplexity, OpenRouter.
  { field: 'web_search_options', what: 'a web search', kind: 'search' },
  { field: 'plugins', what: "the router's plugins", kind: 'search' },
  // xAI.
  { field: 'search_parameters', what: 'a live search', kind: 'search', free: isOptOut },
  // Alibaba, Zhipu and others.
  { field: 'enable_search', what: 'a web search', kind: 'search' },
  { field: 'web_search', what: 'a web search', kind: 'search' },
  { field: 'search_options', what: 'a web search', kind: 'search' },
  { field: 'venice_parameters', what: 'a web search', kind: 'search', free: searchesNothing },
  // Cohere.
  { field: 'connectors', what: 'connectors', kind: 'search' },
  { field: 'mcp_servers', what: 'MCP servers that the provider calls', kind: 'tool' },
  { field: 'container', what: 'a container that the provider runs', kind: 'tool' },
  {
    field: 'service_tier',
    what: 'another service tier',
    kind: 'tier',
    free: isOneOf('auto', 'default', 'standard', 'standard_only', 'on_demand'),
    translated: true,
  },
  { field: 'speed', what: 'another speed', kind: 'speed', free: isOneOf('standard') },
  { field: 'inference_geo', what: 'inference in a region', kind: 'region', free: isOneOf('global') },
  { field: 'modalities', what: 'an answer that is no text', kind: 'media', free: isText, makes: mediaOf },
  { field: 'response_modalities', what: 'an answer that is no text', kind: 'media', free: isText, makes: mediaOf },
  { field: 'audio', what: 'a spoken answer', kind: 'media', makes: () => ['audio'] },
  { field: 'image_config', what: 'images', kind: 'media', makes: () => ['image'] },
];

/** Tools that the client runs itself, by the types that formats give them. Whatever else is called a tool the provider runs, and bills. */
const CLIENTS_OWN =
  /^(?:function|custom|namespace|computer_\d{8}|local_shell|apply_patch|tool_search(?:_tool_\w+)?|bash_\d{8}|text_editor_\d{8}|memory_\d{8})$/;

/**
 * The first thing in a request that is billed by more than its text tokens. Null: there is none.
 * @param verbatim the format in which its fields reach the provider as they are; null: it is translated.
 */
export function featureIn(body: JsonObject, model: string, verbatim: string | null): Feature | null {
  const isVerbatim = verbatim !== null;
  const tool = toolIn(body, isVerbatim);
  const others = [...fieldsIn(body, isVerbatim), ...extrasIn(body, isVerbatim), ...modelFeatures(model)];
  if (tool) return { ...tool, ...(others.length === 0 ? searchesAtMost(body, verbatim) : NO_LIMIT) };
  const unknown = others.find(({ makes }) => makes === null) ?? (others.length > 0 ? spokenBefore(body) : null);
  const found = unknown ?? others[0];
  return found
    ? { ...found, ...NO_LIMIT, makes: unknown ? null : MEDIA.filter((one) => others.some(({ makes }) => makes!.includes(one))) }
    : null;
}

/** An answer of OpenAI's audio models that a conversation names and does not carry: nobody tells how much it is read as. */
function spokenBefore(body: JsonObject): Found | null {
  const index = listOf(body['messages']).findIndex((message) => isObject(message) && isObject(message['audio']));
  return index === -1
    ? null
    : { field: `messages[${index}].audio`, what: 'an earlier spoken answer', kind: 'media', value: '', makes: null };
}

const NO_LIMIT = { most: null, limitedBy: null };

/**
 * How often the tools of a request may search. Anthropic: `max_uses` of each tool (platform.claude.com/docs/en/agents-and-tools/tool-use/
 * web-search-tool, read 2026-11-30: versions 20250305, 20260209 and 20260318). From 20260209 on Claude also runs code that filters what was found,
 * as often as it likes, unless `allowed_callers` is `direct` alone. OpenAI's Responses: `max_tool_calls`, of all tools that it runs
 * (platform.openai.com/docs/api-reference/responses/create; the tool's name: developers.openai.com/api/docs/guides/tools-web-search, read
 * 2026-11-30).
 */
function searchesAtMost(body: JsonObject, verbatim: string | null): Pick<Feature, 'most' | 'limitedBy'> {
  const search = verbatim === null ? undefined : SEARCHES[verbatim];
  const tools = providersTools(body);
  if (!search || !tools.every(search.isKnown)) return NO_LIMIT;
  const most = search.limit(tools, body);
  if (most === null) return { most: null, limitedBy: search.limitedBy };
  const uses = [...new Set(tools.map(feeOf))].map((fee) => [fee, most]);
  return { most: Object.fromEntries(uses) as Fees, limitedBy: null };
}

interface Search {
  /** What the tool does is bounded by its limit. */
  isKnown: (tool: JsonObject) => boolean;
  limitedBy: string;
  /** Null: it is missing. */
  limit: (tools: readonly JsonObject[], body: JsonObject) => number | null;
}

const feeOf = ({ type }: JsonObject): keyof Fees => (type === 'file_search' ? 'fileSearch' : 'webSearch');
const isDirect = (callers: unknown): boolean => listOf(callers).length === 1 && listOf(callers)[0] === 'direct';

const SEARCHES: Readonly<Partial<Record<string, Search>>> = {
  'anthropic-messages': {
    isKnown: ({ type, allowed_callers: callers }) =>
      (type === 'web_search_20250305' && isOff(callers)) ||
      (/^web_search_(?:20250305|20260209|20260318)$/.test(textOf(type) ?? '') && isDirect(callers)),
    limitedBy: 'max_uses',
    limit: (tools) =>
      tools.map((tool) => count(tool['max_uses'])).reduce((sum, uses) => (sum === null || uses === null ? null : sum + uses), 0),
  },
  'openai-responses': {
    isKnown: ({ type }) => type === 'web_search' || type === 'web_search_2025_08_26' || type === 'file_search',
    limitedBy: 'max_tool_calls',
    limit: (_, body) => count(body['max_tool_calls']),
  },
};

/** Far more than anybody searches in an answer. */
const MAX_USES = 1_000;
const count = (value: unknown): number | null =>
  Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= MAX_USES ? (value as number) : null;

/** Some take what stands in `extra_body` as if it stood in the request. */
function extrasIn({ extra_body: extra }: JsonObject, verbatim: boolean): Found[] {
  if (!verbatim || !isObject(extra)) return [];
  const tool = toolIn(extra, verbatim);
  return [...(tool ? [tool] : []), ...fieldsIn(extra, verbatim)].map((found) => ({ ...found, field: `extra_body.${found.field}` }));
}

const fieldsIn = (body: JsonObject, verbatim: boolean): Found[] =>
  FIELDS.filter(
    ({ field, free = isOff, translated = false }) => (verbatim || translated) && field in body && !isOff(body[field]) && !free(body[field]),
  ).map(({ field, what, kind, makes }) => ({ field, what, kind, value: textOf(body[field]) ?? '', makes: makes?.(body[field]) ?? null }));

/** Tools of a provider stand among the client's; later ones may be added by an item of the conversation. */
function toolIn(body: JsonObject, verbatim: boolean): Found | null {
  if (!verbatim) return null;
  const tools = allTools(body);
  const index = tools.findIndex(isProviders);
  if (index === -1) return null;
  const tool = tools[index] as JsonObject;
  const name = textOf(tool['type']) ?? Object.keys(tool)[0] ?? '';
  const kind = /search|retrieval|ground/i.test(name) ? 'search' : 'tool';
  return {
    field: `tools[${index}]`,
    what: `"${name.slice(0, 64)}", which the provider runs`,
    kind,
    value: name + sizeOf(tool),
    makes: null,
  };
}

const allTools = (body: JsonObject): unknown[] => [
  ...listOf(body['tools']),
  ...listOf(body['input']).flatMap((item) => (isObject(item) ? listOf(item['tools']) : [])),
];
const isProviders = (tool: unknown): tool is JsonObject => isObject(tool) && !isClients(tool);
const providersTools = (body: JsonObject): JsonObject[] => allTools(body).filter(isProviders);

/** The memory of the container that a tool asks for, behind a blank. None: it names one that exists. */
function sizeOf(tool: JsonObject): string {
  const container = tool['container'] ?? tool['environment'];
  return isObject(container) ? ` ${textOf(container['memory_limit']) ?? '1g'}` : '';
}

function isClients(tool: JsonObject): boolean {
  const type = textOf(tool['type']);
  if (type === 'shell') return isObject(tool['environment']) ? tool['environment']['type'] === 'local' : false;
  return type === null ? 'function' in tool || 'name' in tool || 'functionDeclarations' in tool : CLIENTS_OWN.test(type);
}

function modelFeatures(model: string): Found[] {
  const { beyondText } = rulesOf(model);
  return beyondText ? [{ field: 'model', ...beyondText, value: model }] : [];
}
