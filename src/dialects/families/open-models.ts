/**
 * Which open models reason, as they are named where anyone may host them. Servers refuse to be asked for thinking by a model that has none.
 * Facts as of November 2026; a model that is not known counts as one of today's, which reason.
 */
const WITHOUT_THINKING = [
  /(?:^|[-/])(?:code)?llama-?[1-4]?(?![a-z])/,
  /codellama|llava|tinyllama|vicuna|alpaca|orca|hermes-?[23]?(?![a-z4-9])|openchat|starling|zephyr|neural-chat/,
  /mi[sx]tral(?!.*(?:large-?3|medium-?3))|codestral|ministral|nemo|devstral/,
  /gemma-?[1-3]?(?![0-9a-z])|gemma-?(?:7b|2b)/,
  /phi-?[1-4](?!.*reasoning)/,
  /qwen-?(?:1(?:\.5)?|2(?:\.5)?)(?![0-9])/,
  /deepseek-(?:coder|math|v2|llm)/,
  /granite-?[1-3](?![0-9])|smollm|falcon|command-r|aya|yi(?:-|:|$)|stablelm|dolphin|solar|una-cybertron|discolm|sqlcoder/,
  /embed|bge|rerank|guard/,
];
const EFFORT_BY_NAME = /gpt-oss/;

/** The model can be asked to think. */
export const reasons = (modelId: string): boolean => {
  const name = modelId.toLowerCase();
  return !WITHOUT_THINKING.some((pattern) => pattern.test(name));
};

/** Thinking is asked for by `low`, `medium` or `high`, and cannot be turned off. */
export const thinksByEffort = (modelId: string): boolean => EFFORT_BY_NAME.test(modelId.toLowerCase());
