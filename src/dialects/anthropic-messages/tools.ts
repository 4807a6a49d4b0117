import { WeirError } from '../../kernel/errors.js';
import type { ClaudeRules } from '../../model-rules/index.js';
import type { Conversation, OutputFormat, Tool } from '../canonical.js';
import { type ClaudeThinking, forcedToolAllowed } from '../families/claude.js';
import { claudeInputSchema, claudeSchema } from '../families/claude-schema.js';
import { type JsonObject, writeJson } from '../kit/json.js';
import type { ToolNames } from '../kit/tool-names.js';
import { encodeMark } from './blocks.js';

/** What a request says about tools and about the form of the answer. */
export interface ToolFields {
  tools: JsonObject[];
  toolChoice: JsonObject | null;
  /** `output_config.format` */
  format: JsonObject | null;
  /** Said in words, at the end of the instruction. */
  instruction: string | null;
  /** The tool that stands for the answer. */
  outputTool: string | null;
  warnings: string[];
}

const JSON_ONLY = 'Answer with one JSON value and nothing else: no words around it, no code fence.';

/** Tools, which of them to call, and structured output, in the way the model's family has it. */
export function encodeTools(conversation: Conversation, family: ClaudeRules, thinking: ClaudeThinking, names: ToolNames): ToolFields {
  const warnings: string[] = [];
  const tools = offered(conversation).map((tool) => encodeTool(tool, family, names, warnings));
  const toolChoice = encodeChoice(conversation, names);
  const fields: ToolFields = { tools, toolChoice, format: null, instruction: null, outputTool: null, warnings };
  const { format } = conversation;
  if (format) addFormat(fields, format, family, thinking);
  const { toolChoice: chosen } = fields;
  if (chosen && isForced(chosen) && !forcedToolAllowed(family, thinking)) {
    const { name: _name, ...rest } = chosen;
    fields.toolChoice = { ...rest, type: 'auto' };
    warnings.push('This model does not take orders to call a tool, so it was left to choose.');
  }
  return fields;
}

const isForced = ({ type }: JsonObject): boolean => type === 'any' || type === 'tool';

function offered({ tools, toolChoice }: Conversation): Tool[] {
  const wanted = toolChoice?.type === 'allowed' ? toolChoice.names : toolChoice?.type === 'tool' ? [toolChoice.name] : [];
  const missing = wanted.find((name) => !tools.some((tool) => tool.name === name));
  if (missing !== undefined)
    throw new WeirError('invalid_request', { param: 'tool_choice', message: `"tool_choice" names "${missing}", which is not in "tools".` });
  return toolChoice?.type === 'allowed' ? tools.filter(({ name }) => wanted.includes(name)) : tools;
}

function encodeTool(tool: Tool, family: ClaudeRules, names: ToolNames, warnings: string[]): JsonObject {
  const { schema, told } = claudeInputSchema(tool.parameters);
  const strict = tool.strict === true && family.nativeSchema ? claudeSchema(schema) : null;
  if (tool.strict === true && strict === null) warnings.push(`"strict" of the tool "${tool.name}" is not supported here and was left out.`);
  const description = [tool.description, told].filter((text) => text !== null).join('\n\n');
  return {
    name: names.sent(tool.name),
    ...((tool.description !== null || told !== null) && { description }),
    input_schema: strict ?? schema,
    ...(strict && { strict: true }),
    ...encodeMark(tool.cache),
  };
}

function encodeChoice({ tools, toolChoice, parallelToolCalls }: Conversation, names: ToolNames): JsonObject | null {
  if (tools.length === 0) return null;
  const single = parallelToolCalls === false ? { disable_parallel_tool_use: true } : {};
  switch (toolChoice?.type) {
    case undefined:
      return parallelToolCalls === false ? { type: 'auto', ...single } : null;
    case 'none':
      return { type: 'none' };
    case 'auto':
      return { type: 'auto', ...single };
    case 'required':
      return { type: 'any', ...single };
    case 'allowed':
      return { type: toolChoice.required ? 'any' : 'auto', ...single };
    case 'tool':
      return { type: 'tool', name: names.sent(toolChoice.name), ...single };
  }
}

/**
 * Structured output: by the model's own grammar, else by a tool it must call, else in words. A schema its grammar cannot say goes by the
 * tool as well: the input of a tool may be any schema.
 */
function addFormat(fields: ToolFields, format: OutputFormat, family: ClaudeRules, thinking: ClaudeThinking): void {
  if (format.type === 'json') {
    fields.instruction = JSON_ONLY;
    return;
  }
  const schema = family.nativeSchema ? claudeSchema(format.schema) : null;
  if (schema) {
    fields.format = { type: 'json_schema', schema };
    return;
  }
  if (!forcedToolAllowed(family, thinking) || (fields.toolChoice && isForced(fields.toolChoice))) {
    fields.instruction = `${JSON_ONLY} It must match this JSON schema: ${writeJson(format.schema)}`;
    fields.warnings.push('This model cannot be held to that JSON schema; it was asked for in words.');
    return;
  }
  addOutputTool(fields, format);
}

function addOutputTool(fields: ToolFields, { description, schema }: Extract<OutputFormat, { type: 'json_schema' }>): void {
  const { tools, toolChoice } = fields;
  const taken = new Set(tools.map(({ name }) => name));
  const name = ['json', 'json_answer', 'json_output'].find((candidate) => !taken.has(candidate)) ?? `json_${tools.length}_answer`;
  const input = claudeInputSchema(schema);
  const told = [description, 'Call this to give the answer.', input.told].filter(Boolean).join(' ');
  fields.tools = [...tools, { name, description: told, input_schema: input.schema }];
  const free = tools.length > 0 && toolChoice?.['type'] !== 'none';
  fields.toolChoice = free ? { type: 'any' } : { type: 'tool', name };
  fields.toolChoice['disable_parallel_tool_use'] = true;
  fields.outputTool = name;
}
