import { REPLY_FORMATS, type Said } from './tool-replies.js';
import type { Script } from './upstream.js';

type Json = ReturnType<typeof JSON.parse>;

/** What a request asks of a model, in no vendor's words. */
interface Asked {
  tools: { name: string; schema: Json }[];
  /** A call is forced: of this tool, or of any. */
  forced: { name?: string } | null;
  /** The answer is to be JSON: by this schema, where there is one. */
  json: { schema?: Json } | null;
  stops: string[];
  /** The last thing the user said. */
  words: string;
  /** The last turn is what a tool answered. */
  isAnswered: boolean;
}

type Format = keyof typeof REPLY_FORMATS;

const PATHS: Readonly<Record<Format, RegExp>> = {
  chat: /\/chat\/completions$/,
  messages: /\/messages$/,
  gemini: /generatecontent/i,
  converse: /\/converse/,
  responses: /\/responses$/,
};

const textOf = (content: Json): string =>
  typeof content === 'string' ? content : (content ?? []).map(({ text = '' }: { text?: string }) => text).join('');
/** What has no field for JSON is told in words. */
const jsonInWords = (system: Json): Asked['json'] => (/one JSON (?:object|value)/.test(textOf(system)) ? {} : null);
const lastWords = (turns: Json[], content = 'content'): string => textOf(turns.findLast(({ role }) => role === 'user')?.[content]);

const READERS: Readonly<Record<Format, (body: Json) => Asked>> = {
  chat: ({ messages, tools = [], tool_choice: choice, response_format: format, stop }) => ({
    tools: tools.map((tool: Json) => ({ name: tool.function.name, schema: tool.function.parameters })),
    forced: choice === 'required' ? {} : (choice?.function ?? null),
    json: format?.type === 'json_schema' ? format.json_schema : format?.type === 'json_object' ? {} : null,
    stops: [stop ?? []].flat(),
    words: lastWords(messages),
    isAnswered: messages.at(-1).role === 'tool',
  }),
  messages: ({ system, messages, tools = [], tool_choice: choice, output_config: output, stop_sequences: stops = [] }) => ({
    tools: tools.map((tool: Json) => ({ name: tool.name, schema: tool.input_schema })),
    forced: choice?.type === 'any' ? {} : choice?.type === 'tool' ? choice : null,
    json: output?.format ?? jsonInWords(system),
    stops,
    words: lastWords(messages),
    isAnswered: [messages.at(-1).content].flat().some(({ type }) => type === 'tool_result'),
  }),
  gemini: ({
    contents,
    tools = [],
    toolConfig,
    generationConfig: { responseMimeType, responseJsonSchema, responseSchema, stopSequences = [] } = {},
  }) => ({
    tools: tools
      .flatMap(({ functionDeclarations = [] }) => functionDeclarations)
      .map((tool: Json) => ({ name: tool.name, schema: tool.parametersJsonSchema ?? tool.parameters })),
    forced: toolConfig?.functionCallingConfig?.mode === 'ANY' ? { name: toolConfig.functionCallingConfig.allowedFunctionNames?.[0] } : null,
    json: responseMimeType === 'application/json' ? { schema: responseJsonSchema ?? responseSchema } : null,
    stops: stopSequences,
    words: lastWords(contents, 'parts'),
    isAnswered: contents.at(-1).parts.some(({ functionResponse }: Json) => functionResponse),
  }),
  converse: ({ system, messages, toolConfig: { tools = [], toolChoice } = {}, inferenceConfig, additionalModelRequestFields: claude }) => ({
    tools: tools.flatMap(({ toolSpec: tool }: Json) => (tool ? [{ name: tool.name, schema: tool.inputSchema.json }] : [])),
    forced: toolChoice?.any ?? toolChoice?.tool ?? null,
    json: claude?.output_config?.format ?? jsonInWords(system),
    stops: inferenceConfig?.stopSequences ?? [],
    words: lastWords(messages),
    isAnswered: messages.at(-1).content.some(({ toolResult }: Json) => toolResult),
  }),
  responses: ({ input, tools = [], tool_choice: choice, text }) => ({
    tools: tools.map((tool: Json) => ({ name: tool.name, schema: tool.parameters })),
    forced: choice === 'required' ? {} : choice?.type === 'function' ? choice : null,
    json: text?.format?.type === 'json_schema' ? text.format : text?.format?.type === 'json_object' ? {} : null,
    stops: [],
    words: typeof input === 'string' ? input : lastWords(input),
    isAnswered: typeof input !== 'string' && input.at(-1).type === 'function_call_output',
  }),
};

/** A model that does as it is told, as far as that can be seen without reading: it speaks every format, on the path each has. */
export const ableModel: Script = (call, response) => {
  const [format] = (Object.entries(PATHS) as [Format, RegExp][]).find(([, path]) => path.test(call.path.replace(/\?.*/, '')))!;
  return REPLY_FORMATS[format].says(replyTo(READERS[format](call.body)))(call, response);
};

function replyTo({ tools, forced, json, stops, words, isAnswered }: Asked): Said {
  const usage = { input: 20, cacheRead: 0, output: 10 };
  const tool = tools.find(({ name }) => (forced?.name ?? name) === name);
  if (tool && (forced || !isAnswered))
    return { calls: [{ id: 'call_able_1', name: tool.name, arguments: filled(tool.schema, words) }], usage };
  const text = json ? JSON.stringify(json.schema ? filled(json.schema, words) : namedIn(words)) : 'Hello to you.';
  const ends = stops.map((stop) => text.indexOf(stop)).filter((end) => end >= 0);
  return { text: text.slice(0, Math.min(text.length, ...ends)), usage };
}

/** A value by a schema, with the number and the quoted name that the user said. */
function filled({ type, properties = {}, anyOf }: Json, words: string): Json {
  const [kind] = [type].flat();
  if (anyOf) return filled(anyOf[0], words);
  if (/integer|number/i.test(kind)) return Number(/\d+/.exec(words)?.[0] ?? 1);
  if (/string/i.test(kind)) return /'([^']+)'/.exec(words)?.[1] ?? 'Something.';
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, filled(schema, words)]));
}

/** An object that has every name the user put in quotes. */
const namedIn = (words: string): object => Object.fromEntries([...words.matchAll(/'(\w+)'/g)].map(([, name]) => [name, 'Something.']));
