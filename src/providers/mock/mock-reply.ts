import { stubFor } from './schema-stub.js';

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
  usage: MockUsage;
}

interface MockUsage {
  prompt_tokens: number;
  completion_tokens: number;
  total_tokens: number;
  prompt_tokens_details: { cached_tokens: number };
  completion_tokens_details: { reasoning_tokens: number };
}

/** What a reply is to look like beside its text. */
export interface MockTraits {
  /** Of the prompt's tokens, at most so many are said to come from a cache. */
  cachedTokens: number;
  /** Tokens of reasoning, before the answer's own. */
  reasoningTokens: number;
  /** Goes on for three times the output limit. */
  overLimit: boolean;
}

const BYTES_PER_TOKEN = 4;
/** No reply has more: the mock makes all of it at once. */
const MAX_PIECES = 8_192;
/** More of a message is not echoed. */
const MAX_ECHO = 32_768;
const tokensOf = (text: string): number => Math.ceil(Buffer.byteLength(text) / BYTES_PER_TOKEN);

/**
 * Calls the tool that `tool_choice` names, else the first offered one, with arguments valid by its schema; once, unless a call is forced.
 * Gives a stub valid by `response_format`'s schema; else echoes the last user message. The output limit is obeyed.
 * @throws TooMuch
 */
export function mockReply(request: MockRequest, traits: MockTraits): MockReply {
  const { model } = request;
  const promptTokens = request.messages.reduce((sum, message) => sum + 3 + tokensOf(textOf(message.content)), 0);
  const limit = request.max_completion_tokens ?? request.max_tokens ?? Number.POSITIVE_INFINITY;
  const reasoning = Math.min(traits.reasoningTokens, limit);
  const usage = (output: number) => usageOf(promptTokens, Math.min(traits.cachedTokens, promptTokens), reasoning + output, reasoning);
  const tool = toolToCall(request);
  if (tool) {
    const call = { id: 'call_mock_1', name: tool.name, arguments: JSON.stringify(stubFor(tool.parameters)) };
    return { model, pieces: [], toolCalls: [call], finishReason: 'tool_calls', usage: usage(tokensOf(call.name + call.arguments)) };
  }
  const said = splitIntoTokens(answerText(request));
  const pieces = traits.overLimit ? repeated(said, Math.min(Number.isFinite(limit) ? limit * 3 : said.length, MAX_PIECES)) : said;
  const kept = traits.overLimit ? pieces : pieces.slice(0, limit - reasoning);
  return { model, pieces: kept, toolCalls: [], finishReason: kept.length < pieces.length ? 'length' : 'stop', usage: usage(kept.length) };
}

const repeated = (pieces: string[], length: number): string[] => Array.from({ length }, (_, at) => pieces[at % pieces.length]!);

const usageOf = (prompt: number, cached: number, completion: number, reasoning: number): MockUsage => ({
  prompt_tokens: prompt,
  completion_tokens: completion,
  total_tokens: prompt + completion,
  prompt_tokens_details: { cached_tokens: cached },
  completion_tokens_details: { reasoning_tokens: reasoning },
});

function toolToCall({ tools, tool_choice: choice, messages }: MockRequest): { name: string; parameters: unknown } | null {
  const forced = choice === 'required' || (typeof choice === 'object' && choice !== null);
  if (!Array.isArray(tools) || choice === 'none' || (messages.at(-1)?.role === 'tool' && !forced)) return null;
  const wanted = (choice as { function?: { name?: string } } | null | undefined)?.function?.name;
  const tool = tools.find((offered) => wanted === undefined || offered?.function?.name === wanted);
  const name: unknown = tool?.function?.name;
  return typeof name === 'string' && name !== '' ? { name, parameters: tool!.function!.parameters } : null;
}

function answerText({ response_format: format, messages }: MockRequest): string {
  if (format?.type === 'json_schema') return JSON.stringify(stubFor(format.json_schema?.schema));
  if (format?.type === 'json_object') return '{}';
  const last = messages.findLast((message) => message.role === 'user') ?? messages.at(-1);
  return `You said: ${textOf(last?.content).slice(0, MAX_ECHO)}`;
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown }) => (typeof part?.text === 'string' ? part.text : '')).join('');
}

/** Pieces of a few characters that end at word ends, so that a stream looks like one. */
const splitIntoTokens = (text: string): string[] => text.match(/\s{0,64}\S{1,6}|\s{1,64}/g) ?? [''];
