/** Answers of the mock provider: the same request always gets the same reply. */

interface MockRequest {
  model: string;
  messages: { role: string; content?: unknown }[];
  max_tokens?: number;
  max_completion_tokens?: number;
  tools?: { function?: { name?: string; parameters?: unknown } }[];
  tool_choice?: unknown;
  response_format?: { type?: string; json_schema?: { schema?: unknown } };
}

export interface MockReply {
  model: string;
  /** The answer in the pieces a stream sends, about a token each. */
  pieces: string[];
  toolCalls: { id: string; name: string; arguments: string }[];
  finishReason: 'stop' | 'length' | 'tool_calls';
  usage: { prompt_tokens: number; completion_tokens: number; total_tokens: number };
}

const BYTES_PER_TOKEN = 4;
const tokensOf = (text: string): number => Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);

/**
 * Calls the first offered tool with arguments valid by its schema, once; gives a stub valid by `response_format`'s schema; else echoes the
 * last user message. The output limit is obeyed.
 */
export function mockReply(request: MockRequest): MockReply {
  const promptTokens = request.messages.reduce((sum, message) => sum + 3 + tokensOf(textOf(message.content)), 0);
  const limit = request.max_completion_tokens ?? request.max_tokens ?? Number.POSITIVE_INFINITY;
  const tool = toolToCall(request);
  if (tool) {
    const call = { id: 'call_mock_1', name: tool.name, arguments: JSON.stringify(stubFor(tool.parameters)) };
    return reply(request.model, [], [call], 'tool_calls', promptTokens, tokensOf(call.name + call.arguments));
  }
  const pieces = splitIntoTokens(answerText(request));
  const kept = pieces.slice(0, limit);
  return reply(request.model, kept, [], kept.length < pieces.length ? 'length' : 'stop', promptTokens, kept.length);
}

function reply(
  model: string,
  pieces: string[],
  toolCalls: MockReply['toolCalls'],
  finishReason: MockReply['finishReason'],
  prompt: number,
  completion: number,
): MockReply {
  return {
    model,
    pieces,
    toolCalls,
    finishReason,
    usage: { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion },
  };
}

function toolToCall({ tools, tool_choice: choice, messages }: MockRequest): { name: string; parameters: unknown } | null {
  if (!tools?.length || choice === 'none' || messages.at(-1)?.role === 'tool') return null;
  const wanted = (choice as { function?: { name?: string } } | undefined)?.function?.name;
  const tool = tools.find((offered) => wanted === undefined || offered.function?.name === wanted);
  return tool?.function?.name ? { name: tool.function.name, parameters: tool.function.parameters } : null;
}

function answerText({ response_format: format, messages }: MockRequest): string {
  if (format?.type === 'json_schema') return JSON.stringify(stubFor(format.json_schema?.schema));
  if (format?.type === 'json_object') return '{}';
  const last = messages.findLast((message) => message.role === 'user') ?? messages.at(-1);
  return `You said: ${textOf(last?.content)}`;
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown }) => (typeof part?.text === 'string' ? part.text : '')).join('');
}

/** Pieces of a few characters that end at word ends, so that a stream looks like one. */
const splitIntoTokens = (text: string): string[] => text.match(/\s*\S{1,6}/g) ?? [''];

interface Schema {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  minItems?: number;
  enum?: unknown[];
  const?: unknown;
  anyOf?: Schema[];
  oneOf?: Schema[];
  minimum?: number;
  minLength?: number;
  format?: string;
}

const TEXT_BY_FORMAT: Record<string, string> = {
  date: '2026-01-01',
  'date-time': '2026-01-01T00:00:00Z',
  email: 'mock@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
};

/** The smallest value that a JSON schema accepts. */
export function stubFor(schema: unknown): unknown {
  const s = (typeof schema === 'object' && schema !== null ? schema : {}) as Schema;
  if (s.const !== undefined) return s.const;
  if (s.enum?.length) return s.enum[0];
  const alternative = s.anyOf?.[0] ?? s.oneOf?.[0];
  if (alternative) return stubFor(alternative);
  switch (Array.isArray(s.type) ? s.type[0] : (s.type ?? 'object')) {
    case 'string':
      return TEXT_BY_FORMAT[s.format ?? ''] ?? 'mock'.padEnd(s.minLength ?? 0, '.');
    case 'integer':
    case 'number':
      return Math.ceil(s.minimum ?? 1);
    case 'boolean':
      return true;
    case 'null':
      return null;
    case 'array':
      return Array.from({ length: s.minItems ?? 0 }, () => stubFor(s.items));
    default:
      return Object.fromEntries((s.required ?? Object.keys(s.properties ?? {})).map((name) => [name, stubFor(s.properties?.[name])]));
  }
}
