import type { GeminiRules } from '../../model-rules/index.js';
import type { Conversation, OutputFormat, Tool, ToolChoice } from '../canonical.js';
import { invalid } from '../kit/fields.js';
import { isObject, type JsonObject } from '../kit/json.js';
import { ToolNames } from '../kit/tool-names.js';
import { callsTools, Unsupported } from '../kit/unsupported.js';
import { bareReferences, schemaSubset } from './schema.js';

/** Begins with a letter or an underscore; at most 64 characters. */
export const geminiToolNames = (): ToolNames => new ToolNames(/^[a-zA-Z_][a-zA-Z0-9_.:-]*$/, /[^a-zA-Z0-9_.:-]/g, 64);

/** Tools, and which of them may or must be used. */
type Chosen = Pick<Conversation, 'tools' | 'toolChoice'>;

/** `tools` and `toolConfig` of a request; neither when there are no tools. @throws WeirError invalid_request when the model takes none. */
export function encodeTools({ tools, toolChoice }: Chosen, family: GeminiRules, names: ToolNames): JsonObject {
  if (tools.length === 0) return {};
  if (!family.tools)
    throw new Unsupported('tools', 'This model cannot call tools. Leave "tools" out, or choose another model.', callsTools);
  const declared = onlyAllowed(tools, toolChoice, family);
  const config = callingConfig({ tools, toolChoice }, family, names);
  return {
    tools: [{ functionDeclarations: declared.map((tool, at) => declaration(tool, `tools[${at}]`, family, names)) }],
    ...(config && { toolConfig: { functionCallingConfig: config } }),
  };
}

/** Older models cannot be told in words which tools they may use. */
function onlyAllowed(tools: Tool[], choice: ToolChoice | null, { validated }: GeminiRules): Tool[] {
  if (choice?.type !== 'allowed' || choice.required || validated) return tools;
  return tools.filter(({ name }) => choice.names.includes(name));
}

function declaration({ name, description, parameters }: Tool, param: string, family: GeminiRules, names: ToolNames): JsonObject {
  return {
    name: names.sent(name),
    ...(description !== null && { description }),
    ...(parameters !== null && parametersOf(parameters, param, family)),
  };
}

function parametersOf(parameters: JsonObject, param: string, { jsonSchema }: GeminiRules): JsonObject {
  if (jsonSchema) return { parametersJsonSchema: bareReferences(parameters) };
  // An object without properties is refused.
  const { properties } = parameters;
  if (!isObject(properties) || Object.keys(properties).length === 0) return {};
  return { parameters: schemaSubset(parameters, param) };
}

/** Null: nothing was asked for. */
function callingConfig({ tools, toolChoice }: Chosen, { validated }: GeminiRules, names: ToolNames): JsonObject | null {
  const strict = validated && tools.some((tool) => tool.strict === true);
  switch (toolChoice?.type) {
    case undefined:
      return strict ? { mode: 'VALIDATED' } : null;
    case 'auto':
      return { mode: strict ? 'VALIDATED' : 'AUTO' };
    case 'none':
      return { mode: 'NONE' };
    case 'required':
      return { mode: 'ANY' };
    case 'tool':
      return { mode: 'ANY', allowedFunctionNames: [names.sent(toolChoice.name)] };
    case 'allowed': {
      const allowedFunctionNames = toolChoice.names.map((name) => names.sent(name));
      if (toolChoice.required) return { mode: 'ANY', allowedFunctionNames };
      // Names go with ANY and VALIDATED only.
      return validated ? { mode: 'VALIDATED', allowedFunctionNames } : { mode: 'AUTO' };
    }
  }
}

/** Structured output in `generationConfig`. @throws WeirError invalid_request when the model cannot do it beside tools. */
export function encodeFormat(format: OutputFormat | null, hasTools: boolean, family: GeminiRules): JsonObject {
  if (format === null) return {};
  if (hasTools && !family.toolsWithFormat)
    throw invalid(
      'response_format',
      'Before Gemini 3 a model cannot do both tools and JSON output. Leave out "response_format" or "tools", or choose a newer model.',
    );
  const json = { responseMimeType: 'application/json' };
  if (format.type === 'json') return json;
  if (family.jsonSchema) return { ...json, responseJsonSchema: bareReferences(format.schema) };
  return { ...json, responseSchema: schemaSubset(format.schema, 'response_format') };
}
