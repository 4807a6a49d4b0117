import { rulesOf } from '../../model-rules/index.js';
import { isObject, type JsonObject, objectOf, textOf } from '../kit/json.js';

/** Claude's own tools have no schema in the request: it is added. 245, 700 and 735 tokens by their pages of 2025-11; a third more with later tokenizers. */
const OWN_TOOL = /^(?:bash|text_editor|computer|memory|web_search|web_fetch|code_execution|tool_search_tool\w*|advisor)_\d{8}$/;
const OWN_TOOL_TOKENS = 1_000;
/** An answer by a schema, and citations: Claude is told of them in words of the vendor's (platform.claude.com, structured outputs, citations). No source for how many. */
const WORDS_ON_FORM = 1_000;

/**
 * The most input tokens that a provider adds to a request by itself. A model of which nothing is known is billed for what was sent.
 * @param body as the client sent it, in any format.
 * @param tools that the provider is told of as tools.
 */
export function hiddenPromptTokens(model: string, body: Readonly<JsonObject>, tools: readonly JsonObject[]): number {
  const { always, withTools, tellsForms } = rulesOf(model).hiddenPrompt;
  const tokens = always + (tools.length > 0 ? withTools : 0);
  if (!tellsForms) return tokens;
  const own = tools.filter((tool) => OWN_TOOL.test(textOf(tool['type']) ?? ''));
  return tokens + own.length * OWN_TOOL_TOKENS + (hasForm(body) ? WORDS_ON_FORM : 0);
}

/** The answer is to have a form: in the words of each format. Or documents are to be cited. */
function hasForm(body: Readonly<JsonObject>): boolean {
  const formats = [
    body['response_format'],
    body['output_format'],
    objectOf(body['output_config'])['format'],
    objectOf(body['text'])['format'],
  ];
  return formats.some((format) => (textOf(objectOf(format)['type']) ?? 'text') !== 'text') || cites(body['messages'], 4);
}

const cites = (value: unknown, depth: number): boolean => {
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.some((one) => cites(one, depth));
  if (!isObject(value)) return false;
  return objectOf(value['citations'])['enabled'] === true || cites(value['content'], depth - 1);
};
