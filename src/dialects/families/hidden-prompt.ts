import { isObject, type JsonObject, objectOf, textOf } from '../kit/json.js';
import { claudeFamily } from './claude.js';

/** What is put before a prompt that no client sees, and is billed as input: the most that is known, in tokens. */
interface HiddenPrompt {
  of: (model: string) => boolean;
  always: number;
  /** More with the first tool. */
  withTools: number;
}

const has = (pattern: RegExp) => (model: string) => pattern.test(model);

const CLAUDE: HiddenPrompt = { of: (model) => claudeFamily(model).claude, always: 0, withTools: 1_000 };

/**
 * The first row that fits counts. A model without one is billed for what was sent.
 * - Claude: 159 to 804 tokens with tools (platform.claude.com/docs/en/agents-and-tools/tool-use/overview, "pricing", as of 2026-07-13).
 * - gpt-oss: the harmony format's own system message and its words on channels (github.com/openai/harmony, docs/format.md, read 2026-11-28).
 * - Grok: "our system will add additional formatting tokens" (docs.x.ai/developers/rate-limits, read 2026-11-28). No source for how many; the
 *   dearest that is known of another family.
 * - Open models: the default system prompts and the words around tools in the chat templates that are published with them (tokenizer_config.json
 *   and chat_template.jinja of each on huggingface.co). Hosts change them, so no exact number has a source: more than any of them.
 */
const TABLE: readonly HiddenPrompt[] = [
  CLAUDE,
  { of: has(/gpt-oss/), always: 128, withTools: 128 },
  { of: has(/(?:^|[/.])grok/), always: 1_000, withTools: 0 },
  { of: has(/magistral|devstral|mistral-small|command-[ar]|c4ai|aya-/), always: 1_000, withTools: 1_000 },
  { of: has(/qwen|qwq|llama|mi[sx]tral|ministral|deepseek|kimi|glm-|minimax|hermes|granite|phi-|nemotron/), always: 128, withTools: 512 },
];

/** Claude's own tools have no schema in the request: it is added. 245, 700 and 735 tokens by their pages of 2025-11; a third more with later tokenizers. */
const OWN_TOOL = /^(?:bash|text_editor|computer|memory|web_search|web_fetch|code_execution|tool_search_tool\w*|advisor)_\d{8}$/;
const OWN_TOOL_TOKENS = 1_000;
/** An answer by a schema, and citations: Claude is told of them in words of the vendor's (platform.claude.com, structured outputs, citations). No source for how many. */
const WORDS_ON_FORM = 1_000;

/**
 * The most input tokens that a provider adds to a request by itself.
 * @param body as the client sent it, in any format.
 * @param tools that the provider is told of as tools.
 */
export function hiddenPromptTokens(model: string, body: Readonly<JsonObject>, tools: readonly JsonObject[]): number {
  const id = model.toLowerCase();
  const row = TABLE.find(({ of }) => of(id));
  if (!row) return 0;
  const tokens = row.always + (tools.length > 0 ? row.withTools : 0);
  if (row !== CLAUDE) return tokens;
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
