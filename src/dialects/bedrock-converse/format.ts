import { type BedrockModel, rulesOf } from '../../model-rules/index.js';
import type { Conversation, OutputFormat, Tool } from '../canonical.js';
import { claudeSchema } from '../families/claude-schema.js';
import { writeJson } from '../kit/json.js';
import type { Block } from './blocks.js';

/** How a request asks for an answer of a form. One of these, or none. */
export interface RenderedFormat {
  outputConfig?: Block;
  /** Claude's own `output_config.format`. */
  claudeFormat?: Block;
  /** A tool whose arguments are the answer. */
  outputTool?: Tool;
  /** At the end of the instructions. */
  words?: string;
}

type SchemaFormat = Extract<OutputFormat, { type: 'json_schema' }>;

/** @param mayForce a tool choice may force a call. */
export function renderFormat({ format, tools, toolChoice }: Conversation, model: BedrockModel, mayForce: boolean): RenderedFormat {
  if (format === null) return {};
  if (format.type === 'json') return { words: 'Answer with one JSON object and with nothing else.' };
  const schema = claudeSchema(format.schema);
  const way = wayOf(model, schema !== null);
  switch (way) {
    case 'text-format':
      return { outputConfig: textFormat(format, schema!) };
    case 'claude':
      return { claudeFormat: { type: 'json_schema', schema } };
    case 'tool':
      // An answer that has to be a tool call holds no text that could have a form.
      if (tools.length > 0 && (toolChoice?.type === 'required' || toolChoice?.type === 'tool')) return {};
      return mayForce ? { outputTool: outputTool(format, tools) } : { words: inWords(format) };
    case 'words':
      return { words: inWords(format) };
  }
}

type FormatMethod = 'text-format' | 'claude' | 'tool' | 'words';

/** @param expressible the schema can be said in the subset that is enforced, which is the same for all vendors. */
function wayOf({ vendor, name, rules }: BedrockModel, expressible: boolean): FormatMethod {
  const otherwise = rules.toolChoice === 'named' || rules.toolChoice === 'any' ? 'tool' : 'words';
  if (rules.schema !== 'native' || !expressible) return rules.schema === 'words' ? 'words' : otherwise;
  if (vendor !== 'anthropic') return 'text-format';
  return rulesOf(name).claude.schemaOnBedrock;
}

function textFormat({ name, description }: SchemaFormat, schema: Block): Block {
  const jsonSchema = { name, schema: writeJson(schema), ...(description !== null && { description }) };
  return { textFormat: { type: 'json_schema', structure: { jsonSchema } } };
}

function outputTool({ schema, description }: SchemaFormat, tools: readonly Tool[]): Tool {
  let name = 'json';
  while (tools.some((tool) => tool.name === name)) name += '_answer';
  return { name, description: description ?? 'Gives the final answer.', parameters: schema, strict: null };
}

const inWords = ({ schema }: SchemaFormat): string =>
  `Answer with one JSON value that is valid against this JSON Schema, and with nothing else:\n${writeJson(schema)}`;
